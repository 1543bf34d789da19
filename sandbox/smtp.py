"""The pretended mail server's wire: as much of SMTP (RFC 5321) as a sending program needs."""

from __future__ import annotations

import socketserver
import threading

from sandbox.mail import MailWorld

LONGEST_LINE = 2_000
LARGEST = 10 * 1024 * 1024
UNKNOWN = "nobody@"  # a mailbox that is not there


class _Talk(socketserver.StreamRequestHandler):
    """One connection."""

    timeout = 30

    def handle(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []
        world = self._world()
        if world.faults.on("mail_down"):
            self._say("421 Service not available")
            return
        self._say("220 mail.example ESMTP sandbox")
        while line := self.rfile.readline(LONGEST_LINE):
            word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if not self._answer(word.upper(), rest):
                return

    def _answer(self, word: str, rest: str) -> bool:
        """Answer one command; False ends the connection."""
        match word:
            case "EHLO":
                self._say("250-mail.example", f"250-SIZE {LARGEST}", "250 8BITMIME")
            case "HELO" | "NOOP":
                self._say("250 mail.example")
            case "MAIL":
                self.sender, self.recipients = _path(rest), []
                self._say("250 OK")
            case "RCPT" if self.sender is None:
                self._say("503 MAIL first")
            case "RCPT" if _path(rest).startswith(UNKNOWN):
                self._say("550 No such mailbox")
            case "RCPT":
                self.recipients.append(_path(rest))
                self._say("250 OK")
            case "DATA" if not self.recipients:
                self._say("503 RCPT first")
            case "DATA":
                return self._take()
            case "RSET":
                self.sender, self.recipients = None, []
                self._say("250 OK")
            case "QUIT":
                self._say("221 Bye")
                return False
            case _:
                self._say("502 Not implemented")
        return True

    def _take(self) -> bool:
        self._say("354 Go ahead")
        lines: list[bytes] = []
        while (line := self.rfile.readline(LARGEST)) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        if not line:
            return False
        world = self._world()
        for recipient in self.recipients:
            world.deliver(recipient, b"".join(lines))
        if world.faults.take("mail_lost"):
            return False
        self._say("250 Taken")
        return True

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _world(self) -> MailWorld:
        assert isinstance(self.server, SmtpServer)
        return self.server.world


class SmtpServer(socketserver.ThreadingTCPServer):
    """Serves in threads of its own until it is closed; port 0 takes a free one."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, world: MailWorld, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Talk)
        self.world = world
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="smtp", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join(5)
        self.server_close()


def _path(rest: str) -> str:
    """Return the address of `FROM:<a@b>` or `TO:<a@b> SIZE=1`."""
    return rest.partition("<")[2].partition(">")[0]
