"""`model list | show kws[@1.4.0] | compare kws@1.3.2 kws@1.4.0 | register kws 1.4.0 | optimize kws@1.4.0 …`: models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.context import Context
from bot.flows import orders, registering
from bot.heard import FILES
from bot.request import Request
from bot.views import job as job_views
from bot.views import model as model_views
from bot.views import status as views
from bot.views.blocks import Message
from core.db import reading
from core.errors import InvalidInputError, NotFoundError, Problem
from core.segments import suggestion
from releases import registry
from releases.artifact_store import current_baselines, find_artifacts
from releases.artifacts import Artifact


def run(ctx: Context, request: Request) -> Message:
    match request.verb:
        case "show":
            return _show(ctx, request)
        case "compare":
            return _compare(ctx, request)
        case "optimize":
            return _optimize(ctx, request)
        case "register":
            return _register(ctx, request)
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
    shown = views.model(name, artifacts, offered)
    if not version:
        return shown
    sheets = [block for each in artifacts for block in model_views.sheet(_sheet(ctx, each))]
    return replace(shown, blocks=(*shown.blocks[:-1], *sheets, shown.blocks[-1]))


def _sheet(ctx: Context, artifact: Artifact) -> model_views.Sheet:
    app = ctx.settings.app
    with reading(ctx.databases.control) as session:
        known = {each.sha256: each for each in find_artifacts(session, app=app, model=artifact.model)}
        parent = known.get(artifact.made_from or "")
        return model_views.Sheet(
            artifact=artifact,
            inspections=registry.inspections_of(session, app=app, artifact=artifact.sha256),
            companions=tuple(registry.companions_of(session, app=app, artifact=artifact.sha256).values()),
            parent=parent.name if parent else None,
        )


def _register(ctx: Context, request: Request) -> Message:
    request.only(*registering.OPTIONS, flags=("unread",), words=1)
    command = ctx.settings.slack_command
    told = {"model": request.needed_target(f"{command} model register kws 1.4.0"), **request.options}
    told |= {"version": request.words[0]} if request.words else {}
    attached = (request.form or {}).get(FILES, "")
    ids = tuple(each for each in attached.split(",") if each)
    by = request.person.id
    unread = "unread" in request.flags
    made = registering.register(ctx, told, ids, by=by, now=ctx.clock(), unread=unread, dry_run=request.is_dry_run)
    names = [each.name for each in made.files]
    if made.artifact is None:
        return Message(text=f"{told['model']}@{told['version']} would be registered from {', '.join(names)}.")
    return model_views.registered(made.artifact, is_new=made.is_new, files=names, by=by, command=command)


def _optimize(ctx: Context, request: Request) -> Message:
    request.only(*orders.OPTIONS)
    target = request.needed_target(f"{ctx.settings.slack_command} model optimize kws@1.4.0 recipe=auto")
    made = orders.optimize(ctx, _asked(request, target), now=ctx.clock(), dry_run=request.is_dry_run)
    if made.job is None:
        return job_views.rehearsed(made.wanted, rows=made.rows, waiting=made.waiting)
    return job_views.ordered(made.job, is_new=made.is_new, waiting=made.waiting)


def _asked(request: Request, target: str) -> orders.Asked:
    return orders.Asked(
        target=target,
        options=request.options,
        by=request.person.id,
        delivery=request.delivery,
        channel=request.channel or None,
        thread=request.thread,
    )


def _compare(ctx: Context, request: Request) -> Message:
    request.only(flags=("measure",), words=1)
    example = f"{ctx.settings.slack_command} model compare kws@1.3.2 kws@1.4.0"
    wanted = [request.needed_target(example), *request.words]
    named = [each.partition("@")[::2] for each in wanted]
    if len(wanted) != 2 or not all(version for _, version in named) or named[0][0] != named[1][0]:
        raise InvalidInputError(Problem("", f"needs two versions of one model; for example: `{example}`"))
    name = named[0][0]
    artifacts, _ = artifacts_of(ctx, name)
    before, after = (_of_version(artifacts, name, version) for _, version in named)
    shown = views.compared(name, before, after)
    with reading(ctx.databases.control) as session:
        found = orders.pair(session, ctx.settings.app, wanted[0], wanted[1])
    if found is not None and "measure" in request.flags and found.known is None and not request.is_dry_run:
        made = orders.compare(ctx, found, _asked(request, wanted[0]), now=ctx.clock())
        assert made.job is not None
        return job_views.ordered(made.job, is_new=made.is_new, waiting=made.waiting)
    known = found.known if found is not None else None
    return job_views.measured(shown, known, f"model compare {' '.join(wanted)} --measure" if found else None)


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
