"""A stand-in Slack whose authorization server is oauthlib: it decides on codes, PKCE, redirects, clients and refresh
tokens; this file carries its words in Slack's shape and keeps what it asks for.

Prints its port on the first line. One app `app-id` with the secret `app/s3cret&=`. Refresh tokens are used once, and
one that comes again ends the grant. `/control` says how the next answers are (POST) and what has happened (GET).
An access token is told to live for `expires_in` seconds and is taken until `{"end": true}`: when it ends here is the
test's to say, however long a busy machine keeps whoever has it from using it.
"""

import json
import secrets
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from oauthlib.oauth2 import RequestValidator, WebApplicationServer

CLIENT, SECRET = "app-id", "app/s3cret&="
lock = threading.RLock()
state = {"expires_in": 3600, "user": "U1", "hold": False, "away": False, "drop_scope": None}
told = {"exchanges": 0, "renewals": 0, "posts": [], "refused": [], "revoked": 0, "challenges": 0}
secrets_seen = [SECRET]
release = threading.Event()


class Client:
    client_id = CLIENT


class Rules(RequestValidator):
    codes, access, refresh, spent = {}, {}, {}, set()

    def validate_client_id(self, client_id, request, *args, **kwargs):
        request.client = Client()
        return client_id == CLIENT

    def validate_redirect_uri(self, client_id, redirect_uri, request, *args, **kwargs):
        return redirect_uri.startswith("http://127.0.0.1:") and redirect_uri.endswith("/integrations/slack/callback")

    def validate_response_type(self, client_id, response_type, client, request, *args, **kwargs):
        return response_type == "code"

    def validate_scopes(self, client_id, scopes, client, request, *args, **kwargs):
        return True

    def get_default_scopes(self, client_id, request, *args, **kwargs):
        return ["chat:write"]

    def is_pkce_required(self, client_id, request):
        return True

    def save_authorization_code(self, client_id, code, request, *args, **kwargs):
        self.codes[code["code"]] = {
            "challenge": request.code_challenge, "method": request.code_challenge_method,
            "redirect": request.redirect_uri, "scopes": request.scopes, "user": state["user"],
        }

    def authenticate_client(self, request, *args, **kwargs):
        import base64
        header = request.headers.get("Authorization", "")
        if not header.startswith("Basic "):
            return False
        pair = base64.b64decode(header[6:]).decode()
        if tuple(urllib.parse.unquote(part) for part in pair.split(":", 1)) != (CLIENT, SECRET):
            return False
        request.client = Client()
        return True

    def client_authentication_required(self, request, *args, **kwargs):
        return True

    def validate_code(self, client_id, code, client, request, *args, **kwargs):
        known = self.codes.get(code)
        if known is None:
            return False
        request.scopes, request.user = known["scopes"], known["user"]
        return True

    def get_code_challenge(self, code, request):
        return self.codes[code]["challenge"]

    def get_code_challenge_method(self, code, request):
        return self.codes[code]["method"]

    def confirm_redirect_uri(self, client_id, code, redirect_uri, client, request, *args, **kwargs):
        return self.codes[code]["redirect"] == redirect_uri

    def invalidate_authorization_code(self, client_id, code, request, *args, **kwargs):
        self.codes.pop(code, None)

    def validate_grant_type(self, client_id, grant_type, client, request, *args, **kwargs):
        return grant_type in ("authorization_code", "refresh_token")

    def validate_refresh_token(self, refresh_token, client, request, *args, **kwargs):
        if refresh_token in self.spent:
            # used twice: whoever has stolen it, nobody goes on with it
            self.refresh.clear()
            self.access.clear()
            return False
        known = self.refresh.pop(refresh_token, None)
        if known is None:
            return False
        self.spent.add(refresh_token)
        request.user = known["user"]
        return True

    def get_original_scopes(self, refresh_token, request, *args, **kwargs):
        return ["chat:write", "channels:read", "users:read"]

    def rotate_refresh_token(self, request):
        return True

    def save_bearer_token(self, token, request, *args, **kwargs):
        token["expires_in"] = state["expires_in"]
        kept = {"user": request.user, "until": time.time() + state["expires_in"], "scope": token["scope"]}
        self.access[token["access_token"]] = kept
        self.refresh[token["refresh_token"]] = kept
        secrets_seen.extend([token["access_token"], token["refresh_token"]])


rules = Rules()
server = WebApplicationServer(
    rules, token_generator=lambda _: "xoxe.xoxb-" + secrets.token_hex(20),
    refresh_token_generator=lambda _: "xoxe-1-" + secrets.token_hex(20))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/control":
            with lock:
                # whoever was told of a token counts its life from when the answer came
                young = sum(one["until"] + 1 > time.time() for one in rules.access.values())
                return self.answer(200, {**told, "secrets": secrets_seen, "young": young})
        with lock:
            scopes, credentials = server.validate_authorization_request("https://x" + self.path)
            # Slack parts scopes with commas
            scopes = scopes[0].split(",") if len(scopes) == 1 else scopes
            credentials["scopes"] = scopes
            headers, _, status = server.create_authorization_response(
                "https://x" + self.path, scopes=scopes, credentials={"user": state["user"]})
        code = urllib.parse.parse_qs(urllib.parse.urlparse(headers["Location"]).query).get("code", [])
        secrets_seen.extend(code)
        self.answer(status, {}, [("Location", headers["Location"])])

    def token(self, body):
        fields = urllib.parse.parse_qs(body)
        with lock:
            if fields["grant_type"] == ["refresh_token"]:
                told["renewals"] += 1
            else:
                told["exchanges"] += 1
                told["challenges"] += "code_verifier" in fields
                secrets_seen.extend(fields.get("code_verifier", []))
            if state["away"]:
                return self.answer(503, {})
            _, text, status = server.create_token_response(
                "https://x/token", "POST", body, {"Authorization": self.headers.get("Authorization", "")})
            answer = json.loads(text)
            if status == 200:
                answer = {"ok": True, **answer, "scope": answer["scope"].replace(" ", ",")}
                if state["drop_scope"]:
                    answer["scope"] = ",".join(s for s in answer["scope"].split(",") if s != state["drop_scope"])
            else:
                renewal = fields["grant_type"] == ["refresh_token"]
                error = "invalid_refresh_token" if renewal else "invalid_code"
                answer = {"ok": False, "error": error if answer["error"] == "invalid_grant" else answer["error"]}
                told["refused"].append(answer["error"])
            hold = state["hold"]
        if hold:
            # it has been done, and nobody hears of it
            release.wait(60)
        self.answer(200, answer)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/control":
            with lock:
                how = json.loads(body)
                if how.pop("end", False):
                    rules.access.clear()
                state.update(how)
            # a hold that was let go once holds again when it is asked for again
            if state["hold"]:
                release.clear()
            else:
                release.set()
            return self.answer(200, {})
        if self.path == "/api/oauth.v2.access":
            return self.token(body)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        with lock:
            known = rules.access.get(token)
            if known is None:
                told["refused"].append("invalid_auth")
                return self.answer(200, {"ok": False, "error": "invalid_auth"})
            if self.path == "/api/auth.test":
                who = {"ok": True, "team": "Acme", "user": "placet", "team_id": "T1", "user_id": known["user"],
                       "bot_id": "B" + known["user"]}
                return self.answer(200, who, [("x-oauth-scopes", known["scope"].replace(" ", ","))])
            if self.path == "/api/auth.revoke":
                rules.access.pop(token)
                told["revoked"] += 1
                return self.answer(200, {"ok": True, "revoked": True})
            sent = json.loads(body)
            told["posts"].append(sent["text"])
            ts = f"1700000000.{len(told['posts']):06d}"
            self.answer(200, {"ok": True, "channel": sent["channel"], "ts": ts, "message": {"text": sent["text"]}})

    def log_message(self, *_):
        pass


class Web(ThreadingHTTPServer):
    daemon_threads = True
    # whoever connects while this process is kept from running waits here, and is not sent away
    request_queue_size = 128


web = Web(("127.0.0.1", 0), Handler)
print(web.server_port, flush=True)
web.serve_forever()
