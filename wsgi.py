"""What the web process serves: collector, offers and artifacts, Slack's requests, digest pages, health."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask

import bot.api_web
import bot.forecasting
import bot.jira_web
import bot.jobs_openapi
import bot.jobs_web
import bot.mail_web
import bot.pages_web
import bot.priorities_web
import bot.web
import feedback.bundle
import feedback.corrections_web
import feedback.fastpath
import feedback.front
import feedback.imports_web
import feedback.intake
import feedback.openapi
import feedback.openapi_imports
import feedback.poll_push
import feedback.reports_web
import feedback.web
import releases.history_web
import releases.openapi
import releases.openapi_ofrep
import releases.web
from bot.context import Context, open_context
from bot.flows import pipeline_orders
from bot.gauges import Gauges
from core import health, log, openapi
from core.bridge import Bridge
from core.http_errors import register_errors
from core.keys import KeyRing
from core.processes import stop_with_parent
from core.settings import Settings
from migrations.run import is_current


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything the web process serves, and the two ways to serve it."""

    flask: Flask
    intake: feedback.intake.Intake
    settings: Settings
    stopping: threading.Event

    def wsgi(self) -> feedback.fastpath.FastPath:
        return feedback.fastpath.FastPath(self.flask.wsgi_app, self.intake)

    def rsgi(self) -> feedback.front.Front:
        within_s = self.settings.body_within_s
        inner = Bridge(self.flask.wsgi_app, body_within_s=within_s)
        return feedback.front.Front(inner, self.intake, body_within_s=within_s, stopping=self.stopping)


def compose(ctx: Context) -> Site:
    """Compose the application around one context (a test brings its own)."""
    app = Flask("muster")
    register_errors(app)
    keys = KeyRing(ctx.databases, ctx.clock)
    parts = (ctx.databases, ctx.settings, ctx.clock, keys)
    for room in (
        feedback.web,
        feedback.poll_push,
        feedback.reports_web,
        feedback.corrections_web,
        feedback.imports_web,
    ):
        app.register_blueprint(room.blueprint(*parts))
    stopping = threading.Event()
    app.register_blueprint(releases.web.blueprint(*parts, stopping=stopping))
    foresee = partial(bot.forecasting.foresee, ctx.databases, minimum=ctx.settings.minimum_cohort)
    app.register_blueprint(releases.history_web.blueprint(*parts, foresee=foresee))
    app.register_blueprint(bot.web.blueprint(ctx))
    app.register_blueprint(bot.jira_web.blueprint(ctx.databases, ctx.settings))
    for pages in (bot.pages_web, bot.mail_web, bot.priorities_web):
        app.register_blueprint(pages.blueprint(ctx.databases, ctx.settings, ctx.clock))
    app.register_blueprint(bot.jobs_web.blueprint(*parts, take=partial(pipeline_orders.order, ctx)))
    app.register_blueprint(health.create_blueprint(ctx.databases, is_current, Gauges(ctx.databases, ctx.clock)))
    document = describe(ctx.settings)
    app.register_blueprint(openapi.blueprint(document))
    app.register_blueprint(bot.api_web.blueprint(document))
    return Site(flask=app, intake=feedback.intake.Intake(*parts), settings=ctx.settings, stopping=stopping)


def describe(settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI document of all rooms; it also names the key by which phones check the bundle of polls."""
    key = {"algorithm": "ed25519", "public": feedback.bundle.public_key(settings.secret_key)}
    feedbacks = (feedback.openapi.part(), feedback.openapi_imports.part())
    released = (releases.openapi.part(), releases.openapi_ofrep.part())
    parts = (*feedbacks, *released, bot.jobs_openapi.part(), openapi.HEALTH)
    return openapi.compose(parts, public_url=settings.public_url, bundle_key=key)


def front() -> feedback.front.Front:
    """What granian calls: the application on the environment's settings, answering in an event loop."""
    stop_with_parent()  # granian's own process, without which nobody would end this one and free its port
    return _from_env().rsgi()


def serve() -> feedback.fastpath.FastPath:
    """The same for a server of WSGI, which gives each request a thread."""
    return _from_env().wsgi()


def _from_env() -> Site:
    settings = Settings.from_env()
    log.configure(settings.log_level)
    return compose(open_context(settings))
