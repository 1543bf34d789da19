"""A job's variant as an artifact: under which name it may be kept, and keeping it, with its lineage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from bot import permissions
from bot.context import Context
from core.errors import ConflictError, InvalidInputError, Problem
from core.versions import version_key
from optimize import store
from optimize.needs import format_of
from optimize.recipes import parse_recipe
from optimize.store import Job
from releases import registry
from releases.artifact_store import find_artifact, find_artifacts
from releases.artifacts import Artifact
from releases.blobs import Blobs

_SHORT: Final = {"int8-static": "int8", "int8-dynamic": "int8", "int8-weights": "int8", "int4-weights": "int4",
                 "fix-shapes": "fixed"}  # fmt: skip
RUNTIMES: Final = {"onnx": "onnxruntime", "ort": "onnxruntime", "tflite": "tflite", "mlpackage": "coreml",
                   "pte": "executorch"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    job: Job
    name: str
    is_new: bool


def offered_name(session: Session, job: Job) -> str | None:
    """Return the name under which the variant may be registered, such as kws@1.4.0+int8; None when there is none.

    What stands after the plus is a version's build (https://semver.org/#spec-item-10), named by the last step.
    """
    variant = (job.result or {}).get("variant")
    if job.state != "done" or variant is None or job.registered_as:
        return None
    taken = {
        each.version: each.sha256 for each in find_artifacts(session, app=job.wanted.app, model=job.wanted.model)
    }  # fmt: skip
    for build in (
        label(str((job.result or {})["recipe"])),
        f"{label(str((job.result or {})['recipe']))}.{job.name.lower()}",
    ):
        version = with_build(job.wanted.version, build)
        if taken.get(version, variant) == variant:
            return f"{job.wanted.model}@{version}"
    return None


def label(recipe: str) -> str:
    """int8 for "prune@0.01,int8-static": the last step says most."""
    step = parse_recipe(recipe).steps[-1].name
    return _SHORT.get(step, step)


def with_build(version: str, build: str) -> str:
    """1.4.0 and int8 give 1.4.0+int8; 1.4.0+fp16 and int8 give 1.4.0+fp16.int8."""
    return f"{version}.{build}" if "+" in version else f"{version}+{build}"


def keep(ctx: Context, ref: str, *, wanted: str | None, by: str, now: datetime, dry_run: bool) -> Kept:
    """Register a job's variant; `wanted` is a name such as kws@1.4.0+small instead of the offered one.

    Raises: NotAllowedError; NotFoundError; ConflictError: there is no variant, or the name is taken.
    """
    with ctx.databases.control.begin() as session:
        job = store.load(session, ref, app=ctx.settings.app)
        model = job.wanted.model
        permissions.require(
            session, ctx.settings.slack_admins, by, ("operator",), model=model, act=f"register what {job.name} made"
        )
        if job.registered_as:
            if wanted and f"{model}@{_version(wanted, model)}" != job.registered_as:
                raise ConflictError(
                    f"What {job.name} made is registered as {job.registered_as}; it has no second name."
                )
            return Kept(job=job, name=job.registered_as, is_new=False)
        variant = (job.result or {}).get("variant")
        if job.state != "done" or variant is None:
            raise ConflictError(f"{job.name} is {job.state} and made nothing that could be registered.")
        name = wanted or offered_name(session, job)
        version = _version(name, model) if name else None
        if version is None:
            raise ConflictError(
                f"The names for it are taken; say one: `job register {job.name} as={model}@1.4.0+small`."
            )
        if not dry_run:
            _register(session, Blobs(ctx.settings.blob_dir), job, str(variant), version, by=by, now=now)
        return Kept(job=job, name=f"{model}@{version}", is_new=True)


def _register(session: Session, blobs: Blobs, job: Job, variant: str, version: str, *, by: str, now: datetime) -> None:
    app, recipe = job.wanted.app, str((job.result or {})["recipe"])
    parent = find_artifact(session, app=app, sha256=job.wanted.parent)
    runtime = _runtime(blobs, parent, variant)
    after = ((job.result or {})["card"] or {})["after"]
    artifact = Artifact(
        sha256=variant, model=parent.model, version=version, variant=label(recipe), size_bytes=after["size_bytes"],
        runtime=runtime, min_app=parent.min_app, min_os=parent.min_os, min_ram_gb=parent.min_ram_gb,
        accelerators=parent.accelerators, made_from=parent.sha256, made_by=recipe,
    )  # fmt: skip
    registry.note_file(session, app=app, sha256=variant, size_bytes=artifact.size_bytes, by=by, now=now)
    beside = registry.companions_of(session, app=app, artifact=parent.sha256)
    companions = {role: each.sha256 for role, each in beside.items() if role != registry.SCRIPT}
    registry.register(session, artifact, app=app, by=by, now=now, companions=companions)
    store.note_registered(session, job.number, f"{parent.model}@{version}")


def _runtime(blobs: Blobs, parent: Artifact, variant: str) -> str | None:
    """Return what runs the variant: its parent's runtime, unless it was converted to another format."""
    was, now = (format_of(blobs.head(sha256)) for sha256 in (parent.sha256, variant))
    return parent.runtime if was == now else RUNTIMES[now]


def _version(name: str, model: str) -> str:
    """Raises: InvalidInputError."""
    named, at, version = name.partition("@")
    version = version if at else named
    if (at and named != model) or version_key(version) is None or len(version) > 64:
        raise InvalidInputError(Problem("as", f"must be a version of {model}, such as {model}@1.4.0+small"))
    return version
