"""A mail server (Debian's aiosmtpd) that behaves as its first argument says, a JSON object:

  rcpt, data   answers in turn, the last one for good: null to take it, "450 4.7.1 Later", or "drop" to close the connection
  refused      addresses that it does not know
  tls          "starttls", "implicit", or absent; then `certificate` and `key` are files
  port         where it listens; without it, wherever there is room
  login        {"user": …, "password": …}: nothing is taken without it

It prints its port, and then every mail that it took to the end, one line of JSON each."""
import asyncio
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

options = json.loads(sys.argv[1])
# It calls a part of its own deprecated, and does not like passwords without TLS, which is what is tested.
warnings.simplefilter("ignore")
logging.getLogger("mail.log").setLevel(logging.ERROR)


def say(what):
    print(json.dumps(what), flush=True)


class Behaviour:
    def __init__(self):
        self.left = {kind: list(options.get(kind, [None])) for kind in ("rcpt", "data")}

    def next(self, kind):
        answers = self.left[kind]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in options.get("refused", []):
            return "550 5.1.1 No such user"
        answer = self.next("rcpt")
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.next("data")
        if answer is None or answer == "drop":
            mail = envelope.original_content.decode("utf-8")
            say({"from": envelope.mail_from, "to": envelope.rcpt_tos, "mail": mail, "isTls": server.transport.get_extra_info("sslcontext") is not None})
        if answer == "drop":
            server.transport.abort()
        return answer if answer not in (None, "drop") else "250 Taken"


def authenticate(server, session, envelope, mechanism, data):
    login = options["login"]
    good = data.login.decode() == login["user"] and data.password.decode() == login["password"]
    return AuthResult(success=good, handled=False)


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(options["certificate"], options["key"])
    return made


async def serve():
    tls = options.get("tls")
    behaviour = Behaviour()
    settings = {"hostname": "mail.example.com"}
    if tls == "starttls":
        settings.update(tls_context=context(), require_starttls=True)
    if "login" in options:
        settings.update(authenticator=authenticate, auth_required=True, auth_require_tls=tls == "starttls")
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(behaviour, **settings), "127.0.0.1", options.get("port", 0), ssl=context() if tls == "implicit" else None
    )
    say(server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(serve())
