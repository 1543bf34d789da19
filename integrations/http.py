"""JSON over HTTP to other systems: one session, time limits, a retry table, and errors that tell no secrets.

Everything that goes wrong is an UpstreamError. Its child OutcomeUnknownError says that the other side may
have done what was asked: whoever gets it looks before asking again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import NewConnectionError

from core.errors import UpstreamError

Method = Literal["GET", "POST", "PUT", "DELETE"]

CONNECT_S, READ_S = 3.05, 10.0
TRIES = 3
# Longer waits are the caller's: a job comes again without holding a thread.
LONGEST_PAUSE_S = 2.0
FIRST_PAUSE_S = 0.2
LONGEST_REASON = 400
# Without it Atlassian takes a file for a forged request of a browser and refuses it.
NO_XSRF_CHECK = {"X-Atlassian-Token": "nocheck"}
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class OutcomeUnknownError(UpstreamError):
    """No answer, or one that does not say whether it was done. Passing: look, then ask again."""

    def __init__(self, service: str, message: str) -> None:
        super().__init__(service, message, permanent=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`body` is the parsed JSON, None when there was none."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to attach."""

    name: str
    content: bytes
    media_type: str


class JsonClient:
    """Speaks JSON with one service under one address."""

    def __init__(
        self,
        service: str,
        base_url: str,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: tuple[float, float] = (CONNECT_S, READ_S),
        pause: Callable[[float], None] = time.sleep,
        adapter: BaseAdapter | None = None,
    ) -> None:
        """`adapter` carries the requests in place of a socket, `pause` waits; both for tests."""
        self.service = service
        self.base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._pause = pause
        self._secrets = tuple(secret for secret in ((auth or ("", ""))[1], *(headers or {}).values()) if secret)
        self._session = requests.Session()
        self._session.auth = auth
        self._session.headers.update({"Accept": "application/json", "User-Agent": "Muster", **(headers or {})})
        if adapter is not None:
            self._session.mount(self.base_url, adapter)

    def request(
        self,
        method: Method,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        accept: frozenset[int] = frozenset(),
        upload: Upload | None = None,
    ) -> Reply:
        """Return the reply when its status is 2xx or in `accept`. With `upload` a file is sent in place of JSON.

        Tried again at once: GET on 429, 5xx and lost connections; all else only on 429 and 503 that carry
        `Retry-After`, the two answers which promise that nothing was done.

        Raises: UpstreamError: the service refused (permanent) or cannot just now (passing, with `retry_after_s`).
            OutcomeUnknownError: not a GET, and it may have been done.
        """
        attempt = 1
        while True:
            try:
                return self._once(method, path, body, params, accept, upload)
            except UpstreamError as error:
                wait_s = _wait_before_next(error, attempt)
                if wait_s is None or attempt >= TRIES or not (method == "GET" or error.retry_after_s is not None):
                    raise
            self._pause(wait_s)
            attempt += 1

    def _once(
        self, method: Method, path: str, body: object, params: Mapping[str, str] | None, accept: frozenset[int],
        upload: Upload | None,
    ) -> Reply:  # fmt: skip
        try:
            response = self._session.request(
                method,
                self.base_url + path,
                json=body,
                params=params,
                files=None if upload is None else {"file": (upload.name, upload.content, upload.media_type)},
                headers=None if upload is None else NO_XSRF_CHECK,
                timeout=self._timeout_s,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # `from None`: the library's message carries addresses and headers.
            raise self._lost(method, path, error) from None
        if 200 <= response.status_code < 300 or response.status_code in accept:
            return self._reply(method, path, response)
        raise self._refusal(method, path, response)

    def _lost(self, method: Method, path: str, error: requests.RequestException) -> UpstreamError:
        what = f"{method} {path}: {_in_words(error)}"
        if method == "GET" or _never_sent(error):
            return UpstreamError(self.service, what, permanent=False)
        return OutcomeUnknownError(self.service, what)

    def _reply(self, method: Method, path: str, response: requests.Response) -> Reply:
        if not response.content:
            return Reply(status=response.status_code, body=None)
        try:
            return Reply(status=response.status_code, body=response.json())
        except ValueError:
            what = f"{method} {path}: HTTP {response.status_code} without JSON; is the address right?"
            if method == "GET":
                raise UpstreamError(self.service, what, permanent=False) from None
            raise OutcomeUnknownError(self.service, what) from None

    def _refusal(self, method: Method, path: str, response: requests.Response) -> UpstreamError:
        status = response.status_code
        what = f"{method} {path}: HTTP {status}{self._reason(response)}"
        if 300 <= status < 400:
            return UpstreamError(self.service, f"{what}: redirects; set the address it leads to", permanent=True)
        retry_after_s = retry_after(response.headers)
        if status in PASSING or status >= 500:
            promises_nothing_done = status == 429 or (status == 503 and retry_after_s is not None)
            if method == "GET" or promises_nothing_done:
                return UpstreamError(self.service, what, permanent=False, retry_after_s=retry_after_s)
            return OutcomeUnknownError(self.service, what)
        return UpstreamError(self.service, what, permanent=True)

    def _reason(self, response: requests.Response) -> str:
        """Return ": …" with what the service says, its secrets blotted out."""
        try:
            body = response.json()
        except ValueError:
            return ""
        text = "; ".join(_sentences(body))[:LONGEST_REASON]
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return f": {text}" if text else ""


def _wait_before_next(error: UpstreamError, attempt: int) -> float | None:
    """Return how long to wait before trying again at once, None when that is not worth it."""
    if error.permanent or isinstance(error, OutcomeUnknownError):
        return None
    wait_s = error.retry_after_s if error.retry_after_s is not None else FIRST_PAUSE_S * 4.0 ** (attempt - 1)
    return wait_s if wait_s <= LONGEST_PAUSE_S else None


def _never_sent(error: requests.RequestException) -> bool:
    """Return whether no connection came about, so that the request cannot have been read."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _in_words(error: requests.RequestException) -> str:
    """Return what went wrong, without the addresses and headers of the library's own message."""
    match error:
        case requests.ConnectTimeout():
            return "no connection in time"
        case requests.Timeout():
            return "no answer in time"
        case requests.exceptions.SSLError():
            return "its certificate is not trusted"
        case requests.ConnectionError():
            return "no connection" if _never_sent(error) else "the connection broke"
        case _:
            return type(error).__name__


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After`, also when it is a date (then against the reply's own `Date`)."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - parsedate_to_datetime(headers["Date"])).total_seconds())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _sentences(body: object) -> list[str]:
    """Return the sentences of the error shapes of Atlassian and friends."""
    if not isinstance(body, dict):
        return []
    said = [str(each) for each in body.get("errorMessages") or () if each]
    errors = body.get("errors")
    if isinstance(errors, dict):
        said += [f"{field}: {message}" for field, message in errors.items()]
    if isinstance(errors, list):
        said += [str(each.get("title") or each.get("code")) for each in errors if isinstance(each, dict)]
    said += [str(body[name]) for name in ("message", "error") if isinstance(body.get(name), str)]
    return said
