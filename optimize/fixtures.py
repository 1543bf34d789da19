"""Small models with real held-out inputs, made on the spot without a download, for the demo, tests and bench.

`mlp`: 1024-512 on scikit-learn's digits. `cnn`: convolution filters found by k-means (Coates and Ng 2012,
doi:10.1007/978-3-642-35289-8_30) under a small perceptron.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]
TRAINING_ROWS: Final = 717
OPSET: Final = 17
_MOVED_COPIES: Final = 8
_CALIBRATION_ROWS: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """`evaluation`: npz with x and y, never seen in training. `calibration`: npz with x alone."""

    name: str
    model: bytes
    evaluation: bytes
    calibration: bytes


def mlp(hidden: tuple[int, ...] = (1024, 512), *, split: int = 0) -> Fixture:
    """Make the perceptron 1024-512 (2.4 MB), about five CPU seconds; or a narrower one, such as the demo's.

    `split`: which rows are held out.
    """
    from sklearn.neural_network import MLPClassifier

    train_x, train_y, test_x, test_y = digits(split)
    net = MLPClassifier(hidden, max_iter=30, random_state=0)
    _fit(net, train_x, train_y)
    model = _perceptron(net.coefs_, net.intercepts_, "mlp")
    return _fixture("mlp", model, moved(train_x.reshape(-1, 1, 8, 8)).reshape(-1, 64), test_x, test_y)


def cnn(*, split: int = 0) -> Fixture:
    """Make the convolutional net (0.3 MB); about ten CPU seconds. `split`: which rows are held out."""
    from sklearn.neural_network import MLPClassifier

    train_x, train_y, test_x, test_y = digits(split)
    images = moved(train_x.reshape(-1, 1, 8, 8))
    flow, layers = images, []
    with _one_core():
        for width in (32, 64):
            weight, bias = _kmeans_filters(flow[:TRAINING_ROWS], width)
            flow = np.maximum(_convolve(flow, weight, bias), 0)
            layers.append((weight, bias))
    pooled = flow.reshape(len(flow), 64, 4, 2, 4, 2).mean(axis=(3, 5)).reshape(len(flow), -1)
    net = MLPClassifier((56,), alpha=0.01, max_iter=15, random_state=0)
    _fit(net, pooled, np.tile(train_y, _MOVED_COPIES + 1))
    model = _convolutional(layers, net.coefs_, net.intercepts_)
    return _fixture("cnn", model, images, test_x.reshape(-1, 1, 8, 8), test_y)


def digits(split: int = 0) -> tuple[Floats, Whole, Floats, Whole]:
    """Return training rows and labels, held-out rows and labels; values within 0..1."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(split).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order].astype(np.int64)
    return x[:TRAINING_ROWS], y[:TRAINING_ROWS], x[TRAINING_ROWS:], y[TRAINING_ROWS:]


def npz(**arrays: npt.NDArray[Any]) -> bytes:
    """Return the arrays as the bytes of a compressed npz; the same arrays give the same bytes."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _fit(net: Any, x: Floats, y: Whole) -> None:
    with _one_core(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(x, y)


def _one_core() -> AbstractContextManager[Any]:
    """Compute on one core: faster for nets this small, and the same numbers each time."""
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limited


def _fixture(name: str, model: bytes, inputs: Floats, test_x: Floats, test_y: Whole) -> Fixture:
    calibration = inputs[np.random.default_rng(0).permutation(len(inputs))[:_CALIBRATION_ROWS]]
    return Fixture(name=name, model=model, evaluation=npz(x=test_x, y=test_y), calibration=npz(x=calibration))


def moved(images: Floats) -> Floats:
    """Return the images, and copies of them a little turned, scaled and shifted."""
    from scipy import ndimage

    random, center = np.random.default_rng(0), np.array([3.5, 3.5])
    copies = [images]
    for _ in range(_MOVED_COPIES):
        copy = np.empty_like(images)
        for place, image in enumerate(images[:, 0]):
            angle, scale = np.deg2rad(random.uniform(-12, 12)), 1 + random.uniform(-0.1, 0.1)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
            offset = center - turn @ (center + random.uniform(-0.9, 0.9, 2))
            copy[place, 0] = ndimage.affine_transform(image, turn, offset, order=1)
        copies.append(copy)
    return np.concatenate(copies)


def _patches(images: Floats) -> Floats:
    """Return the 3×3 patches of zero-padded images as rows: (n, 8, 8, channels · 9)."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    n, channels, height, width = windows.shape[:4]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, height, width, channels * 9)


def _convolve(images: Floats, weight: Floats, bias: Floats) -> Floats:
    flat = _patches(images) @ weight.reshape(len(weight), -1).T + bias
    return np.ascontiguousarray(flat.transpose(0, 3, 1, 2))


def _kmeans_filters(images: Floats, width: int) -> tuple[Floats, Floats]:
    """Cluster whitened patches; the centers, in the space of patches, are the filters."""
    from sklearn.cluster import MiniBatchKMeans

    rows = _patches(images).reshape(-1, images.shape[1] * 9)
    rows = rows[np.random.default_rng(0).permutation(len(rows))[:20_000]]
    mean, scale = rows.mean(axis=0), np.linalg.eigh(np.cov(rows.T) + 0.05 * np.eye(rows.shape[1]))
    whiten = scale.eigenvectors / np.sqrt(scale.eigenvalues) @ scale.eigenvectors.T
    found = MiniBatchKMeans(width, n_init=1, random_state=0, batch_size=2048).fit((rows - mean) @ whiten)
    centers = found.cluster_centers_ / np.linalg.norm(found.cluster_centers_, axis=1, keepdims=True)
    flat = centers @ whiten
    flat /= np.std(rows @ flat.T, axis=0)[:, None]
    weight = flat.reshape(width, images.shape[1], 3, 3).astype(np.float32)
    return weight, (-flat @ mean - 0.25).astype(np.float32)


def _perceptron(coefs: Sequence[Any], intercepts: Sequence[Any], name: str) -> bytes:
    from onnx import TensorProto, helper

    nodes, weights = _dense("input", coefs, intercepts)
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", coefs[0].shape[0]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", coefs[-1].shape[1]])],
        weights,
    )
    return _serialized(graph)


def _convolutional(layers: Sequence[tuple[Floats, Floats]], coefs: Sequence[Any], intercepts: Sequence[Any]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, flow = [], [], "input"
    for place, (weight, bias) in enumerate(layers):
        weights += [numpy_helper.from_array(weight, f"conv{place}.weight")]
        weights += [numpy_helper.from_array(bias, f"conv{place}.bias")]
        names = [flow, f"conv{place}.weight", f"conv{place}.bias"]
        nodes.append(helper.make_node("Conv", names, [f"conv{place}"], f"conv{place}", pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"conv{place}"], [f"act{place}"], f"act{place}"))
        flow = f"act{place}"
    nodes.append(helper.make_node("AveragePool", [flow], ["pooled"], "pool", kernel_shape=[2, 2], strides=[2, 2]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"], "flatten", axis=1))
    more_nodes, more_weights = _dense("flat", coefs, intercepts)
    graph = helper.make_graph(
        nodes + more_nodes,
        "cnn",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        weights + more_weights,
    )
    return _serialized(graph)


def _dense(flow: str, coefs: Sequence[Any], intercepts: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    from onnx import helper, numpy_helper

    nodes, weights = [], []
    for place, (weight, bias) in enumerate(zip(coefs, intercepts, strict=True)):
        is_last = place == len(coefs) - 1
        out = "logits" if is_last else f"dense{place}"
        weights.append(numpy_helper.from_array(np.ascontiguousarray(weight.T, np.float32), f"dense{place}.weight"))
        weights.append(numpy_helper.from_array(bias.astype(np.float32), f"dense{place}.bias"))
        names = [flow, f"dense{place}.weight", f"dense{place}.bias"]
        nodes.append(helper.make_node("Gemm", names, [out], f"dense{place}", transB=1))
        if not is_last:
            nodes.append(helper.make_node("Relu", [out], [f"hidden{place}"], f"relu{place}"))
            flow = f"hidden{place}"
    return nodes, weights


def _serialized(graph: Any) -> bytes:
    import onnx

    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, producer_name="muster", ir_version=8, opset_imports=opsets)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))
