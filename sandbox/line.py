"""The line under a request: dropped, the other side gets no reply and cannot know whether it was heard."""

from __future__ import annotations

import contextlib
import socket

import flask


def drop() -> None:
    """Shut the socket of the request that is being answered; what is returned after this never arrives."""
    line = flask.request.environ.get("werkzeug.socket")
    if isinstance(line, socket.socket):
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
