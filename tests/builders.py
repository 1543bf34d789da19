"""Valid things for tests, each saying only what matters; `at(24)` is a day after Monday 09:00 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.settings import Settings

T0 = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)  # a Monday


def at(hours: float) -> datetime:
    """Return the moment so many hours after T0."""
    return T0 + timedelta(hours=hours)


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = T0) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def some_settings(folder: Path, **changes: Any) -> Settings:
    """Return settings for databases in a folder; nothing points outside this machine."""
    values: dict[str, Any] = {
        "secret_key": b"a secret key for tests only",
        "hash_key": b"a hash key for tests only",
        "database_url": f"sqlite:///{folder}/control.db",
        "blob_dir": folder / "blobs",
        "public_url": "http://muster.test",
        "app": "demo",
        "slack_bot_token": "xoxb-test",
        "slack_signing_secret": "test signing secret",
        "slack_api_url": "http://127.0.0.1:9/api/",
        "slack_channel": "C0RELEASES",
        "slack_bot_user": "U0MUSTER",
        "slack_admins": ("U0TOM",),
    }
    return Settings(**(values | changes))
