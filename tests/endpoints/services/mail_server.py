"""A mail server for tests: a real SMTP server on this machine that keeps what it gets, or refuses it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer


@dataclass
class MailServer:
    """`refuses` is its answer to a recipient, if it takes none."""

    refuses: str = ""
    recipients: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    port: int = 0


@contextmanager
def running() -> Iterator[MailServer]:
    box = MailServer()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 ready")
            for line in self.rfile:
                word = line.strip().upper().split(b" ")[0].split(b":")[0]
                if word == b"QUIT":
                    self.say("221 bye")
                    return
                if word == b"DATA":
                    self.say("354 go on")
                    self.keep()
                elif word == b"RCPT":
                    self.say(box.refuses or "250 ok")
                    box.recipients.append(line.decode().partition("<")[2].partition(">")[0])
                    continue
                self.say("250 ok")

        def keep(self) -> None:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line)
            box.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))  # type: ignore[arg-type]

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()
