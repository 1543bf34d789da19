"""The phones' two posts, whatever serves them: head and body in, status, headers and body out.

A server's adapter asks four things in turn: `admit` the head, `open` the body, commit the letters, `reply`. What any of
them raises is answered by `refuse`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import sqlalchemy as sa

from core.clock import Clock
from core.db import Databases
from core.errors import AppError
from core.keys import ApiKey, KeyRing
from core.limits import RateLimit
from core.settings import Settings
from feedback.commit import GroupCommit, Outcome
from feedback.inbox import Letter
from feedback.inflate import inflate
from feedback.ingest import Collector, Opened, told
from feedback.unpack import TooLargeError
from feedback.wire import Mistake, Refusal

log = logging.getLogger(__name__)

BATCH: Final = "/v1/batch"
RESPONSE: Final = "/v1/responses"
PATHS: Final = frozenset({BATCH, RESPONSE})
BURST_S: Final = 2.0
# What is read and checked in less than a millisecond or so; a larger body is not `brief`.
BRIEF_BYTES: Final = 32 * 1024
BRIEF_ITEMS: Final = 100

_JSON: Final = ("Content-Type", "application/json")
_encode = msgspec.json.Encoder().encode


class TooFastError(AppError):
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many requests with this API key; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class WrongMethodError(AppError):
    status = 405


class Head(NamedTuple):
    """What is known of a request before its body; `key` is the Authorization or the X-API-Key header."""

    method: str
    path: str
    key: str | None
    encoding: str
    length: int | None


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Intake:
    """Safe to use from many threads."""

    def __init__(self, databases: Databases, settings: Settings, clock: Clock, keys: KeyRing) -> None:
        self.largest = settings.max_body_bytes
        self._inflated = settings.max_inflated_bytes
        self._clock = clock
        self._keys = keys
        self._limit = RateLimit(settings.rate_limit_per_s, burst_s=BURST_S)
        self._collector = Collector(databases, settings)

    @property
    def commits(self) -> GroupCommit[Letter]:
        return self._collector.commits

    def admit(self, head: Head, *, briefly: bool = False) -> ApiKey:
        """Raises: WrongMethodError 405, KeyRejected 401, NotAllowedError 403, TooFastError 429, TooLargeError 413.

        With `briefly` also NotRememberedError, if it takes a look at the database: then admit it where there is time.
        """
        if head.method != "POST":
            raise WrongMethodError("This takes POST only.")
        key = self._keys.check(head.key, "public", "secret", briefly=briefly)
        wait_s = self._limit.wait_s(key.id)
        if wait_s > 0:
            raise TooFastError(wait_s)
        if head.length is not None and head.length > self.largest:
            raise self.too_large()
        return key

    def too_large(self) -> TooLargeError:
        return TooLargeError(f"The body must have at most {self.largest} bytes; send it in parts.")

    def open(self, head: Head, key: ApiKey, body: bytes, *, briefly: bool = False) -> Opened:
        """Read and check a body, of which at most `largest` + 1 bytes were read.

        Raises: MalformedError 400, TooLargeError 413, UnknownEncodingError 415. With `briefly` also TooLargeError of
        what is large or has a mistake, and NotRememberedError of what takes a look at the database: then open it where
        there is time.
        """
        if len(body) > (BRIEF_BYTES if briefly else self.largest):
            raise self.too_large()
        plain = inflate(body, head.encoding, BRIEF_BYTES if briefly else self._inflated)
        take = self._collector.open_batch if head.path == BATCH else self._collector.open_response
        return take(plain, app=key.app, now=self._clock(), briefly=briefly)

    def reply(self, head: Head, opened: Opened, outcomes: Sequence[Outcome]) -> Answer:
        """Tell what became of each item, once the letters are durable. One response that is rejected is a 422."""
        reply = told(opened.items, outcomes)
        return Answer(422 if head.path == RESPONSE and reply.rejected > 0 else 200, [_JSON], _encode(reply))

    def refuse(self, error: Exception) -> Answer:
        """Tell why nothing was taken; what nobody foresaw is logged and may be tried again."""
        if isinstance(error, AppError):
            return _refusal(error)
        if isinstance(error, sa.exc.SQLAlchemyError):
            log.warning("collector.unavailable", extra={"error": type(error).__name__})
            return _later(5, "The database cannot be reached; try again.")
        error_id = secrets.token_hex(4)
        log.error("collector.failed", extra={"error_id": error_id}, exc_info=error)
        return _later(30, f"Something went wrong here (error {error_id}); try again.")


def _refusal(error: AppError) -> Answer:
    headers = [_JSON]
    if (wait_s := getattr(error, "retry_after_s", None)) is not None:
        headers.append(("Retry-After", str(wait_s)))
    match error.status:
        case 401:
            headers.append(("WWW-Authenticate", "Bearer"))
        case 405:
            headers.append(("Allow", "POST"))
        case 408:
            headers.append(("Connection", "close"))  # what is left of the body would be read as the next request
    problems = [Mistake(path=problem.path, message=problem.message) for problem in error.problems]
    return Answer(error.status, headers, _encode(Refusal(error=error.message, problems=problems)))


def _later(wait_s: int, message: str) -> Answer:
    return Answer(503, [_JSON, ("Retry-After", str(wait_s))], _encode(Refusal(error=message)))
