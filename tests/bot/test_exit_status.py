"""A pipeline knows by the exit status what to do next, and a server that restarts does not end its waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from bot import cli_job, cli_release
from bot.cli import main
from bot.exit_status import Found, RefusedError, UnreachableError, status_of, watch
from core.errors import AppError, ConflictError, InvalidInputError, NotFoundError, Problem, UpstreamError

NOBODY = ["--server", "http://127.0.0.1:9", "--key", "sk_x"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(InvalidInputError(Problem("to", "must rise")), 2, id="a mistake"),
        pytest.param(NotFoundError("There is no release R9."), 2, id="no such thing"),
        pytest.param(ConflictError("It is over."), 2, id="too late"),
        pytest.param(RefusedError(401, "This API key is unknown."), 2, id="a wrong key"),
        pytest.param(UnreachableError("Cannot reach it."), 4, id="nobody answers"),
        pytest.param(UpstreamError("zigpoll", "HTTP 502", permanent=False), 4, id="another system is away"),
        pytest.param(UpstreamError("zigpoll", "refuses the key", permanent=True), 1, id="another system refuses"),
        pytest.param(AppError("3 mistakes"), 1, id="it did not go well"),
    ],
)
def test_each_kind_of_failure_has_an_exit_status_of_its_own(error: AppError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize(
    "command",
    [
        ["release", "start", "kws@1.4.0"], ["release", "status", "R1"], ["release", "wait", "R1"],
        ["job", "wait", "J1"], ["job", "J1"], ["model", "optimize", "kws@1.4.0"], ["model", "list"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_server_that_nobody_reaches_is_4_whatever_is_asked(command: list[str]) -> None:
    done = CliRunner().invoke(main, [*command, *NOBODY])

    assert (done.exit_code, "Cannot reach http://127.0.0.1:9" in done.output) == (4, True)


@pytest.mark.parametrize("given", ["nonsense", "127.0.0.1:8000", "http://", "ftp://127.0.0.1", "http://[::1"])
def test_an_address_that_is_none_is_misuse(given: str) -> None:
    done = CliRunner().invoke(main, ["model", "list", "--server", given, "--key", "sk_x"])

    assert (done.exit_code, "begins with http:// or https://" in done.output) == (2, True)


def test_a_release_that_a_person_has_to_look_at_is_told_from_misuse_and_from_time_that_is_up() -> None:
    assert cli_release.EXIT == {"done": 0, "failed": 1, "waiting": 3, "running": 3, "stopped": 5}
    assert cli_job.EXIT == {"fits": 0, "not": 1, "running": 3}
    assert CliRunner().invoke(main, ["release", "wait"]).exit_code == 2


def answers(*told: Found | AppError) -> Callable[[], Found]:
    left: Iterator[Found | AppError] = iter(told)

    def look() -> Found:
        one = next(left)
        if isinstance(one, AppError):
            raise one
        return one

    return look


def watched(look: Callable[[], Found], *, timeout_s: float) -> list[Any]:
    """Watch with a clock that only sleeping moves; return what was seen, an error in the end."""
    now, seen = [0.0], list[Any]()
    try:
        for found in watch(
            look, every_s=10, timeout_s=timeout_s, seconds=lambda: now[0], sleep=lambda s: now.append(now.pop() + s)
        ):
            seen.append(found["n"])
    except AppError as error:
        seen.append(error)
    return seen


AWAY = UnreachableError("Cannot reach it.")


def test_a_server_that_goes_away_and_comes_back_is_waited_for() -> None:
    assert watched(answers({"n": 1}, AWAY, AWAY, {"n": 2}), timeout_s=30) == [1, 2]


def test_a_server_that_is_away_when_time_is_up_is_told_of() -> None:
    assert watched(answers({"n": 1}, {"n": 2}, AWAY, AWAY), timeout_s=25) == [1, 2, AWAY]


def test_a_server_that_was_never_there_is_not_waited_for() -> None:
    assert watched(answers(AWAY), timeout_s=1000) == [AWAY]


def test_a_refusal_ends_the_waiting() -> None:
    refused = RefusedError(401, "This API key is unknown or revoked.")

    assert watched(answers({"n": 1}, refused), timeout_s=1000) == [1, refused]
