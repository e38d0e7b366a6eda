"""A real SMTP server (aiosmtpd): STARTTLS and AUTH are required, nobody@... is refused, each mail becomes a file.

smtp.py PORT CERTIFICATE KEY USER PASSWORD FOLDER
"""

import pathlib
import signal
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

port, certificate, key, user, password, folder = sys.argv[1:]


class Keep:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        # Written under another name first: a reader never sees half a mail.
        path = pathlib.Path(folder) / f"{Keep.count}.eml"
        half = path.with_suffix(".part")
        half.write_bytes(b"To-Envelope: " + ",".join(envelope.rcpt_tos).encode() + b"\r\n" + envelope.content)
        half.rename(path)
        return f"250 2.0.0 queued as {Keep.count}"


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and data.login == user.encode() and data.password == password.encode()
    return AuthResult(success=right, handled=right)


tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(certificate, key)
controller = Controller(
    Keep(),
    hostname="127.0.0.1",
    port=int(port),
    tls_context=tls,
    require_starttls=True,
    auth_required=True,
    auth_require_tls=True,
    authenticator=authenticate,
)
controller.start()
signal.pause()
