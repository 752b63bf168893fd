"""A TLS server that demands a certificate of its clients, and says whose it was.

One line on stdout: its port, the authority to trust, and the certificates that the test plays with.
"""

import base64
import http.server
import json
import ssl

import trustme

authority, others = trustme.CA(), trustme.CA()
ours = authority.issue_cert("placet@example.test", common_name="placet")
stranger = others.issue_cert("stranger@example.test", common_name="stranger")
other = authority.issue_cert("other@example.test", common_name="other")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        subject = {key: value for part in self.connection.getpeercert()["subject"] for key, value in part}
        body = json.dumps({"who": subject["commonName"]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def pems(cert):
    chain = "".join(blob.bytes().decode() for blob in cert.cert_chain_pems)
    return {"chain": chain, "key": cert.private_key_pem.bytes().decode()}


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
authority.issue_cert("localhost").configure_cert(context)
authority.configure_trust(context)
context.verify_mode = ssl.CERT_REQUIRED

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
told = {
    "port": server.server_address[1],
    "authority": base64.b64encode(ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())).decode(),
    "ours": pems(ours),
    "stranger": pems(stranger),
    "other": pems(other),
}
print(json.dumps(told), flush=True)
server.serve_forever()
