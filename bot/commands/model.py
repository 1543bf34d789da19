"""`model list | show kws[@1.4.0] | compare kws@1.3.2 kws@1.4.0`: models and their artifacts."""

from __future__ import annotations

from collections.abc import Sequence

from bot.context import Context
from bot.request import Request
from bot.views import status as views
from bot.views.blocks import Message
from core.db import reading
from core.errors import InvalidInputError, NotFoundError, Problem
from core.segments import suggestion
from releases.artifact_store import current_baselines, find_artifacts
from releases.artifacts import Artifact


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "show":
            return _show(ctx, request)
        case "compare":
            return _compare(ctx, request)
        case _:
            return _list(ctx, request)


def _list(ctx: Context, request: Request) -> Message:
    request.only()
    with reading(ctx.databases.control) as session:
        artifacts = find_artifacts(session, app=ctx.settings.app)
        offered = {}
        for name in {artifact.model for artifact in artifacts}:
            if baselines := current_baselines(session, app=ctx.settings.app, model=name):
                offered[name] = baselines[0].version
    return views.models(artifacts, offered, ctx.settings.slack_command)


def _show(ctx: Context, request: Request) -> Message:
    request.only()
    name, _, version = request.needed_target(f"{ctx.settings.slack_command} model show kws").partition("@")
    artifacts, offered = artifacts_of(ctx, name)
    if version:
        artifacts = _of_version(artifacts, name, version)
    return views.model(name, artifacts, offered)


def _compare(ctx: Context, request: Request) -> Message:
    request.only(words=1)
    example = f"{ctx.settings.slack_command} model compare kws@1.3.2 kws@1.4.0"
    wanted = [request.needed_target(example), *request.words]
    named = [each.partition("@")[::2] for each in wanted]
    if len(wanted) != 2 or not all(version for _, version in named) or named[0][0] != named[1][0]:
        raise InvalidInputError(Problem("", f"needs two versions of one model; for example: `{example}`"))
    name = named[0][0]
    artifacts, _ = artifacts_of(ctx, name)
    before, after = (_of_version(artifacts, name, version) for _, version in named)
    return views.compared(name, before, after)


def artifacts_of(ctx: Context, name: str) -> tuple[tuple[Artifact, ...], str | None]:
    """Return a model's artifacts and the version that phones run. Raises: NotFoundError: there is no such model."""
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        artifacts = find_artifacts(session, app=app, model=name)
        if not artifacts:
            known = sorted({artifact.model for artifact in find_artifacts(session, app=app)})
            raise NotFoundError(f"There is no model {name}{suggestion(name, known) or '.'}")
        baselines = current_baselines(session, app=app, model=name)
    return artifacts, baselines[0].version if baselines else None


def _of_version(artifacts: Sequence[Artifact], name: str, version: str) -> tuple[Artifact, ...]:
    found = tuple(artifact for artifact in artifacts if artifact.version == version)
    if not found:
        known = sorted({artifact.version for artifact in artifacts})
        raise NotFoundError(f"{name} has no version {version}; there are {', '.join(known[:20])}.")
    return found
