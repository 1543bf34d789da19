"""Posts a signed message to an address that somebody gave us, and to nowhere else than it says."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import requests

from core.errors import InvalidInputError, Problem, UpstreamError
from integrations.http import in_words, retry_after

TIMEOUT_S = (3.05, 15)
GONE = 410


def check_url(url: str) -> None:
    """Raises: InvalidInputError: it is no plain https address (http only on this machine)."""
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise InvalidInputError(Problem("url", "must be an https:// address"))
    if not parts.hostname or parts.username or parts.password:
        raise InvalidInputError(Problem("url", "must name a host, and no account or password"))


class WebhookClient:
    """`private` lets messages go to addresses of one's own network; unset, a name that leads there is refused."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._session = requests.Session()
        self._session.trust_env = False

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return when the other side said 2xx.

        Raises: UpstreamError: permanent when it is gone (410) or the address leads into our own network.
        """
        if not self._private:
            _refuse_private(url)
        told = {"Content-Type": "application/json", "User-Agent": "Muster", **headers}
        try:
            reply = self._session.post(
                url, data=body, headers=told, timeout=TIMEOUT_S, allow_redirects=False, stream=True
            )
        except requests.RequestException as error:
            raise UpstreamError("webhook", in_words(error), permanent=False) from None
        with reply:
            if 200 <= reply.status_code < 300:
                return
            raise UpstreamError(
                "webhook",
                f"HTTP {reply.status_code}",
                permanent=reply.status_code == GONE,
                retry_after_s=retry_after(reply),
            )


def _refuse_private(url: str) -> None:
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        raise UpstreamError("webhook", "its name cannot be found", permanent=False) from None
    for *_, address in found:
        if not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global:
            what = "leads into a private network; MUSTER_WEBHOOK_PRIVATE=1 allows that"
            raise UpstreamError("webhook", what, permanent=True)
