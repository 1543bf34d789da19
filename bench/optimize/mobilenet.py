"""MobileNetV3-small (Howard et al. 2019, arXiv:1905.02244) in plain torch on scikit-learn's digits, drawn at 32×32.

    python -m bench.optimize.mobilenet FOLDER [SPLIT]

Width 1.0 with ten classes, 1.5 million weights; the stem has stride 1, for pictures this small. Needs the extra
[train]; about two CPU minutes on one core. The folder gets mobilenet.onnx, eval.npz and calib.npz.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from optimize import fixtures

EPOCHS: Final = 14
SIZE: Final = 32
_BATCH: Final = 64
_CALIBRATION_ROWS: Final = 1024


class Row(NamedTuple):
    """One bottleneck of the paper's table 2."""

    kernel: int
    expanded: int
    out: int
    has_squeeze: bool
    activation: type[nn.Module]
    stride: int


SMALL: Final = (
    Row(3, 16, 16, True, nn.ReLU, 2),
    Row(3, 72, 24, False, nn.ReLU, 2),
    Row(3, 88, 24, False, nn.ReLU, 1),
    Row(5, 96, 40, True, nn.Hardswish, 2),
    Row(5, 240, 40, True, nn.Hardswish, 1),
    Row(5, 240, 40, True, nn.Hardswish, 1),
    Row(5, 120, 48, True, nn.Hardswish, 1),
    Row(5, 144, 48, True, nn.Hardswish, 1),
    Row(5, 288, 96, True, nn.Hardswish, 2),
    Row(5, 576, 96, True, nn.Hardswish, 1),
    Row(5, 576, 96, True, nn.Hardswish, 1),
)


class Squeeze(nn.Module):
    """Squeeze-and-excite with the paper's quarter."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(8, (channels // 4 + 4) // 8 * 8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.less, self.more = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)
        self.relu, self.gate = nn.ReLU(), nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.more(self.relu(self.less(self.pool(x)))))


class Bottleneck(nn.Module):
    def __init__(self, entering: int, row: Row) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if row.expanded != entering:
            layers += convolution(entering, row.expanded, 1, activation=row.activation)
        layers += convolution(
            row.expanded, row.expanded, row.kernel, stride=row.stride, groups=row.expanded, activation=row.activation
        )
        layers += [Squeeze(row.expanded)] if row.has_squeeze else []
        self.layers = nn.Sequential(*layers, *convolution(row.expanded, row.out, 1))
        self.has_shortcut = row.stride == 1 and entering == row.out

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return made + x if self.has_shortcut else made


class MobileNet(nn.Module):
    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = [*convolution(1, 16, 3, activation=nn.Hardswish)]
        entering = 16
        for row in SMALL:
            layers.append(Bottleneck(entering, row))
            entering = row.out
        layers += convolution(entering, 576, 1, activation=nn.Hardswish)
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(576, 1024), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1024, classes))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.features(x))
        return scores


def convolution(
    entering: int,
    out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> list[nn.Module]:
    layer = nn.Conv2d(entering, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(out, momentum=0.05), *([activation()] if activation else [])]


def train(net: nn.Module, images: Any, labels: Any, *, epochs: int = EPOCHS, rate: float = 4e-3) -> None:
    """Train with one cycle of AdamW; the same seed, the same weights."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.02)
    steps = epochs * (len(x) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(_BATCH)[: len(x) // _BATCH]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows], label_smoothing=0.05).backward()
            optimizer.step()
            schedule.step()
    net.eval()


def drawn(images: fixtures.Floats) -> Any:
    """Return 8×8 pictures at the size that the net takes."""
    tall = torch.from_numpy(np.ascontiguousarray(images))
    return nn.functional.interpolate(tall, (SIZE, SIZE), mode="bilinear", align_corners=False).numpy()


def export(net: nn.Module, shape: Sequence[int]) -> bytes:
    """Return the net as ONNX, as torch's own exporter writes it."""
    from io import BytesIO

    file = BytesIO()
    batch = {"input": {0: "batch"}, "logits": {0: "batch"}}
    torch.onnx.export(
        net, (torch.zeros(2, *shape),), file, input_names=["input"], output_names=["logits"], dynamic_axes=batch,
        opset_version=fixtures.OPSET, dynamo=False,
    )  # fmt: skip
    return file.getvalue()


def main(folder: Path, split: int = 0) -> None:
    train_x, train_y, test_x, test_y = fixtures.digits(split)
    moved = drawn(fixtures.moved(train_x.reshape(-1, 1, 8, 8)))
    torch.manual_seed(0)
    net = MobileNet()
    train(net, moved, np.tile(train_y, len(moved) // len(train_y)))
    chosen = np.random.default_rng(0).permutation(len(moved))[:_CALIBRATION_ROWS]
    (folder / "mobilenet.onnx").write_bytes(export(net, (1, SIZE, SIZE)))
    (folder / "eval.npz").write_bytes(fixtures.npz(x=drawn(test_x.reshape(-1, 1, 8, 8)), y=test_y))
    (folder / "calib.npz").write_bytes(fixtures.npz(x=moved[chosen]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
