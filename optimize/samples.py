"""Samples: the inputs `x` and labels `y` of an npz file, read without ever unpickling. Pure."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInputError, Problem

Array = npt.NDArray[Any]
LARGEST_BYTES: Final = 1_000_000_000
FEWEST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """`x`: one row for each input of the model; `y`: its class as a whole number, or none at all."""

    x: Array
    y: npt.NDArray[np.int64] | None
    sha256: str

    def __len__(self) -> int:
        return len(self.x)

    @property
    def range(self) -> tuple[float, float]:
        return float(self.x.min()), float(self.x.max())

    def part(self, rows: npt.NDArray[np.int64]) -> Samples:
        return Samples(x=self.x[rows], y=None if self.y is None else self.y[rows], sha256=self.sha256)

    def parts(self) -> tuple[Samples, Samples]:
        """Return a quarter to select by and the rest to confirm by, disjoint, each class split evenly; the same file
        gives the same parts."""
        select, confirm = self.parts_places()
        return self.part(select), self.part(confirm)

    def parts_places(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the rows of both parts, in order."""
        order = np.random.default_rng(int(self.sha256[:8], 16)).permutation(len(self))
        if self.y is not None:
            order = order[np.argsort(self.y[order], kind="stable")]
        selects = np.arange(len(order)) % 4 == 0
        return np.sort(order[selects]), np.sort(order[~selects])


def read_samples(content: bytes, *, name: str = "eval", largest_bytes: int = LARGEST_BYTES) -> Samples:
    """Read `x` and, when there, `y`.

    Raises: InvalidInputError: with the one sentence for which the file is refused.
    """
    try:
        arrays = _arrays(content, largest_bytes)
        return _checked(arrays, hashlib.sha256(content).hexdigest())
    except _RefusedError as refused:
        raise InvalidInputError(Problem(name, str(refused))) from refused


class _RefusedError(Exception):
    pass


def _arrays(content: bytes, largest_bytes: int) -> Mapping[str, Array]:
    if not content:
        raise _RefusedError("is empty (0 bytes)")
    if content[:1] == b"\x80":
        raise _RefusedError("is a Python pickle, which can run code when opened; save it with numpy.savez")
    if content[:4] != b"PK\x03\x04":
        raise _RefusedError("is no .npz file; save it with numpy.savez_compressed(path, x=…, y=…)")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > 16 or sum(member.file_size for member in members) > largest_bytes:
                raise _RefusedError(f"unpacks to more than {largest_bytes / 1e6:.0f} MB or 16 arrays")
            names = {member.filename.removesuffix(".npy"): member for member in members}
            return {key: _array(archive, names[key], largest_bytes) for key in ("x", "y") if key in names}
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, SyntaxError) as error:
        raise _RefusedError("is a damaged .npz file") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, largest_bytes: int) -> Array:
    """Read one array, never more than it says in the archive's directory.

    The header of a .npy claims a shape for which NumPy would allocate; it is held against the bytes that are there.
    """
    with archive.open(member) as stream:
        raw = stream.read(largest_bytes + 1)
    if len(raw) != member.file_size:
        raise _RefusedError("is a damaged .npz file")
    try:
        file = io.BytesIO(raw)
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if dtype.hasobject:
            raise _RefusedError("holds pickled objects, which can run code when opened; save plain arrays")
        if math.prod(shape) * dtype.itemsize != len(raw) - file.tell():
            raise _RefusedError("declares an array of another size than it brings")
        return np.asarray(np.load(io.BytesIO(raw), allow_pickle=False))
    except ValueError as error:
        raise _RefusedError("is a damaged .npz file") from error


def _checked(arrays: Mapping[str, Array], sha256: str) -> Samples:
    if "x" not in arrays:
        raise _RefusedError("holds no array x (the inputs)")
    x = arrays["x"]
    if x.dtype.kind not in "fiub" or x.ndim < 2:
        raise _RefusedError("holds an x that is not rows of numbers")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise _RefusedError("holds inputs that are not finite numbers (NaN)")
    if len(x) < FEWEST:
        raise _RefusedError(f"holds {len(x)} inputs; at least {FEWEST} are needed")
    if "y" not in arrays:
        return Samples(x=x, y=None, sha256=sha256)
    y = arrays["y"]
    if y.shape != (len(x),):
        raise _RefusedError(f"holds {len(x)} inputs and labels of shape {y.shape}; one label for each input")
    if y.dtype.kind not in "iub" and not (y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.round(y)).all()):
        raise _RefusedError("holds labels that are not whole numbers")
    y = y.astype(np.int64)
    if y.min() < 0:
        raise _RefusedError(f"holds the label {y.min()}; labels count from 0")
    return Samples(x=x, y=y, sha256=sha256)


def check_fits(samples: Samples, shape: tuple[int | str, ...], classes: int | None) -> tuple[Problem, ...]:
    """Return why the samples do not fit the model's first input and the number of its classes."""
    problems: list[Problem] = []
    wanted, have = shape[1:], samples.x.shape[1:]
    if len(wanted) != len(have) or any(isinstance(w, int) and w != h for w, h in zip(wanted, have, strict=False)):
        expected = "×".join(str(size) for size in wanted)
        problems.append(Problem("x", f"has rows of {'×'.join(map(str, have))}; the model takes {expected}"))
    if classes is not None and samples.y is not None and int(samples.y.max()) >= classes:
        problems.append(Problem("y", f"holds the label {samples.y.max()}; the model knows 0 to {classes - 1}"))
    return tuple(problems)
