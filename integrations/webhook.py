"""Posts a signed message to an address that somebody gave us, and to nowhere else than it says.

A name is looked up once: where it leads is checked, and there and nowhere else the connection goes. A delivery has
a moment by which all of it is over, however slowly the other side talks.
"""

from __future__ import annotations

import functools
import http.client
import io
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from core.clock import monotonic
from core.errors import InvalidInputError, Problem, UpstreamError
from integrations.http import retry_after

CONNECT_S: Final = 3.05
DEADLINE_S: Final = 15.0
GONE: Final = 410
PRIVATE: Final = "leads into a private network; MUSTER_WEBHOOK_PRIVATE=1 allows that"
# All else of IPv6 is local, a group, or a wrapping of an IPv4 address (64:ff9b::/96 too) that would have to be opened.
UNICAST: Final = ipaddress.IPv6Network("2000::/3")
WRAPPED: Final = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"))  # 6to4, Teredo

Found = Sequence[tuple[Any, Any, int, str, Any]]  # what getaddrinfo answers
Resolve = Callable[..., Found]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    is_tls: bool
    host: str
    port: int
    path: str


class GoneError(UpstreamError):
    """The other side said 410: it wants to hear no more."""

    def __init__(self) -> None:
        super().__init__("webhook", f"HTTP {GONE}", permanent=True)


def check_url(url: str, *, private: bool) -> None:
    """Look at how an address reads. No name is looked up: where a name leads is seen at each delivery.

    Raises: InvalidInputError: it is no plain https address (http only on this machine), or plainly a private one.
    """
    try:
        target, parts = _read(url), urlsplit(url)
    except ValueError:
        raise InvalidInputError(
            Problem("url", "must be an address such as https://ci.example.com/muster, its port at most 65535")
        ) from None
    is_local = target.host == "localhost" or target.host.endswith(".localhost")
    problems = []
    if not target.is_tls and not is_local and target.host not in ("127.0.0.1", "::1"):
        problems.append(Problem("url", "must be an https:// address"))
    if parts.username is not None or parts.password is not None:
        problems.append(Problem("url", "must name no account or password"))
    if not private and (is_local or not all(_is_public(address) for address in _literally(target))):
        problems.append(Problem("url", PRIVATE))
    if problems:
        raise InvalidInputError(*problems)


class WebhookClient:
    """`private` lets messages go to addresses of one's own network; unset, a name that leads there is refused."""

    def __init__(
        self,
        *,
        private: bool,
        deadline_s: float = DEADLINE_S,
        resolve: Resolve = socket.getaddrinfo,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        """`resolve` stands in for the name servers and `trusted` for the usual certificates; both for tests."""
        self._private = private
        self._deadline_s = deadline_s
        self._resolve = resolve
        self._trusted = trusted

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Return when the other side said 2xx.

        Raises: UpstreamError: permanent when it is gone (GoneError), the address leads into our own network or nowhere.
        """
        target, found = self._look_up(url)
        until = monotonic() + self._deadline_s
        told = {"Content-Type": "application/json", "User-Agent": "Muster", **headers}
        try:
            with closing(_connect(found, until)) as line:
                reply = self._ask(line, target, body, told, until)
        except ssl.SSLCertVerificationError:
            raise _passing("its certificate is not trusted") from None
        except TimeoutError:
            raise _passing("no answer in time") from None
        except (OSError, http.client.HTTPException):
            raise _passing("the connection broke") from None
        if reply.status == GONE:
            raise GoneError
        if not 200 <= reply.status < 300:
            asked_s = retry_after(CaseInsensitiveDict(reply.getheaders()))
            raise UpstreamError("webhook", f"HTTP {reply.status}", permanent=False, retry_after_s=asked_s)

    def _look_up(self, url: str) -> tuple[_Target, Found]:
        try:
            target = _read(url)
            found = self._resolve(target.host, target.port, type=socket.SOCK_STREAM)
        except ValueError:
            raise UpstreamError("webhook", "its address cannot be one; add it anew", permanent=True) from None
        except OSError:
            raise _passing("its name cannot be found") from None
        if not self._private and not all(_is_public(address) for *_, address in found):
            raise UpstreamError("webhook", PRIVATE, permanent=True)
        return target, found

    def _ask(
        self, line: socket.socket, target: _Target, body: bytes, headers: Mapping[str, str], until: float
    ) -> http.client.HTTPResponse:
        """Return the reply's head; its body says nothing to us and is left unread."""
        connection = http.client.HTTPConnection(target.host, target.port)
        if target.is_tls:
            connection.default_port = http.client.HTTPS_PORT
            line.settimeout(_left(until))
            line = (self._trusted or _usual()).wrap_socket(line, server_hostname=target.host)
        with closing(line):
            line.settimeout(_left(until))
            connection.sock = line
            connection.request("POST", target.path, body, dict(headers))
            reply = http.client.HTTPResponse(_Line(line, until), method="POST")  # type: ignore[arg-type]
            reply.begin()
            return reply


class _Line(io.RawIOBase):
    """Reads a socket until a moment; the socket's own time limit starts anew with every byte."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line = line
        self._until = until

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.settimeout(_left(self._until))
        return self._line.recv_into(buffer)


def _read(url: str) -> _Target:
    """Raises: ValueError: no address reads like that."""
    request = requests.Request("POST", url).prepare()
    parts = urlsplit(request.url or "")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no address of the web")
    parts.hostname.encode("idna")  # an empty or overlong part of a name
    is_tls = parts.scheme == "https"
    port = (443 if is_tls else 80) if parts.port is None else parts.port
    return _Target(is_tls=is_tls, host=parts.hostname, port=port, path=request.path_url)


def _literally(target: _Target) -> list[Any]:
    """Return the address that a host is in itself, in whatever notation; none for a name."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return []
    return [address for *_, address in found]


def _is_public(address: Sequence[Any]) -> bool:
    found = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and (found not in UNICAST or any(found in net for net in WRAPPED)):
        return False
    return found.is_global and not found.is_multicast


def _connect(found: Found, until: float) -> socket.socket:
    """Return a connection to the first address that takes one."""
    for family, kind, protocol, _, address in found:
        line = socket.socket(family, kind, protocol)
        try:
            line.settimeout(min(CONNECT_S, _left(until)))
            line.connect(address)
            return line
        except OSError:
            line.close()
    raise _passing("no connection")


def _left(until: float) -> float:
    """Return the seconds that are left. Raises: TimeoutError: none are."""
    left_s = until - monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


@functools.cache
def _usual() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)


def _passing(what: str) -> UpstreamError:
    return UpstreamError("webhook", what, permanent=False)
