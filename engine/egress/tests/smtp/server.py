"""A mail server for the tests: aiosmtpd decides, this only tells it where to refuse, hang or die.

One argument, a JSON object:
  security  "none" | "starttls" | "implicit"
  cert      "good" | "other_name" | "expired" | "self_signed"
  refuse    {stage: "code text"}      stages: greeting ehlo starttls auth mail rcpt data message noop
  rcpt      {address: "code text"}    one recipient that is refused
  die       stage                     the connection is cut there; "content" is within the message, of which
                                      little fits between the two; "message" is after the last dot
  hang      stage                     no reply comes there
  mechanisms ["PLAIN", ...]           what is offered; both without it
  scripted   true                     refuse, die and hang come one object a line on stdin, each for the next
                                      connection alone; each is answered with {"armed"}. {"heard": true} changes
                                      nothing and comes back as it is, after all that was told before
The first line written is {"port", "authority"}; then a line for each connection and each mail.
"""

import asyncio
import base64
import datetime
import json
import socket
import ssl
import sys

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

WANTED = json.loads(sys.argv[1])
RCPT = WANTED.get("rcpt", {})
SCRIPT = []
USER, PASSWORD = b"robot@example.com", b"s3cret-pw"


def tell(**what):
    print(json.dumps(what), flush=True)


async def stop_at(server, stage):
    """Dies or hangs here, if that is wanted; else the refusal of this stage, if there is one."""
    if server.wanted.get("die") == stage:
        server.transport.abort()
        await asyncio.Event().wait()
    if server.wanted.get("hang") == stage:
        await asyncio.Event().wait()
    return server.wanted.get("refuse", {}).get(stage)


def authenticate(server, session, envelope, mechanism, data):
    if mechanism == "XOAUTH2":
        good = data == b"user=" + USER + b"\x01auth=Bearer " + PASSWORD + b"\x01\x01"
    else:
        good = (data.login, data.password) == (USER, PASSWORD)
    tell(auth=mechanism, good=good, tls=session.ssl is not None or WANTED["security"] == "implicit")
    return AuthResult(success=good, handled=False)


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        said = await stop_at(server, "mail")
        if said:
            return said
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        said = await stop_at(server, "rcpt") or RCPT.get(address)
        if said:
            return said
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        # the dot has come: from here on the mail is in
        took = server.wanted.get("refuse", {}).get("message") is None
        content = base64.b64encode(envelope.original_content).decode()
        tell(took=took, mail_from=envelope.mail_from, rcpt_tos=envelope.rcpt_tos,
             options=envelope.mail_options, content=content)
        return await stop_at(server, "message") or "250 2.0.0 Ok: queued as 4F1A"


class Server(SMTP):
    async def _handle_client(self):
        said = await stop_at(self, "greeting")
        if said:
            await self.push(said)
            self.transport.close()
            return
        await super()._handle_client()

    async def smtp_EHLO(self, hostname):
        said = await stop_at(self, "ehlo")
        await (self.push(said) if said else super().smtp_EHLO(hostname))

    async def smtp_STARTTLS(self, arg):
        said = await stop_at(self, "starttls")
        if WANTED.get("inject"):
            self._writer.write(b"220 Ready\r\n250 injected\r\n")
            return
        await (self.push(said) if said else super().smtp_STARTTLS(arg))

    async def smtp_AUTH(self, arg):
        said = await stop_at(self, "auth")
        await (self.push(said) if said else super().smtp_AUTH(arg))

    async def auth_XOAUTH2(self, server, args):
        blob = base64.b64decode(args[1])
        result = authenticate(self, self.session, self.envelope, "XOAUTH2", blob)
        if not result.success:
            await self.push("334 eyJzdGF0dXMiOiI0MDEifQ==")
            await self._reader.readline()
        return result

    async def smtp_DATA(self, arg):
        said = await stop_at(self, "data")
        if said:
            await self.push(said)
        elif self.wanted.get("die") == "content":
            await self.push("354 go on")
            await self._reader.readline()
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)

    async def smtp_NOOP(self, arg):
        said = await stop_at(self, "noop")
        await (self.push(said) if said else super().smtp_NOOP(arg))

    async def push(self, status):
        if WANTED.get("garbage") and status.startswith(WANTED["garbage"]):
            status = "HTTP/1.1 200 OK"
        await super().push(status)


def certificates():
    authority = trustme.CA()
    kind = WANTED.get("cert", "good")
    if kind == "other_name":
        leaf = authority.issue_cert("mail.example.org")
    elif kind == "expired":
        leaf = authority.issue_cert("localhost", not_after=datetime.datetime(2020, 1, 1))
    else:
        leaf = authority.issue_cert("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    believed = trustme.CA() if kind == "self_signed" else authority
    return context, ssl.PEM_cert_to_DER_cert(believed.cert_pem.bytes().decode())


def listener():
    """Where the cut is to come within the message, small segments and a small window keep the sender's kernel from
    taking all of it (it grows its buffer by both): how long this process is kept from running does not matter then."""
    listening = socket.create_server(("127.0.0.1", 0))
    if WANTED.get("die") == "content":
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    return listening


async def script(lines):
    while line := await lines.readline():
        order = json.loads(line)
        if "heard" in order:
            tell(**order)
            continue
        SCRIPT.append(order)
        tell(armed=True)


async def main():
    security = WANTED.get("security", "none")
    context, authority = certificates()

    def make():
        tell(connected=True)
        server = Server(
            Handler(), hostname="mail.test", enable_SMTPUTF8=False, decode_data=False, loop=asyncio.get_running_loop(),
            tls_context=context if security == "starttls" else None, authenticator=authenticate, auth_required=True,
            auth_require_tls=security == "starttls", data_size_limit=WANTED.get("size", 33554432),
            auth_exclude_mechanism=[m for m in ["PLAIN", "LOGIN", "XOAUTH2"] if m not in WANTED.get("mechanisms", ["PLAIN", "LOGIN"])],
        )
        server.wanted = (SCRIPT.pop(0) if SCRIPT else {}) if WANTED.get("scripted") else WANTED
        return server

    loop = asyncio.get_running_loop()
    tls = context if security == "implicit" else None
    server = await loop.create_server(make, sock=listener(), ssl=tls)
    tell(port=server.sockets[0].getsockname()[1], authority=base64.b64encode(authority).decode())
    if WANTED.get("scripted"):
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        asyncio.ensure_future(script(lines))
    await server.serve_forever()


asyncio.run(main())
