"""Distil: a small scikit-learn student learns the model's outputs on unlabeled inputs and is written as ONNX.

For tabular and other small inputs. Runs in the limited child; the same inputs give the same bytes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from optimize import graph as graphs

Array = npt.NDArray[Any]
Session = Callable[[bytes], Any]
MOST_FEATURES: Final = 4096
_COPIES: Final = 4
_EPOCHS: Final = 60


def distil(content: bytes, x: Array, *, run: Session, width: int) -> bytes:
    """Return a student with one hidden layer of `width` units, same input and output.

    Raises: ValueError: the model has inputs or outputs that such a student cannot stand in for.
    """
    from sklearn.neural_network import MLPRegressor

    model = onnx.load_model_from_string(content)
    given = model.graph.input[0]
    features = math.prod(x.shape[1:])
    if features > MOST_FEATURES or len(model.graph.output) != 1:
        raise ValueError(f"has {features} features or several outputs; a student takes up to {MOST_FEATURES} and one")
    inputs = _more(x)
    logits, is_probability = _logits(run(content), given.name, inputs)
    if logits.ndim != 2:
        raise ValueError("gives no single row of scores for each input")
    center, spread = inputs.reshape(len(inputs), -1).mean(axis=0), float(inputs.std()) or 1.0
    middle, scale = logits.mean(axis=0), float(logits.std()) or 1.0
    student = MLPRegressor(hidden_layer_sizes=(width,), max_iter=_EPOCHS, random_state=0, batch_size=128)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        student.fit((inputs.reshape(len(inputs), -1) - center) / spread, (logits - middle) / scale)
    first, second = (np.asarray(weight, np.float64) for weight in student.coefs_)
    bias, last_bias = (np.asarray(array, np.float64) for array in student.intercepts_)
    layers = (
        (first / spread, bias - center @ first / spread),
        (second * scale, last_bias * scale + middle),
    )
    return _written(model, layers, flatten=x.ndim > 2, softmax=is_probability)


def _more(x: Array) -> Array:
    """Return the inputs with blends of two of them, so that few inputs teach more."""
    random = np.random.default_rng(0)
    blends = [x]
    for _ in range(_COPIES):
        share = random.uniform(0, 0.5, (len(x),) + (1,) * (x.ndim - 1)).astype(x.dtype)
        blends.append(x * (1 - share) + x[random.permutation(len(x))] * share)
    return np.concatenate(blends)


def _logits(session: Any, name: str, inputs: Array) -> tuple[Array, bool]:
    """Return the model's scores; probabilities as their logarithms."""
    parts = [session.run(None, {name: inputs[start : start + 256]})[0] for start in range(0, len(inputs), 256)]
    scores = np.concatenate(parts)
    is_probability = scores.ndim == 2 and bool((scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3))
    return (np.log(np.maximum(scores, 1e-7)), True) if is_probability else (scores, False)


def _written(model: onnx.ModelProto, layers: Any, *, flatten: bool, softmax: bool) -> bytes:
    given, wanted = model.graph.input[0], model.graph.output[0]
    nodes, weights, flow = [], [], given.name
    if flatten:
        nodes.append(helper.make_node("Flatten", [flow], ["flat"], axis=1))
        flow = "flat"
    for place, (weight, bias) in enumerate(layers):
        out = "hidden" if place == 0 else "scores" if softmax else wanted.name
        weights.append(numpy_helper.from_array(weight.T.astype(np.float32), f"w{place}"))
        weights.append(numpy_helper.from_array(bias.astype(np.float32), f"b{place}"))
        nodes.append(helper.make_node("Gemm", [flow, f"w{place}", f"b{place}"], [out], transB=1))
        flow = out
        if place == 0:
            nodes.append(helper.make_node("Relu", ["hidden"], ["active"]))
            flow = "active"
    if softmax:
        nodes.append(helper.make_node("Softmax", [flow], [wanted.name], axis=1))
    ports = [helper.make_tensor_value_info(given.name, TensorProto.FLOAT, None)], [wanted]
    ports[0][0].CopyFrom(given)
    graph = helper.make_graph(nodes, "student", *ports, weights)
    opsets = [helper.make_opsetid("", 17)]
    student = helper.make_model(graph, producer_name="muster", ir_version=8, opset_imports=opsets)
    return graphs.serialized(student)
