"""NNCF's quantization with accuracy control, at most one point lost. Runs in NNCF's own environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime


def main(folder: Path) -> None:
    import nncf

    model = onnx.load(str(folder / "model.onnx"))
    name = model.graph.input[0].name
    rows = np.load(folder / "calib.npz")["x"].astype(np.float32)
    select = np.load(folder / "select.npz")
    judged = [(x[None].astype(np.float32), int(y)) for x, y in zip(select["x"], select["y"], strict=True)]

    def accuracy(candidate: Any, data: Any) -> tuple[float, None]:
        session = onnxruntime.InferenceSession(candidate.SerializeToString(), providers=["CPUExecutionProvider"])
        return float(np.mean([session.run(None, {name: x})[0].argmax() == y for x, y in data])), None

    made = nncf.quantize_with_accuracy_control(
        model,
        nncf.Dataset([row[None] for row in rows], lambda row: {name: row}),
        nncf.Dataset(judged, lambda pair: {name: pair[0]}),
        validation_fn=accuracy,
        max_drop=0.01,
        drop_type=nncf.DropType.ABSOLUTE,
    )
    onnx.save(made, str(folder / "out.onnx"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
