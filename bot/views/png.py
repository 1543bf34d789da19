"""Small pictures for where no SVG is shown (mail, Confluence): a score with its interval, drawn as PNG. Pure."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.views.charts import Axis

Color = tuple[int, int, int]
Pixels = npt.NDArray[np.float64]

WIDTH: Final = 360
HEIGHT: Final = 28
FINER: Final = 4  # drawn so much larger, then averaged, so that edges are smooth
PAPER: Final[Color] = (255, 255, 255)
TRACK: Final[Color] = (226, 224, 216)
BEFORE: Final[Color] = (91, 100, 114)
TONES: Final[dict[str, Color]] = {"": (47, 91, 183), "good": (29, 122, 76), "bad": (179, 38, 30)}


def interval(
    axis: Axis, *, value: float, low: float, high: float, tone: str = "", before: float | None = None
) -> bytes:
    """Draw what charts.interval draws; `tone` is good, bad or nothing."""
    sheet = np.full((HEIGHT * FINER, WIDTH * FINER, 3), PAPER, dtype=np.float64)
    middle, color = HEIGHT * FINER / 2, TONES[tone]
    _bar(sheet, _x(axis, axis.low), _x(axis, axis.high), middle, 1.0, TRACK)
    if before is not None:
        x = _x(axis, before)
        sheet[round(middle * 0.3) : round(middle * 1.7), round(x - FINER) : round(x + FINER)] = BEFORE
    _bar(sheet, _x(axis, low), _x(axis, high), middle, 2.5, color)
    _dot(sheet, _x(axis, value), middle, 6.0, color)
    return encode(sheet.reshape(HEIGHT, FINER, WIDTH, FINER, 3).mean(axis=(1, 3)))


def encode(pixels: Pixels) -> bytes:
    """Return rows × columns × RGB (0 to 255) as a PNG file. https://www.w3.org/TR/png-3/"""
    rows, columns, _ = pixels.shape
    lines = np.clip(np.rint(pixels), 0, 255).astype(np.uint8).reshape(rows, columns * 3)
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    parts = (_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(raw, 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _x(axis: Axis, value: float) -> float:
    return axis.at(value) / 100 * WIDTH * FINER


def _bar(sheet: Pixels, start: float, end: float, middle: float, half: float, color: Color) -> None:
    top, bottom = round(middle - half * FINER), round(middle + half * FINER)
    sheet[top:bottom, round(start) : max(round(end), round(start) + FINER)] = color


def _dot(sheet: Pixels, x: float, y: float, radius: float, color: Color) -> None:
    rows, columns = np.ogrid[: sheet.shape[0], : sheet.shape[1]]
    sheet[(columns - x) ** 2 + (rows - y) ** 2 <= (radius * FINER) ** 2] = color


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
