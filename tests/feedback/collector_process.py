"""The collector as its own process, for the test that kills it: what granian calls, on the environment's settings.

It folds as well, which is the worker's work, so that it is killed between and within both.
"""

from __future__ import annotations

from flask import Flask

import feedback.web
from core.bridge import Bridge
from core.clock import system_clock
from core.db import open_databases
from core.http_errors import register_errors
from core.keys import KeyRing
from core.settings import Settings
from feedback.fold import Folding
from feedback.front import Front
from feedback.intake import Intake


def front() -> Front:
    settings = Settings.from_env()
    databases = open_databases(settings.database_url, settings.ingest_database_url)
    keys = KeyRing(databases, system_clock)
    Folding(databases.ingest, pause_s=0.01).start()
    flask = Flask(__name__)
    register_errors(flask)
    flask.register_blueprint(feedback.web.blueprint(databases, settings, system_clock, keys))
    intake = Intake(databases, settings, system_clock, keys)
    within_s = settings.body_within_s
    return Front(Bridge(flask.wsgi_app, body_within_s=within_s), intake, body_within_s=within_s)
