"""The calibration inputs as Olive asks for them; loaded by Olive itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from olive.data.registry import Registry


class Rows:
    def __init__(self, folder: Path) -> None:
        self.x = np.load(folder / "calib.npz")["x"].astype(np.float32)[:512]
        self.name = onnx.load(str(folder / "model.onnx")).graph.input[0].name

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, place: int) -> tuple[dict[str, Any], int]:
        return {self.name: self.x[place]}, 0


@Registry.register_dataset()  # type: ignore[untyped-decorator]
def calibration_rows(data_dir: str, **_: Any) -> Rows:
    return Rows(Path(data_dir))
