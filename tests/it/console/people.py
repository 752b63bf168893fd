"""What every journey does: somebody elsewhere asks for something, and a person acts as another."""

import json
import urllib.request

HELLO = """document: { dsl: '1.0.3', namespace: acme, name: %s, version: '1.0.0' }
do:
  - hello:
      call: slack.chat.postMessage
      with: { channel: C0SALES, text: '%s' }
"""


def ask(given, user, path, body):
    """From outside of the browser: what a program asks of the API as this user; without a body it reads."""
    head = {"Authorization": f"Bearer {given['token']}", "Placet-As": user, "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(given["base"] + path, data, head)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def begin(given, name, text="Hello"):
    """Somebody elsewhere starts a run that asks for a decision."""
    body = {"file": f"{name}.yaml", "source": HELLO % (name, text), "input": {}, "mode": "sandbox"}
    return ask(given, "author", "/api/v1/runs?wait=20", body)["waiting_for"]["decision"]


def act_as(page, user):
    """In `dev`: choosing somebody is enough."""
    with page.expect_navigation():
        page.locator("#act-as").select_option(user)
