"""The job that optimizes a model: one at a time on a worker, in limited children, resumable after each candidate.

What a candidate gave is on the shelf before the next begins, so a job that runs again after a crash recalls it. The row
tells how far it is; the card follows the row.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy.exc import OperationalError

from bot.context import Context
from core.clock import monotonic
from core.db import reading
from core.engine import enqueue
from core.errors import AppError, UpstreamError
from optimize import check, order, reporting, runner, store
from optimize import job as jobs
from optimize.budgets import parse_budget
from optimize.recipes import parse_recipe
from optimize.shelf import Shelf, shelf_folder
from optimize.store import Job
from releases.blobs import Blobs

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5


def optimize(ctx: Context, ref: str, *, is_stopping: Callable[[], bool] = lambda: False) -> None:
    """Carry an order out, or go on with it. A job.

    Raises: UpstreamError: the worker stops; another one, or the next, goes on (passing).
    """
    with ctx.databases.control.begin() as session:
        found = store.load(session, ref, app=ctx.settings.app)
        may_run = store.start(session, found.number, now=ctx.clock())
    if not may_run:
        return
    runner.sweep()
    watch = _Watch(ctx, found, is_stopping)
    try:
        state, facts = _carry_out(ctx, found, watch)
    except (UpstreamError, OperationalError):
        raise
    except AppError as error:
        state, facts = "failed", {"sentence": str(error)}
    except Exception:  # whatever it was, the row must not say for ever that it runs
        error_id = f"E-{secrets.token_hex(3)}"
        log.exception("job.broken", extra={"job": ref, "error": error_id})
        state, facts = "failed", {"sentence": f"broke on our side; the log knows more under {error_id}"}
    if watch.is_stopping() and not watch.is_cancelled_in_row():
        raise UpstreamError("worker", f"stops while {ref} runs; it goes on elsewhere", permanent=False)
    if watch.is_cancelled_in_row():
        state = "cancelled"
    with ctx.databases.control.begin() as session:
        store.end(session, found.number, state, facts, now=ctx.clock())
        enqueue(session, "show_job", key=f"{ref}/ended", ref=ref)


@dataclass(slots=True)
class _Watch:
    """Whether to stop early: the worker ends, or a person cancelled; the database is asked twice a second."""

    ctx: Context
    job: Job
    is_stopping: Callable[[], bool]
    _looked_at: float = field(default=0.0)
    _seen: bool = field(default=False)

    def __call__(self) -> bool:
        if not self._seen and monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = monotonic()
            self._seen = self.is_cancelled_in_row()
        return self._seen or self.is_stopping()

    def is_cancelled_in_row(self) -> bool:
        with reading(self.ctx.databases.control) as session:
            return store.is_cancelled(session, self.job.number)


def _carry_out(ctx: Context, job: Job, watch: _Watch) -> tuple[store.State, dict[str, Any]]:
    blobs = Blobs(ctx.settings.blob_dir)
    if job.wanted.kind == "compare":
        return _compare(job, blobs)
    wanted = job.wanted
    parent = blobs.read(wanted.parent)
    planned = order.plan(
        order.Order(
            model=parent,
            recipe=parse_recipe(wanted.recipe),
            budget=parse_budget(wanted.budget),
            evaluation=blobs.read(wanted.evaluation) if wanted.evaluation else None,
            calibration=blobs.read(wanted.calibration) if wanted.calibration else None,
            train_script=blobs.read(wanted.script) if wanted.script else None,
            name=f"{wanted.model}-{wanted.version}.onnx",
            runtime=wanted.runtime,
            most_cpu_s=wanted.most_cpu_s,
        )
    )
    shelf = Shelf(shelf_folder(ctx.settings.blob_dir))
    going = jobs.steps(planned, shelf, is_cancelled=watch)
    while True:
        try:
            progress = next(going)
        except StopIteration as ended:
            result: jobs.Result = ended.value
            break
        _tell(ctx, job, reporting.progress_facts(progress, parent_bytes=len(parent)))
    facts = reporting.result_facts(result, parent_bytes=len(parent))
    if result.variant is not None:
        blobs.put([shelf.get(result.variant)], sha256=result.variant, max_bytes=ctx.settings.max_artifact_bytes)
    return ("done" if result.card is not None else "failed"), facts


def _compare(job: Job, blobs: Blobs) -> tuple[store.State, dict[str, Any]]:
    """Judge the second file against the first, on the inputs that came with them."""
    wanted = job.wanted
    assert wanted.other is not None
    checked = check.check(
        blobs.read(wanted.other),
        parse_budget(wanted.budget),
        evaluation=blobs.read(wanted.evaluation) if wanted.evaluation else None,
        against=blobs.read(wanted.parent),
        command=f"muster model check {wanted.other_version}.onnx --against {wanted.version}.onnx",
        runtime=wanted.runtime,
    )
    facts: dict[str, Any] = {"sentence": checked.sentence, "card": reporting.card_facts(checked.card), "variant": None,
             "recipe": "", "tried": [], "cpu_s": None}  # fmt: skip
    return ("done" if checked.card is not None else "failed"), facts


def _tell(ctx: Context, job: Job, progress: dict[str, Any]) -> None:
    with ctx.databases.control.begin() as session:
        if store.save_progress(session, job.number, progress):
            enqueue(session, "show_job", key=f"{job.name}/{progress['step']}", ref=job.name)
