"""The collector as its own process, for the test that kills it: what granian calls, on the environment's settings.

It folds as well, which is the worker's work, so that it is killed between and within both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

import feedback.web
from core.clock import system_clock
from core.db import open_databases
from core.http_errors import register_errors
from core.keys import KeyRing
from core.settings import Settings
from feedback.fastpath import FastPath
from feedback.fold import Folding

BODIES_AT_ONCE = 12  # of 16 threads


def serve() -> Callable[..., Any]:
    settings = Settings.from_env()
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    keys = KeyRing(databases, system_clock)
    Folding(databases.ingest, pause_s=0.01).start()
    flask = Flask(__name__)
    register_errors(flask)
    flask.register_blueprint(feedback.web.blueprint(databases, settings, system_clock, keys))
    return FastPath(flask.wsgi_app, databases, settings, system_clock, keys, bodies_at_once=BODIES_AT_ONCE)
