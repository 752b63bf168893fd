"""Slack's own Python package against the sandbox's server: every operation, and the errors it raises."""
import json
import sys
import urllib.request

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

base = sys.argv[1]
slack = WebClient(token="xoxb-anything", base_url=base + "/slack/")
tried = set()


def fails(word, call, status=200):
    try:
        call()
    except SlackApiError as error:
        assert error.response["error"] == word, error.response
        assert error.response.status_code == status, error.response.status_code
        return error.response
    raise AssertionError(f"no {word}")


def next_goes(operation, error):
    body = json.dumps({"operation": operation, "error": error}).encode()
    asked = urllib.request.Request(base + "/_placet/next", body, {"content-type": "application/json"})
    assert urllib.request.urlopen(asked).status == 200


def does(name, call):
    tried.add("slack." + name)
    return call()


me = does("auth.test", lambda: slack.auth_test())
assert me["ok"] and me["team_id"].startswith("T"), me

# post → read back, in its channel and in its thread
posted = does("chat.postMessage", lambda: slack.chat_postMessage(channel="C0SALES", text="hello"))
assert (posted["channel"], posted["message"]["text"]) == ("C0SALES", "hello"), posted
second = slack.chat_postMessage(channel="C0SALES", text="again")
assert second["ts"] != posted["ts"]
slack.chat_postMessage(channel="C0OTHER", text="elsewhere")
history = does("conversations.history", lambda: slack.conversations_history(channel="C0SALES"))
texts = [one["text"] for one in history["messages"]]
assert {"hello", "again"} <= set(texts) and "elsewhere" not in texts, texts
reply = slack.chat_postMessage(channel="C0SALES", text="in it", thread_ts=posted["ts"])
assert reply["message"]["thread_ts"] == posted["ts"], reply
replies = does("conversations.replies",
               lambda: slack.conversations_replies(channel="C0SALES", ts=posted["ts"]))
assert replies["ok"], replies

does("conversations.list", lambda: slack.conversations_list(limit=5))
opened = does("conversations.open", lambda: slack.conversations_open(users=["U0ANA"]))
assert opened["channel"]["id"], opened
users = does("users.list", lambda: slack.users_list())
assert users["members"], users
info = does("users.info", lambda: slack.users_info(user="U0ANA"))
assert info["user"]["id"] == "U0ANA", info
found = does("users.lookupByEmail", lambda: slack.users_lookupByEmail(email="ana@example.com"))
assert found["ok"], found
does("auth.revoke", lambda: slack.auth_revoke(test=True))

# the errors of its own shape
fails("no_text", lambda: slack.chat_postMessage(channel="C0SALES"))
next_goes("slack.chat.postMessage", "rate_limited")
limited = fails("ratelimited", lambda: slack.chat_postMessage(channel="C0SALES", text="x"), 429)
assert limited.headers.get("Retry-After") or limited.headers.get("retry-after"), limited.headers
next_goes("slack.chat.postMessage", "not_found")
fails("channel_not_found", lambda: slack.chat_postMessage(channel="C0SALES", text="x"))
nobody = WebClient(base_url=base + "/slack/")
fails("invalid_auth", lambda: nobody.chat_postMessage(channel="C0SALES", text="x"))

print(json.dumps({"tried": sorted(tried)}))
