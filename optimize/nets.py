"""A torch net from a training script, given the weights of an ONNX graph; trained on; and written back. In the child.

The script only says how the net is built: `net() -> torch.nn.Module`. Its weights come from the artifact, layer by
layer in the order in which they run, whatever their shapes, so a pruned graph fits as well; batch norms are folded
into the layers before them, as exporters do. That both then give the same scores is checked, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from optimize.graph import Graph, attribute

Array = npt.NDArray[Any]
Session = Callable[[bytes], Any]
_LAYERS: Final = (nn.Conv1d, nn.Conv2d, nn.Linear)
_NORMS: Final = (nn.BatchNorm1d, nn.BatchNorm2d)
_FURTHEST: Final = 1e-3
_CHECKED_ROWS: Final = 64


class ScriptError(ValueError):
    """The sentence for which a training script does not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A layer of the net and the node of the graph with the same weights; `bias` is the array's name, "" for none."""

    layer: Any
    node: onnx.NodeProto
    bias: str


def built(script: bytes, name: str) -> nn.Module:
    """Run the script and return what its function `name` builds.

    Raises: ScriptError: it cannot be run, has no such function, or that builds no module.
    """
    space: dict[str, Any] = {"__name__": "train_script"}
    torch.manual_seed(0)
    try:
        # The one place where registered code runs: in the limited child, without network and secrets.
        exec(compile(script, "train.py", "exec"), space)  # noqa: S102
        made = space[name]()
    except KeyError as error:
        if name not in space:
            raise ScriptError(f"the training script defines no {name}()") from error
        raise ScriptError(f"the training script fails: KeyError: {error}") from error
    except Exception as error:  # whatever a script raises becomes its sentence
        raise ScriptError(f"the training script fails: {type(error).__name__}: {str(error)[:160]}") from error
    if not isinstance(made, nn.Module):
        raise ScriptError(f"{name}() of the training script returns no torch.nn.Module")
    return made


def restored(script: bytes, content: bytes, x: Array, *, run: Session) -> tuple[nn.Module, Graph, list[Pair]]:
    """Return the script's net with the artifact's weights, the artifact's graph, and which layer is which node.

    Raises: ScriptError: the net is not the artifact's.
    """
    net, graph = built(script, "net").eval(), Graph(content)
    _drop_norms(net)
    order = _layers_in_order(net, torch.from_numpy(x[:1]))
    nodes = [node for node in graph.nodes if _is_layer(node, graph)]
    if len(order) != len(nodes):
        raise ScriptError(f"net() runs {len(order)} layers with weights, the model {len(nodes)}")
    pairs = [Pair(layer=layer, node=node, bias=_bias(node, graph)) for layer, node in zip(order, nodes, strict=True)]
    for pair in pairs:
        _set(pair, graph)
    rows = x[:_CHECKED_ROWS]
    wanted, given = scores(run(content), rows), _forward(net, rows)
    if wanted.shape != given.shape:
        raise ScriptError(f"net() gives scores of shape {given.shape}, the model {wanted.shape}")
    apart = float(((wanted - given) ** 2).mean() / (wanted.var() + 1e-12))
    if not apart <= _FURTHEST**2:
        raise ScriptError(f"net() with the model's weights gives other scores (relative error {apart**0.5:.2g})")
    return net, graph, pairs


def written(graph: Graph, pairs: list[Pair]) -> bytes:
    """Return the artifact with the weights that the layers have now."""
    for pair in pairs:
        name = pair.node.input[1]
        old = graph.arrays[name]
        weight = pair.layer.weight.detach().numpy()
        turned = pair.node.op_type != "Conv" and not attribute(pair.node, "transB", 0)
        graph.arrays[name] = np.ascontiguousarray(weight.T if turned else weight).astype(old.dtype)
        if pair.bias:
            shape = graph.arrays[pair.bias].shape
            graph.arrays[pair.bias] = pair.layer.bias.detach().numpy().reshape(shape).astype(old.dtype)
    return graph.bytes()


def train(net: nn.Module, x: Array, wanted: Array, *, steps: int, rate: float) -> None:
    """Teach the net the wanted scores of these inputs and of blends of two; the same seed, the same weights."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows, scores_of = torch.from_numpy(x), torch.from_numpy(wanted.astype(np.float32))
    spread = float(scores_of.var()) or 1.0
    optimizer = torch.optim.Adam([one for one in net.parameters() if one.requires_grad], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    size = min(64, len(rows))
    for _ in range(steps):
        chosen = torch.randint(len(rows), (size,))
        optimizer.zero_grad()
        loss = ((net(rows[chosen]) - scores_of[chosen]) ** 2).mean() / spread
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()


def blends(x: Array, copies: int) -> Array:
    """Return the inputs and, for each copy, blends of two of them: few inputs then teach more."""
    random, parts = np.random.default_rng(0), [x]
    for _ in range(copies):
        share = random.uniform(0, 0.5, (len(x),) + (1,) * (x.ndim - 1)).astype(x.dtype)
        parts.append(x * (1 - share) + x[random.permutation(len(x))] * share)
    return np.concatenate(parts)


def with_fake_int8(pairs: list[Pair]) -> Callable[[], None]:
    """Have each layer compute with weights and inputs rounded to int8, gradients passing straight through
    (Jacob et al. 2018, arXiv:1712.05877); return what ends that."""
    ends = []
    for pair in pairs:
        parametrize.register_parametrization(pair.layer, "weight", _RoundedWeight())
        hook = pair.layer.register_forward_pre_hook(_RoundedInput())
        ends.append((pair.layer, hook))

    def end() -> None:
        for layer, hook in ends:
            hook.remove()
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)

    return end


class _RoundedWeight(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        scale = weight.detach().abs().amax(dim=tuple(range(1, weight.dim())), keepdim=True).clamp_min(1e-8) / 127
        return weight + (torch.clamp(torch.round(weight / scale), -127, 127) * scale - weight).detach()


class _RoundedInput:
    """Rounds to the range seen so far; a moving average, so that single inputs do not set it."""

    def __init__(self) -> None:
        self.low, self.high = 0.0, 0.0

    def __call__(self, _layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x = given[0]
        low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
        self.low = low if self.high == self.low else 0.95 * self.low + 0.05 * low
        self.high = high if self.high == 0 else 0.95 * self.high + 0.05 * high
        scale = max((self.high - self.low) / 255, 1e-8)
        rounded = torch.clamp(torch.round((x - self.low) / scale), 0, 255) * scale + self.low
        return (x + (rounded - x).detach(), *given[1:])


def scores(session: Any, x: Array) -> Array:
    """Return the first output for all rows, in batches that the model takes."""
    port = session.get_inputs()[0]
    size = port.shape[0] if port.shape and isinstance(port.shape[0], int) and port.shape[0] > 0 else 64
    starts = range(0, len(x) - size + 1, size) if len(x) % size else range(0, len(x), size)
    parts = [session.run(None, {port.name: x[start : start + size]})[0] for start in starts]
    if len(x) % size and size == 64:
        parts.append(session.run(None, {port.name: x[len(x) // size * size :]})[0])
    return np.concatenate(parts)


def _forward(net: nn.Module, x: Array) -> Array:
    with torch.no_grad():
        made: Array = net(torch.from_numpy(x)).numpy()
    return made


def _drop_norms(net: nn.Module) -> None:
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, _NORMS):
                setattr(module, name, nn.Identity())


def _layers_in_order(net: nn.Module, row: Tensor) -> list[nn.Module]:
    order: list[nn.Module] = []
    hooks = [
        module.register_forward_pre_hook(lambda layer, _given: order.append(layer))
        for module in net.modules()
        if isinstance(module, _LAYERS)
    ]
    try:
        with torch.no_grad():
            net(row)
    except Exception as error:  # whatever the net raises becomes its sentence
        raise ScriptError(f"net() cannot take the model's inputs: {str(error)[:160]}") from error
    finally:
        for hook in hooks:
            hook.remove()
    if len(set(order)) != len(order):
        raise ScriptError("net() runs a layer twice; shared weights cannot be matched with the model's")
    return order


def _is_layer(node: onnx.NodeProto, graph: Graph) -> bool:
    return node.op_type in ("Conv", "Gemm", "MatMul") and len(node.input) > 1 and node.input[1] in graph.arrays


def _bias(node: onnx.NodeProto, graph: Graph) -> str:
    """Return the name of a layer's bias, also when an Add behind a MatMul brings it."""
    if node.op_type != "MatMul":
        return node.input[2] if len(node.input) > 2 else ""
    takers = graph.takers[node.output[0]]
    if len(takers) != 1 or takers[0].op_type != "Add":
        return ""
    constants = [name for name in takers[0].input if name in graph.arrays]
    outputs = graph.arrays[node.input[1]].shape[-1]
    return constants[0] if constants and graph.arrays[constants[0]].size == outputs else ""


def _set(pair: Pair, graph: Graph) -> None:
    """Give a layer the weights of its node, and the sizes that go with them."""
    layer, node = pair.layer, pair.node
    weight = graph.arrays[node.input[1]].astype(np.float32)
    is_conv = node.op_type == "Conv"
    if is_conv != (not isinstance(layer, nn.Linear)) or weight.ndim != layer.weight.dim():
        raise ScriptError(f"net() has a {type(layer).__name__} where the model has a {node.op_type}")
    if not is_conv and not attribute(node, "transB", 0):
        weight = weight.T
    layer.weight = nn.Parameter(torch.from_numpy(np.array(weight)))
    bias = graph.arrays[pair.bias].astype(np.float32).ravel() if pair.bias else None
    layer.bias = None if bias is None else nn.Parameter(torch.from_numpy(np.array(bias)))
    if is_conv:
        layer.groups = int(attribute(node, "group", 1))
        layer.out_channels, layer.in_channels = weight.shape[0], weight.shape[1] * layer.groups
    else:
        layer.out_features, layer.in_features = weight.shape
