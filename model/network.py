"""The sentence encoder's network as an ONNX graph with 8-bit matrices, made in memory from the published 4-bit weights.

ONNX Runtime multiplies 8-bit integers some twice as fast as single precision on one core; each matrix keeps one scale an
output column, and what enters it is scaled text by text, so that no text changes another's numbers.
"""

from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.weights import Weights

INPUT: Final = "pieces"
_OPSET: Final = 17
_IR: Final = 8
_EXTENSIONS: Final = "com.microsoft"
_LARGEST: Final = 127

Floats = NDArray[np.float32]


class _Graph:
    """Nodes and constants of a graph under construction; tensors are named by number."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, inputs: list[str], *, outputs: int = 1, named: str = "", **options: Any) -> Any:
        """Append a node; `domain` among the options is that of its kind (default: the runtime's own extensions)."""
        names = [named or f"t{len(self.nodes)}.{part}" for part in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **{"domain": _EXTENSIONS} | options))
        return names if outputs > 1 else names[0]

    def linear(self, entering: str, matrix: Floats, bias: Floats) -> str:
        """`entering` × matrixᵀ + bias; `matrix` has shape (outputs, inputs)."""
        scale = np.maximum(np.abs(matrix).max(axis=1) / _LARGEST, np.finfo(np.float32).tiny)
        rounded = np.rint(matrix / scale[:, np.newaxis]).astype(np.int8)
        middle = np.zeros(len(scale), dtype=np.int8)
        constants = [self.constant(value) for value in (rounded.T, scale.astype(np.float32), middle, bias)]
        return str(self.add("DynamicQuantizeMatMul", [entering, *constants]))

    def norm(self, entering: str, added: str, name: str, *, named: str = "") -> str:
        """The norm of `entering` + `added` over each piece."""
        scale, shift = (self.constant(self.weights.vector(f"{name}.{part}")) for part in "wb")
        epsilon = self.weights.shape.epsilon
        # The runtime's one operation for both is ten times slower on a processor than the two.
        together = str(self.add("Add", [entering, added], domain=""))
        return str(self.add("LayerNormalization", [together, scale, shift], named=named, domain="", axis=-1, epsilon=epsilon))

    def part(self, layer: int, name: str) -> tuple[Floats, Floats]:
        """Matrix and bias of one part of a layer."""
        columns = self.weights.shape.inner if name == "fo" else self.weights.shape.width
        prefix = f"l{layer}.{name}"
        return self.weights.matrix(f"{prefix}.w", columns), self.weights.vector(f"{prefix}.b")


def network(weights: Weights, layers: tuple[int, ...]) -> Any:
    """A session on one thread that gives the states of some layers.

    It takes the input `pieces`, the sum of word and place vectors of one text, float32 of shape (1, n, width), and gives
    one array of the same shape for each of `layers` (numbered from 1), in order.
    """
    graph = _Graph(weights)
    scale, shift = (graph.constant(weights.vector(f"emb.ln.{part}")) for part in "wb")
    state = graph.add("LayerNormalization", [INPUT, scale, shift], domain="", axis=-1, epsilon=weights.shape.epsilon)
    for layer in range(max(layers)):
        parts = [graph.part(layer, name) for name in "qkv"]
        joined = graph.linear(state, np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))
        heads = graph.add("Split", [joined], outputs=3, domain="", axis=-1)
        seen = graph.add("MultiHeadAttention", heads, num_heads=weights.shape.heads)
        state = graph.norm(state, graph.linear(seen, *graph.part(layer, "ao")), f"l{layer}.aln")
        inner = graph.add("Gelu", [graph.linear(state, *graph.part(layer, "fi"))])
        named = _output(layer + 1) if layer + 1 in layers else ""
        state = graph.norm(state, graph.linear(inner, *graph.part(layer, "fo")), f"l{layer}.oln", named=named)
    shape: list[str | int | None] = [1, "n", weights.shape.width]
    given = [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)]
    asked = [helper.make_tensor_value_info(_output(layer), TensorProto.FLOAT, shape) for layer in layers]
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_EXTENSIONS, 1)]
    model = helper.make_model(helper.make_graph(graph.nodes, "encoder", given, asked, graph.constants), opset_imports=opsets)
    model.ir_version = _IR
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )


def _output(layer: int) -> str:
    return f"layer{layer}"
