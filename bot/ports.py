"""Ports that a process is about to listen on: a taken one is told in a line, before anything has started."""

from __future__ import annotations

import socket
import time
from typing import Final

import prometheus_client

from core.clock import monotonic
from core.errors import InvalidInputError, Problem
from core.settings import Settings

LOOK_EVERY_S: Final = 0.1


def require_free(host: str, port: int, *, setting: str, within_s: float = 0.0) -> None:
    """Wait so long for a port, as whoever listened before may be ending.

    Raises: InvalidInputError: another program listens there, or nobody can.
    """
    limit = monotonic() + within_s
    while True:
        try:
            return _require(host, port, setting)
        except InvalidInputError:
            if monotonic() >= limit:
                raise
        time.sleep(LOOK_EVERY_S)


def _require(host: str, port: int, setting: str) -> None:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            # Without SO_REUSEPORT, by which a second server would share the port and its requests in silence.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address[0], port, *address[2:]))  # getaddrinfo takes 70000 for 4464
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        told = f"cannot listen on port {port} of {host} ({why}); stop what is there, or set another port"
        raise InvalidInputError(Problem(setting, told)) from None


def serve_metrics(settings: Settings) -> None:
    """Serve /metrics where MUSTER_METRICS_PORT says so. Raises: InvalidInputError: as of `require_free`."""
    if settings.metrics_port:
        require_free("127.0.0.1", settings.metrics_port, setting="MUSTER_METRICS_PORT")
        prometheus_client.start_http_server(settings.metrics_port, "127.0.0.1")
