"""The errors that Muster answers people and phones with.

Mistakes of people are AppErrors that say what to do. `UpstreamError.permanent` alone decides
whether a job is tried again. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where (`stages[1].percent`), what to do about it, and the line of a file when there is one."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line is not None else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class AppError(Exception):
    """An answer for the one who asked. `status` is the HTTP status it becomes."""

    status = 500

    def __init__(self, message: str, *problems: Problem) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems


class InvalidInputError(AppError):
    """Bad input; carries every problem, not the first."""

    status = 422

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems) or "invalid input", *problems)


class NotRememberedError(Exception):
    """It cannot be said without a look at the database, for which there is no time here; ask again where there is."""


class NotFoundError(AppError):
    status = 404


class NotAllowedError(AppError):
    status = 403


class ConflictError(AppError):
    status = 409


class UpstreamError(AppError):
    """Another system did not do its part. Permanent: give up and tell somebody; otherwise try again later."""

    status = 502

    def __init__(self, service: str, message: str, *, permanent: bool, retry_after_s: float | None = None) -> None:
        super().__init__(f"{service}: {message}")
        self.service = service
        self.permanent = permanent
        self.retry_after_s = retry_after_s


def all_of(*checks: Callable[[], object]) -> None:
    """Run every check. Raises: InvalidInputError: with the problems of all of them."""
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except InvalidInputError as error:
            problems += error.problems
    if problems:
        raise InvalidInputError(*problems)
