"""Olive's static quantization of an ONNX model. Runs in Olive's own environment."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def main(folder: Path) -> None:
    from olive.workflows import run

    data = {
        "name": "calib",
        "user_script": str(Path(__file__).with_name("rival_olive_data.py")),
        "load_dataset_config": {"type": "calibration_rows", "data_dir": str(folder)},
        "dataloader_config": {"batch_size": 1},
    }
    accelerators = [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}]
    run(
        {
            "input_model": {"type": "ONNXModel", "model_path": str(folder / "model.onnx")},
            "systems": {"local": {"type": "LocalSystem", "accelerators": accelerators}},
            "data_configs": [data],
            "passes": {"quantize": {"type": "OnnxStaticQuantization", "data_config": "calib", "per_channel": True}},
            "host": "local",
            "target": "local",
            "cache_dir": str(folder / "cache"),
            "output_dir": str(folder / "made"),
        }
    )
    shutil.copy(next((folder / "made").rglob("*.onnx")), folder / "out.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
