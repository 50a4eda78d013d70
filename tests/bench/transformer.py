"""A transformer encoder of the size of CamemBERT-base, with random weights: what it costs does not depend on them.

12 layers, width 768, 12 heads, inner width 3,072, 32,005 pieces, 110 million parameters (Martin et al., ACL 2020). PyTorch
computes it where it is installed (it is not among the frozen libraries); else ONNX Runtime does, in single precision, from
a graph built here with the fused operators that its own optimiser would put in.
"""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save_model

from model.pieces import Pieces
from model.weights import encoder_weights

_EXTENSIONS: Final = "com.microsoft"
_OPSET: Final = 17
_IR: Final = 8
_EPSILON: Final = 1e-5
_SPREAD: Final = 0.02
_LABELS: Final = 16


@dataclass(frozen=True, slots=True)
class Size:
    """The shape of an encoder."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    inner: int = 3_072
    pieces: int = 32_005
    longest: int = 512

    @property
    def parameters(self) -> int:
        """Numbers of the encoder: word and place vectors, layers, norms, head."""
        layer = 4 * (self.width + 1) * self.width + 2 * self.width * self.inner + self.inner + self.width + 4 * self.width
        return (self.pieces + self.longest + 2) * self.width + self.layers * layer + (self.width + 1) * _LABELS


#: Not even a second to build and run: for tests.
TINY: Final = Size(layers=1, width=32, heads=2, inner=64, pieces=500)
CAMEMBERT_BASE: Final = Size()


def runtime() -> str:
    """The library that computes: `torch` or `onnxruntime`."""
    return "torch" if importlib.util.find_spec("torch") else "onnxruntime"


def prepare(path: Path, size: Size) -> None:
    """Write the graph, where it is needed and not there."""
    if runtime() == "onnxruntime" and not path.exists():
        partial = path.with_name(f"{path.name}.partial")
        save_model(_graph(size), str(partial))
        partial.replace(path)


def load(path: Path, size: Size) -> Callable[[Sequence[str]], list[list[float]]]:
    """A function that gives the numbers of texts, each read by itself: without padding, on one thread.

    Words are cut by the multilingual pieces that Vigie has, some as many as CamemBERT's on French; their numbers are folded
    into CamemBERT's.
    """
    pieces = Pieces(encoder_weights())
    compute = _torch(size) if runtime() == "torch" else _onnx(path)

    def numbers(text: str) -> NDArray[np.int64]:
        found = [0, *pieces.of_text(text)[: size.longest - 2], 1]
        return np.asarray(found, dtype=np.int64)[np.newaxis] % size.pieces

    return lambda texts: [compute(numbers(text)) for text in texts]


def _onnx(path: Path) -> Callable[[NDArray[np.int64]], list[float]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def compute(numbers: NDArray[np.int64]) -> list[float]:
        places = np.arange(numbers.shape[1], dtype=np.int64)[np.newaxis]
        found: list[float] = session.run(None, {"pieces": numbers, "places": places})[0][0].tolist()
        return found

    return compute


def _torch(size: Size) -> Callable[[NDArray[np.int64]], list[float]]:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    words, places = torch.nn.Embedding(size.pieces, size.width), torch.nn.Embedding(size.longest + 2, size.width)
    norm, head = torch.nn.LayerNorm(size.width), torch.nn.Linear(size.width, _LABELS)
    layer = torch.nn.TransformerEncoderLayer(size.width, size.heads, size.inner, activation="gelu", batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, size.layers).eval()

    def compute(numbers: NDArray[np.int64]) -> list[float]:
        with torch.inference_mode():
            entering = norm(words(torch.from_numpy(numbers)) + places(torch.arange(numbers.shape[1])))
            found: list[float] = head(encoder(entering)[:, 0])[0].tolist()
            return found

    return compute


class _Builder:
    """Nodes and random constants of a graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._random = np.random.default_rng(0)

    def matrix(self, *shape: int) -> str:
        return self._constant(self._random.standard_normal(shape, dtype=np.float32) * np.float32(_SPREAD))

    def vector(self, length: int, value: float = 0.0) -> str:
        return self._constant(np.full(length, value, dtype=np.float32))

    def _constant(self, value: NDArray[np.float32]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def add(self, kind: str, *inputs: str, domain: str = "", named: str = "", **options: Any) -> str:
        name = named or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **options))
        return name

    def norm(self, entering: str, added: str, bias: str, width: int) -> str:
        scale, shift = self.vector(width, 1.0), self.vector(width)
        inputs = (entering, added, scale, shift, bias)
        return self.add("SkipLayerNormalization", *inputs, domain=_EXTENSIONS, epsilon=_EPSILON)


def _graph(size: Size) -> Any:
    made, width = _Builder(), size.width
    words = made.add("Gather", made.matrix(size.pieces, width), "pieces")
    places = made.add("Gather", made.matrix(size.longest + 2, width), "places")
    state = made.norm(words, places, made.vector(width), width)
    for _ in range(size.layers):
        weights, bias = made.matrix(width, 3 * width), made.vector(3 * width)
        seen = made.add("Attention", state, weights, bias, domain=_EXTENSIONS, num_heads=size.heads)
        state = made.norm(made.add("MatMul", seen, made.matrix(width, width)), state, made.vector(width), width)
        inner = made.add("MatMul", state, made.matrix(width, size.inner))
        inner = made.add("BiasGelu", inner, made.vector(size.inner), domain=_EXTENSIONS)
        state = made.norm(made.add("MatMul", inner, made.matrix(size.inner, width)), state, made.vector(width), width)
    first = made.add("Gather", state, "first", axis=1)
    made.add("Gemm", first, made.matrix(width, _LABELS), made.vector(_LABELS), named="scores")
    made.constants.append(numpy_helper.from_array(np.asarray(0, dtype=np.int64), "first"))
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "n"]) for name in ("pieces", "places")]
    asked = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, _LABELS])]
    graph = helper.make_graph(made.nodes, "encoder", given, asked, made.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_EXTENSIONS, 1)])
    model.ir_version = _IR
    return model
