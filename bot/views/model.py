"""One model file in Slack: what it needs, where it comes from, and what lies beside it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.views import buttons, figures
from bot.views.blocks import Block, Message, actions, clip, context_line, escape, section
from releases.artifacts import Artifact
from releases.registry import MODEL, Companion, Inspection

Facts = Mapping[str, Any]
NAMES: Final = {"eval": "To judge by", "calib": "To calibrate by", "train_script": "Training script"}
OPS: Final = 12
LABELS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """An artifact with all that is known of it. `parent` is the name of what it was made from."""

    artifact: Artifact
    inspections: Mapping[str, Inspection]
    companions: Sequence[Companion]
    parent: str | None = None


def sheet(facts: Sheet) -> list[Block]:
    """What `model show kws@1.4.0` tells of each file of a version."""
    artifact, own = facts.artifact, facts.inspections.get(MODEL)
    lines = [f"*{escape(artifact.name)}* · {figures.size(artifact.size_bytes)} · `{artifact.sha256[:16]}`"]
    if facts.parent or artifact.made_from:
        parent = escape(facts.parent or str(artifact.made_from)[:12])
        lines.append(f"Made from {parent} by `{escape(artifact.made_by or '?')}`")
    if own is None:
        lines.append("It is still being read.")
    elif own.facts is None:
        lines.append(f"⚠️ It cannot be optimized here: it {escape(own.refused or 'was not read')}")
    else:
        lines += _needs(own.facts)
    lines += [_companion(each, facts.inspections.get(each.role)) for each in facts.companions]
    blocks = [section("\n".join(lines))]
    if own is not None and own.facts is not None:
        blocks.append(context_line(_ops(own.facts)))
    target = f"{artifact.model}@{artifact.version}"
    run = buttons.run_button("Optimize", f"model optimize {target} variant={artifact.variant} recipe=auto")
    if own is not None and own.facts and any(each.role == "eval" for each in facts.companions):
        blocks.append(actions(run))
    return blocks


def registered(artifact: Artifact, *, is_new: bool, files: Sequence[str], by: str, command: str) -> Message:
    target = f"{artifact.model}@{artifact.version}"
    what = "is registered" if is_new else "was registered before, and stays as it is"
    text = (
        f"*{escape(artifact.name)}* {what}, from {escape(', '.join(files))}, by <@{by}>. It is being read now: "
        f"`{command} model show {escape(target)}` tells what it needs."
    )
    return Message(text=text, blocks=(section(text),), in_channel=True)


def _needs(needs: Facts) -> list[str]:
    runtime = f"{needs.get('runtime', 'onnx')}, opset {needs.get('opset', '?')}"
    made = f", {figures.count(int(needs.get('parameters') or 0))} parameters"
    lines = [f"Needs {escape(runtime)}{made}; made by {escape(str(needs.get('producer') or 'nobody said'))}"]
    for which in ("inputs", "outputs"):
        ports = [
            f"`{escape(str(port['name']))}` {escape(str(port['dtype']))} {_shape(port['shape'])}"
            for port in needs.get(which) or []
        ]
        word = "Takes" if which == "inputs" else "Gives"
        layout = f" ({escape(str(needs.get('layout')))})" if which == "inputs" else ""
        lines.append(f"{word} {', '.join(ports)}{layout}")
    if labels := needs.get("labels"):
        more = f" and {len(labels) - LABELS} more" if len(labels) > LABELS else ""
        lines.append(f"Labels: {escape(', '.join(str(one) for one in labels[:LABELS]))}{more}")
    if hints := needs.get("hints"):
        lines.append("The app sets " + ", ".join(f"`{escape(k)}={escape(v)}`" for k, v in hints.items()))
    return lines


def _companion(companion: Companion, found: Inspection | None) -> str:
    name = NAMES.get(companion.role, companion.role)
    if found is None:
        return f"{name}: {figures.size(companion.size_bytes)}, still being read"
    if found.facts is None:
        return f"⚠️ {name}: it {escape(found.refused or 'was not read')}"
    if "rows" not in found.facts:
        return f"{name}: {found.facts.get('lines')} lines"
    told = found.facts
    classes = f"labels of {len(told['classes'])} classes" if told.get("classes") else "no labels"
    return (
        f"{name}: {figures.count(int(told['rows']))} inputs of {_shape(told['shape'])} {escape(str(told['dtype']))}, "
        f"values {figures.plain(told['low'])} to {figures.plain(told['high'])}, {classes}"
    )


def _ops(needs: Facts) -> str:
    ops = needs.get("ops") or {}
    named = [f"{name} ×{count}" for name, count in list(ops.items())[:OPS]]
    more = f", and {int(needs.get('kinds_of_ops', 0)) - OPS} more kinds" if len(ops) > OPS else ""
    return clip(f"Operators: {escape(', '.join(named))}{more}", 1000)


def _shape(shape: Sequence[Any]) -> str:
    return escape("×".join(str(size) for size in shape))
