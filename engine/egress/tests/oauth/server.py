"""An authorization server for the tests: oauthlib decides, this file only carries its words.

Prints its port on the first line. One client `placet` with the secret `s3 cret&=`, one person `ana` with the password
`pass/wörd`; refresh tokens are used once, the first one is `first-refresh`.
"""

import base64
import json
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

from oauthlib.oauth2 import (
    BackendApplicationServer,
    LegacyApplicationServer,
    RequestValidator,
)

CLIENT, SECRET = "placet", "s3 cret&="
PERSON, PASSWORD = "ana", "pass/w\u00f6rd"


class Client:
    client_id = CLIENT


class Rules(RequestValidator):
    refresh = {"first-refresh"}
    issued = {}

    def authenticate_client(self, request, *args, **kwargs):
        header = request.headers.get("Authorization", "")
        if header.startswith("Basic "):
            pair = base64.b64decode(header[6:]).decode()
            user, secret = (urllib.parse.unquote(part) for part in pair.split(":", 1))
        else:
            user, secret = request.client_id, request.client_secret
        if (user, secret) != (CLIENT, SECRET):
            return False
        request.client = Client()
        return True

    def client_authentication_required(self, request, *args, **kwargs):
        return True

    def validate_grant_type(self, client_id, grant_type, client, request, *args, **kwargs):
        return True

    def get_default_scopes(self, client_id, request, *args, **kwargs):
        return ["read"]

    def validate_scopes(self, client_id, scopes, client, request, *args, **kwargs):
        return set(scopes) <= {"read", "write"}

    def validate_user(self, username, password, client, request, *args, **kwargs):
        return (username, password) == (PERSON, PASSWORD)

    def validate_refresh_token(self, refresh_token, client, request, *args, **kwargs):
        if refresh_token not in self.refresh:
            return False
        self.refresh.discard(refresh_token)
        return True

    def get_original_scopes(self, refresh_token, request, *args, **kwargs):
        return ["read"]

    def save_bearer_token(self, token, request, *args, **kwargs):
        self.issued[token["access_token"]] = token["scope"]
        if "refresh_token" in token:
            self.refresh.add(token["refresh_token"])


rules = Rules()
# each token is used once, so that every call of a test asks for one
machine = BackendApplicationServer(rules, token_expires_in=1)
person = LegacyApplicationServer(rules, token_expires_in=1)


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, headers, body):
        body = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        grant = urllib.parse.parse_qs(body).get("grant_type", [""])[0]
        server = machine if grant == "client_credentials" else person
        headers, text, status = server.create_token_response(
            "https://login.example/token", "POST", body, dict(self.headers)
        )
        self.answer(status, headers, text)

    def do_GET(self):
        """The API: says with which scope it was called."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        scope = rules.issued.get(token)
        status = 200 if scope else 401
        self.answer(status, {"Content-Type": "application/json"}, json.dumps({"scope": scope}))

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
