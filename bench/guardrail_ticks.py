"""How long the minute's look at a live release takes: the real tick on real tables, from reports to the decision."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from slack_sdk import WebClient

import migrations.run
from bot.context import Context
from bot.flows import release as flow
from core.clock import system_clock
from core.db import open_databases
from core.device import DeviceContext
from core.settings import Settings
from feedback.responses import CONTEXT_FIELDS, context_id, stratum
from feedback.tables import CELLS, CONTEXTS, INFERENCES
from feedback.telemetry import HARMS, INSTALL_HOURS
from releases import artifact_store, store
from releases.artifacts import Artifact
from releases.plan import parse_plan
from releases.rollout import Advance, Approve, Submit, apply

T0 = datetime(2026, 11, 16, tzinfo=UTC)
KINDS = 60
ACTIVE = 4 / 24
PLAN = parse_plan(to="5,100", bake="90d", guard="crash_rate<+0.2pt timeout_rate<+0.5pt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """CPU seconds of one look at one release that `reports` reports of phones are about."""

    releases: int
    reports: int
    first_s: float
    again_s: float


def ticks(*, releases: int, installs: int, hours: int, seed: int) -> Ticks:
    """Look at so many live releases, each with `installs` in both arms together on 60 kinds of devices; then again
    after one more report of each."""
    with tempfile.TemporaryDirectory() as folder:
        ctx = _context(Path(folder))
        random = np.random.default_rng(seed)
        names = [_release(ctx, number) for number in range(releases)]
        reports = sum(_reports(ctx, name, installs, hours, random) for name in names)
        now = T0 + timedelta(hours=hours)
        first = _looked(ctx, names, now)
        for name in names:
            _reports(ctx, name, 1, 1, random, at=hours)
        again = _looked(ctx, names, now + timedelta(minutes=1))
        ctx.databases.dispose()
    return Ticks(releases=releases, reports=reports // releases, first_s=first / releases, again_s=again / releases)


def _looked(ctx: Context, names: list[str], now: datetime) -> float:
    began = time.process_time()
    for name in names:
        flow.tick(ctx, name, now)
    return time.process_time() - began


def _context(folder: Path) -> Context:
    env = {
        "MUSTER_DATABASE_URL": f"sqlite:///{folder}/control.db", "MUSTER_SECRET_KEY": "x" * 32,
        "MUSTER_HASH_KEY": "y" * 32, "MUSTER_BLOB_DIR": f"{folder}/blobs", "MUSTER_APP": "bench",
    }  # fmt: skip
    settings = Settings.from_env(env)
    migrations.run.upgrade(settings)
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    with databases.ingest.begin() as session:
        rows = [dict.fromkeys(CONTEXT_FIELDS) | _facts(device) for device in _devices()]
        session.execute(sa.insert(CONTEXTS), [row | {"id": row["id"]} for row in rows])
    return Context(settings=settings, clock=system_clock, databases=databases, slack=WebClient(), jira=None)


def _facts(device: DeviceContext) -> dict[str, Any]:
    told = {field: getattr(device, field) for field in CONTEXT_FIELDS}
    return told | {"id": context_id(device)}


def _devices() -> list[DeviceContext]:
    return [
        DeviceContext(platform="android", chipset=f"chip-{i % 20}", os=str(10 + i % 6), app_version=f"5.{i % 4}",
                      accelerator=("nnapi", "gpu", "cpu")[i % 3], tier=("low", "mid", "high")[i // 7 % 3],
                      device=f"phone-{i}", model_version="1.1.0")
        for i in range(KINDS)
    ]  # fmt: skip


def _release(ctx: Context, number: int) -> str:
    model = f"model-{number}"
    with ctx.databases.control.begin() as session:
        for version, mark in (("1.0.0", "a"), ("1.1.0", "b")):
            file = Artifact(sha256=f"{number:063x}{mark}", model=model, version=version, is_baseline=mark == "a",
                            size_bytes=1000)  # fmt: skip
            artifact_store.register_artifact(session, file, app="bench", by="bench", now=T0)
        release, rollout = store.create_release(session, app="bench", model=model, version="1.1.0", plan=PLAN, by="x",
                                                reason=None, now=T0)  # fmt: skip
        for act in (Submit(), Approve(), Advance(stage=0, reason="bench")):
            after = apply(rollout, act, T0)
            store.save_rollout(session, rollout, after)
            rollout = after
    return release.id


def _reports(ctx: Context, release: str, installs: int, hours: int, random: np.random.Generator, *, at: int = 0) -> int:
    """Write what phones would have reported, and its cells, as the collector does."""
    devices = _devices()
    rows: list[dict[str, Any]] = []
    cells: dict[tuple[datetime, str, str, str], int] = {}
    for hour in range(at, at + hours):
        moment = T0 + timedelta(hours=hour)
        for install in np.flatnonzero(random.random(installs) < ACTIVE):
            device, arm = devices[install % KINDS], ("baseline", "candidate")[install // KINDS % 2]
            crashed = int(random.random() < 0.005)
            rows.append({
                "app": "bench", "uuid": f"{release}-{hour}-{install}", "window_start": moment, "received_at": moment,
                "skew_s": 0, "window_s": 3600, "install": f"{release}-{install}", "context": context_id(device),
                "model": "m", "release": release, "arm": arm, "count": 10, "crashes": crashed, "timeouts": 0,
                "invalid": 0, "fell_back": False,
            })  # fmt: skip
            for metric in (INSTALL_HOURS, *([HARMS[0]] if crashed else [])):
                key = (moment, stratum(device), arm, metric)
                cells[key] = cells.get(key, 0) + 1
    with ctx.databases.ingest.begin() as session:
        if rows:
            session.execute(sa.insert(INFERENCES), rows)
        for (moment, name, arm, metric), n in cells.items():
            session.execute(sa.insert(CELLS).values(app="bench", release=release, hour=moment, stratum=name, arm=arm,
                                                    metric=metric, bucket=0, n=n, total=0, total_sq=0))  # fmt: skip
    return len(rows)
