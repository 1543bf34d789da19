"""What a zipped .mlpackage needs of the app that runs it; hostile ones are refused in one sentence. Pure.

The package is a folder: Manifest.json names the specification (a protobuf) beside which the weights lie.
https://github.com/apple/coremltools/blob/main/mlmodel/format/Model.proto
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from optimize.needs import Needs, Port
from optimize.protobuf import BYTES, WireError, fields, integers, text
from optimize.tensors import RefusedError

MOST_MEMBERS: Final = 64
LARGEST_BYTES: Final = 1_000_000_000
MANIFEST: Final = "Manifest.json"
_MOST_OPERATORS: Final = 50_000
_LINK: Final = 0o120000
_PROGRAM: Final = 502  # Model.mlProgram; other kinds hold their weights in the specification
# ArrayFeatureType.ArrayDataType
_DTYPES: Final = {65568: "float32", 65600: "float64", 65552: "float16", 131104: "int32", 131080: "int8"}


def read(content: bytes) -> Needs:
    """Read what the package needs.

    Raises: RefusedError: with the one sentence for which the file is refused.
    """
    files = unpacked(content)
    specification = files[_specification(files)]
    try:
        version, ports, ops = _model(memoryview(specification))
    except WireError as error:
        raise RefusedError(f"is a damaged .mlpackage ({error})") from error
    if not ops:
        raise RefusedError("has no operators")
    if not ports[0] or not ports[1]:
        raise RefusedError("has no input or no output")
    weights = sum(len(value) for name, value in files.items() if PurePosixPath(name).suffix == ".bin")
    return Needs(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        ir_version=version,
        producer="",
        opsets={},
        ops=dict(sorted(ops.items())),
        inputs=ports[0],
        outputs=ports[1],
        parameters=0,
        weight_bytes=weights,
        weight_dtypes={},
        hints={},
        labels=(),
        runtime="mlpackage",
    )


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the package's files by their path inside it, which never leads out of it.

    Raises: RefusedError: it is no .mlpackage, damaged, or unpacks to more than is allowed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_members(members)
            root = _root([member.filename for member in members])
            return {member.filename[len(root) :]: _member(archive, member) for member in members}
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise RefusedError("is a damaged zip archive") from error


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of the package; equal files give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.external_attr = 0o644 << 16
            archive.writestr(member, files[name], compress_type=zipfile.ZIP_STORED)
    return out.getvalue()


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > LARGEST_BYTES:
        raise RefusedError(f"unpacks to more than {LARGEST_BYTES / 1e6:.0f} MB or {MOST_MEMBERS} files")
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or "\0" in member.filename:
            raise RefusedError("holds a path that leads out of the archive")
        if member.external_attr >> 16 & 0o170000 == _LINK:
            raise RefusedError("holds a link; send plain files")
    if any(path.filename.endswith((".pkl", ".pickle")) for path in members):
        raise RefusedError("is a zip archive with a pickle (a PyTorch checkpoint), which can run code when opened")
    if len({member.filename for member in members}) != len(members):
        raise RefusedError("holds two files of the same name")


def _root(names: list[str]) -> str:
    """Return the folder in which the manifest lies, "" for the top."""
    found = [name for name in names if PurePosixPath(name).name == MANIFEST and name.count("/") <= 1]
    if len(found) != 1:
        raise RefusedError("is a zip archive, but no .mlpackage; export the model to ONNX")
    root = found[0].removesuffix(MANIFEST)
    if not all(name.startswith(root) for name in names):
        raise RefusedError("holds files beside the .mlpackage")
    return root


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as stream:
        raw = stream.read(member.file_size + 1)
    if len(raw) != member.file_size:
        raise RefusedError("is a damaged zip archive")
    return raw


def _specification(files: Mapping[str, bytes]) -> str:
    """Return the path of the root model that the manifest names."""
    try:
        manifest: Any = json.loads(files[MANIFEST])
        path = f"Data/{manifest['itemInfoEntries'][manifest['rootModelIdentifier']]['path']}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RefusedError("is an .mlpackage whose manifest names no model") from error
    if path not in files:
        raise RefusedError("is an .mlpackage whose model is not in it")
    return path


def _model(message: memoryview) -> tuple[int, tuple[tuple[Port, ...], tuple[Port, ...]], Counter[str]]:
    version, ops = 0, Counter[str]()
    sides: tuple[list[Port], list[Port]] = ([], [])
    for number, wire_type, value, inner in fields(message):
        if number == 1 and wire_type != BYTES:
            version = value
        elif number == 2:
            for side, _, _, feature in fields(inner):
                if side in (1, 10):
                    sides[side == 10].append(_port(feature))
        elif number == _PROGRAM:
            _count(inner, ops, (2, 2, 3, 2), 0)
        elif number in (555, 556):
            raise RefusedError("uses a custom model class of an app (Core ML), which can run code")
    return version, (tuple(sides[0]), tuple(sides[1])), ops


def _count(message: memoryview, ops: Counter[str], path: tuple[int, ...], depth: int) -> None:
    """Count operations: program → functions → function → block specializations → block → operations."""
    if depth == len(path):
        for number, wire_type, _, operation in fields(message):
            if number == 3 and wire_type == BYTES:
                ops.update([_kind(operation)])
                if sum(ops.values()) > _MOST_OPERATORS:
                    raise RefusedError(f"has more than {_MOST_OPERATORS:,} operators")
        return
    for number, wire_type, _, inner in fields(message):
        if number == path[depth] and wire_type == BYTES:
            _count(inner, ops, path, depth + 1)


def _kind(operation: memoryview) -> str:
    kind = next((text(inner, 60) for number, wire, _, inner in fields(operation) if (number, wire) == (1, BYTES)), "")
    if kind.startswith("custom"):
        raise RefusedError(f"uses the custom operator {kind!r}, which phones do not have")
    return kind


def _port(feature: memoryview) -> Port:
    name, dtype, shape = "", "other", tuple[int | str, ...]()
    for number, _, _, inner in fields(feature):
        if number == 1:
            name = text(inner)
        elif number == 3:
            for kind, _, _, array in fields(inner):
                if kind == 5:
                    dtype, shape = _array(array)
    return Port(name=name, dtype=dtype, shape=shape)


def _array(array: memoryview) -> tuple[str, tuple[int | str, ...]]:
    dtype, shape = "other", list[int | str]()
    for number, wire_type, value, inner in fields(array):
        if number == 1:
            shape += integers(wire_type, value, inner)
        elif number == 2:
            dtype = _DTYPES.get(value, "other")
    return dtype, tuple(shape)


def with_steady_names(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files with the manifest's random item ids replaced by ids made from what they stand for."""
    manifest = json.loads(files[MANIFEST])
    entries = manifest["itemInfoEntries"]
    steady = {old: hashlib.sha256(entry["path"].encode()).hexdigest()[:32].upper() for old, entry in entries.items()}
    manifest["itemInfoEntries"] = {steady[old]: entries[old] for old in sorted(entries, key=steady.__getitem__)}
    manifest["rootModelIdentifier"] = steady[manifest["rootModelIdentifier"]]
    return {**files, MANIFEST: json.dumps(manifest, indent=2, sort_keys=True).encode()}
