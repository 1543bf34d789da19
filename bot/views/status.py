"""What is going on; who somebody is to us; who did what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.overview import Overview
from bot.store import Grant
from bot.views import figures
from bot.views.blocks import Block, Message, actions, clip, context_line, escape, section, table
from bot.views.buttons import run_button
from core.audit import Entry
from feedback.store import StoredPoll
from releases.artifacts import Artifact
from releases.plan import Release
from releases.states import Rollout

SHOWN = 10
LINE = 200
UNTOLD = frozenset({"release", "plan", "revision"})
"""Facts of an audit entry that say nothing to a person: ids and hashes that its subject stands for."""


def status(facts: Overview, command: str, *, age: str | None = None, stale: Sequence[str] = ()) -> Message:
    """`age` tells how old a model and its data are, `stale` why that is too old."""
    releases = _count(len(facts.releases), "release is open", "releases are open")
    polls = _count(len(facts.polls), "poll runs", "polls run")
    text = f"{releases}, {polls}." + (f" The model is stale: {escape('; '.join(stale))}." if stale else "")
    blocks = [section(text), *release_lines(facts), *poll_lines(facts, command)]
    if age is not None:
        blocks.append(context_line(escape(age)))
    return Message(text=text, blocks=tuple(blocks))


def whoami(facts: Overview) -> Message:
    text = f"You are <@{facts.person}> (`{escape(facts.person)}`). {may(facts)}"
    return Message(text=text, blocks=(section(text),))


def may(facts: Overview) -> str:
    """One sentence about somebody's rights."""
    held = ["admin of everything (by setting)"] if facts.is_first_admin else []
    held += [f"{grant.role} of {_model(grant)}" for grant in facts.grants]
    if not held:
        return "You have no role: you may read everything and propose releases, and change nothing else."
    return f"You are {', '.join(held)}."


def roles(grants: Sequence[Grant], admins: Sequence[str]) -> Message:
    rows = [f"<@{admin}> admin of everything (by setting)" for admin in admins]
    rows += [
        f"<@{grant.person}> {grant.role} of {_model(grant)} (by <@{grant.granted_by}>, {figures.day(grant.granted_at)})"
        for grant in grants
    ]
    if not rows:
        text = "Nobody has a role yet: MUSTER_SLACK_ADMINS names the first admin."
        return Message(text=text, blocks=(section(text),))
    text = _count(len(rows), "role is given", "roles are given") + "."
    return Message(text=text, blocks=(section(text), section("\n".join(rows))))


def audit(entries: Sequence[Entry], subject: str | None, names: Mapping[str, str]) -> Message:
    """`names` are the short names of what the entries are about, by id."""
    about = f" about {escape(subject)}" if subject else ""
    if not entries:
        text = f"Nobody changed anything{about} yet."
        return Message(text=text, blocks=(section(text),))
    text = f"The last {len(entries)} changes{about}, the newest first."
    rows = [
        [
            figures.moment(entry.at),
            _who(entry.who),
            entry.what,
            names.get(entry.subject, entry.subject),
            clip(_facts(entry.facts), 300),
        ]
        for entry in entries
    ]
    shown = table(["when", "who", "what", "of what", "facts"], rows, caption=f"Changes{about}")
    return Message(text=text, blocks=(section(text), shown))


def models(artifacts: Sequence[Artifact], offered: Mapping[str, str], command: str) -> Message:
    """`offered` maps a model to the version that phones run when no release is live."""
    names = sorted({artifact.model for artifact in artifacts})
    if not names:
        text = "No model is registered yet: `muster model register NAME VERSION PATH` uploads one."
        return Message(text=text, blocks=(section(text),))
    lines = []
    for name in names:
        versions = list(dict.fromkeys(artifact.version for artifact in artifacts if artifact.model == name))
        lines.append(f"*{escape(name)}* {escape(', '.join(versions[-SHOWN:]))} · phones run {_offered(offered, name)}")
    text = _count(len(names), "model", "models") + "."
    tail = context_line(f"`{command} model show {escape(names[0])}` tells more.")
    return Message(text=text, blocks=(section(text), section("\n".join(lines)), tail))


def model(name: str, artifacts: Sequence[Artifact], offered: str | None) -> Message:
    text = f"*{escape(name)}*: {_count(len(artifacts), 'artifact', 'artifacts')}, phones run {escape(offered or '?')}."
    if offered is None:
        text = f"*{escape(name)}*: {_count(len(artifacts), 'artifact', 'artifacts')}; phones run what the app brings."
    rows = [
        [
            artifact.version,
            artifact.variant,
            artifact.runtime or "any",
            _size(artifact.size_bytes),
            artifact.sha256[:12],
            _limits(artifact),
        ]
        for artifact in reversed(artifacts)
    ]
    shown = table(["version", "variant", "runtime", "size", "sha256", "limits"], rows, caption=f"Artifacts of {name}")
    buttons = actions(
        run_button("Feedback", f"feedback {name}"),
        run_button("By version", f"feedback compare {name}", mark="versions"),
    )
    return Message(text=text, blocks=(section(text), shown, buttons))


def release_lines(facts: Overview) -> list[Block]:
    lines = [_release(release, rollout) for release, rollout in facts.releases[:SHOWN]]
    if len(facts.releases) > SHOWN:
        lines.append(f"and {len(facts.releases) - SHOWN} more")
    return [section("\n".join(lines))] if lines else []


def _release(release: Release, rollout: Rollout) -> str:
    stage = release.plan.stages[min(rollout.stage, len(release.plan.stages) - 1)]
    state = rollout.state.value.replace("_", " ")
    reason = f" – {escape(clip(rollout.reason, LINE))}" if rollout.reason else ""
    return (
        f"*{release.name}* {escape(release.model)} {escape(release.baseline_version)} → "
        f"{escape(release.candidate_version)}: {state}, {stage.percent:g} %{reason}"
    )


def poll_lines(facts: Overview, command: str) -> list[Block]:
    lines = [_poll(poll, command) for poll in facts.polls[:SHOWN]]
    if len(facts.polls) > SHOWN:
        lines.append(f"and {len(facts.polls) - SHOWN} more")
    return [section("\n".join(lines))] if lines else []


def _poll(poll: StoredPoll, command: str) -> str:
    return f"*{poll.ref}* {escape(poll.poll.name)} ({escape(poll.model)}) – `{command} feedback {escape(poll.model)}`"


def _model(grant: Grant) -> str:
    return "every model" if grant.model == "*" else escape(grant.model)


def _who(who: str) -> str:
    """A table shows plain text, so a person reads as their id."""
    if who == "muster":
        return "Muster"
    return clip(who, 16) if who.startswith("key_") else f"@{who}"


def _facts(facts: Mapping[str, object]) -> str:
    told = {key: value for key, value in facts.items() if key not in UNTOLD and value not in (None, "", [], {})}
    return ", ".join(f"{key}={_fact(value)}" for key, value in told.items())


def _fact(value: object) -> str:
    match value:
        case Mapping():
            return " ".join(f"{key}={_fact(each)}" for key, each in value.items())
        case list() | tuple():
            return "; ".join(_fact(each) for each in value)
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)


def _offered(offered: Mapping[str, str], name: str) -> str:
    return f"*{escape(offered[name])}*" if name in offered else "what the app brings"


def _limits(artifact: Artifact) -> str:
    parts = [
        f"app ≥ {artifact.min_app}" if artifact.min_app else "",
        f"OS ≥ {artifact.min_os}" if artifact.min_os else "",
        f"RAM ≥ {artifact.min_ram_gb:g} GB" if artifact.min_ram_gb else "",
        "/".join(artifact.accelerators),
        "QUARANTINED" if artifact.quarantined else "",
    ]
    return ", ".join(part for part in parts if part) or "none"


def _count(number: int, one: str, many: str) -> str:
    return f"{figures.count(number)} {one if number == 1 else many}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def compared(name: str, before: Sequence[Artifact], after: Sequence[Artifact]) -> Message:
    """Two versions side by side, variant by variant; where each has one file, those two, however they are called."""
    versions = (before[0].version, after[0].version)
    text = f"*{escape(name)}*: {escape(versions[0])} against {escape(versions[1])}."
    olds = {artifact.variant: artifact for artifact in before}
    news = {artifact.variant: artifact for artifact in after}
    rows = [_sizes(variant, olds.get(variant), news.get(variant)) for variant in {**olds, **news}]
    if len(before) == len(after) == 1 and olds.keys() != news.keys():
        rows = [_sizes(f"{before[0].variant} → {after[0].variant}", before[0], after[0])]
    shown = table(["variant", f"size {versions[0]}", f"size {versions[1]}", "change"], rows, caption=f"Sizes of {name}")
    buttons = actions(run_button("What people say", f"feedback compare {name}"))
    return Message(text=text, blocks=(section(text), shown, buttons))


def _sizes(variant: str, old: Artifact | None, new: Artifact | None) -> list[str]:
    change = "–"
    if old is not None and new is not None and old.size_bytes:
        change = figures.ratio((new.size_bytes - old.size_bytes) / old.size_bytes)
    return [variant, *("–" if one is None else _size(one.size_bytes) for one in (old, new)), change]
