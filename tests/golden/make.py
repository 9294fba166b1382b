"""The golden model: one of everything that format 1 can hold, built by hand and without Keras.

    python tests/golden/make.py

writes `tests/golden/model` anew. Do that only for a change of the format that is meant: models
that were committed before hold the old bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kvcs import npy
from kvcs.spec import (
    Call,
    ClassRef,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    PartSpec,
    SharedLayer,
    StateSpec,
    StoredModel,
    SymbolicTensor,
    TensorRef,
    TensorSpec,
    VariableRef,
)
from kvcs.tree import writer

MODEL = Path(__file__).parent / "model"


def array(dtype: str, values: Any) -> npy.Array:
    """An array of any dtype; its values are exact in it."""
    return np.array(values).astype(npy.true_dtype(dtype))


ARRAYS = {
    "layers/dense/kernel.npy": array("float32", [[0.5, -0.0], [np.inf, 1e-45]]),
    "layers/dense/bias.npy": array("float32", [0.1, np.nan]),
    "layers/custom/block/scale.npy": array("bfloat16", [1.0, -2.5, 3e38]),
    "layers/custom/block/weights/0.npy": array("float8_e4m3fn", [[1.0], [448.0]]),
    "layers/custom/bits.npy": array("int4", [-8, -1, 7]),
    "layers/custom/mask.npy": array("bool", [[True, False]]),
    "layers/custom/own/table.npy": array("int64", [[2**53 + 1], [-(2**63)]]),
    "layers/custom/phase.npy": array("complex64", 1 - 2j),
    "layers/encoder/offset.npy": np.zeros((0, 3), "float16"),
    "layers/encoder/layers/dense/kernel.npy": array("float64", [[0.1]]),
    "state/layers/lstm/states/0.npy": array("float32", [[0.25]]),
    "optimizer/iterations.npy": array("int64", 7),
    "optimizer/@discriminator_optimizer/iterations.npy": array("int64", 3),
    "optimizer/momentums/layers/dense/kernel.npy": array("float32", [[0.5, 0.25], [0.0, 1.0]]),
}
ASSETS = {
    "layers/words/assets/lookup_layer/vocabulary.json": (
        '[\n  "",\n  "[UNK]",\n  "naïve",\n  "\\n\\r\\u2028"\n]\n'.encode()
    ),
    "layers/words/assets/empty": b"",
}


def tensors(place: str, *names: str, file: str = "{}.npy", frozen: bool = False) -> Any:
    """Descriptions of the arrays in a directory."""
    found = {}
    for name in names:
        stored = ARRAYS[place + file.format(name)]
        found[name] = TensorSpec(
            file=file.format(name),
            dtype=stored.dtype.name,
            shape=stored.shape,
            trainable=not frozen,
        )
    return found


def floats(*shape: int | None) -> tuple[SymbolicTensor, ...]:
    return (SymbolicTensor(shape=shape, dtype="float32"),)


def call(*inputs: Any, outputs: tuple[SymbolicTensor, ...], **kwargs: Any) -> Call:
    return Call(args=inputs, kwargs=kwargs, outputs=outputs)


def keras(name: str, module: str = "keras.layers") -> ClassRef:
    return ClassRef(module, name)


def policy(name: str) -> dict[str, Any]:
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": name},
        "registered_name": None,
    }


INPUT = LayerSpec(
    cls=keras("InputLayer"),
    config={"batch_shape": [None, 2], "dtype": "float32", "ragged": False, "sparse": False},
)

DENSE = LayerSpec(
    cls=keras("Dense"),
    config={
        "units": 2,
        "activation": "relu",
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "RandomNormal",
            "config": {"stddev": 0.05, "mean": 0.0, "seed": None},
            "registered_name": None,
        },
        "trainable": True,
    },
    build_config={"input_shape": [None, 2]},
    tensors=tensors("layers/dense/", "kernel") | tensors("layers/dense/", "bias", frozen=True),
)

# `lambda x: x * 2`, as CPython 3.11 compiles it.
CODE = (
    "YwEAAAAAAAAAAAAAAAIAAAADAAAAcwwAAACXAHwAZAF6BQAAUwAoAgAAAE5pAgAAACgAAAAAKAEA\n"
    "AAB1AQAAAHhzAQAAACB1CAAAADxsYW1iZGE+dQgAAAA8bGFtYmRhPnUIAAAAPGxhbWJkYT4BAAAA\n"
    "cwoAAACAAKBxqBGhc4AAcwAAAAA=\n"
)
LAMBDA = {
    "class_name": "__lambda__",
    "config": {
        "value": [CODE, None, None],
    },
}

CUSTOM = LayerSpec(
    cls=ClassRef("my_package", "Custom", "my_package>Custom"),
    config={
        "nothing": None,
        "bool": True,
        "int": 10**20,
        "float": 1.0,
        "text": "naïve \u202etxt.exe\n",
        "list": [1, [2.5, None, False], [], list(range(17))],
        "tuple": (1, (), ("a",)),
        "set": {"b", "a", 1},
        "frozenset": frozenset({(2, 3)}),
        "nan": [float("nan"), float("inf"), -float("inf"), -0.0],
        "complex": complex(0.5, float("nan")),
        "bytes": b"\x00\xff",
        "slice": slice(None, -1, 2),
        "range": range(0, 6, 2),
        "ellipsis": ...,
        "sorted dict": {"a": 1, "b": {}},
        "unsorted dict": {"b": 1, "a": 2},
        "keys": {1: "int", None: "null", (1, 2): "tuple", "$dict": "tag"},
        "array": np.array([[1, 2]], "uint8"),
        "bfloat16 array": array("bfloat16", [1.5, np.nan]),
        "text array": np.array(["a", "é"]),
        "scalar array": np.array(0.1, "float32"),
        "empty array": np.zeros((0, 2), "bool"),
        "class": ClassRef("my_package", "Custom", "my_package>Custom"),
        "scalar": np.float32(0.1),
        "scalars": [np.bool_(True), np.str_("é"), np.complex64(1j), np.float16(np.nan)],
        "lambda": LAMBDA,
    },
    tensors=tensors("layers/custom/", "block/scale", "block/weights/0", "bits", "mask", "phase")
    | tensors("layers/custom/", "own/table", frozen=True),
    tied={"block/embeddings": "layers/encoder/layers/dense/kernel"},
    extra={".": {"scale": "block/scale", "table": "own/table"}},
    frozen=("block", "block/inner"),
    parts={
        "block": PartSpec(
            cls=keras("Dense"),
            config={"activation": "tanh", "units": 3},
            build_config={"input_shape": [None, 3]},
        ),
        "block/inner": PartSpec(
            cls=ClassRef("my_package", "Scale", "my_package>Scale"),
            config={"by": array("bfloat16", 1.5)[()]},
        ),
    },
)

WORDS = LayerSpec(
    cls=keras("TextVectorization"),
    config={"max_tokens": None, "standardize": "lower_and_strip_punctuation"},
    assets=dict.fromkeys(["lookup_layer/vocabulary.json", "empty"], ""),
)

# Its own Dense is a `dense` again: names are unique within their container.
ENCODER = ModelSpec(
    cls=keras("Sequential", "keras"),
    config={"trainable": False, "dtype": policy("bfloat16")},
    build="sequence",
    tensors=tensors("layers/encoder/", "offset"),
    layers=(
        LayerEntry(
            name="dense",
            path="layers/dense",
            calls=(call(outputs=floats(None, 1)),),
            layer=LayerSpec(
                cls=keras("Dense"),
                config={"units": 1},
                tensors=tensors("layers/encoder/layers/dense/", "kernel"),
            ),
        ),
        LayerEntry(
            name="dropout",
            path="layers/dropout",
            calls=(),
            layer=LayerSpec(cls=keras("Dropout"), config={"rate": 0.5}, build_config=None),
        ),
    ),
)

# A class of its own, that builds its layers by itself.
BLOCK = ModelSpec(
    cls=ClassRef(None, "Block"),
    config={},
    build="class",
    layers=(
        LayerEntry(
            name="dense",
            path="layers/blocks/0/dense",
            calls=(),
            layer=SharedLayer(path="layers/encoder/layers/dense"),
        ),
        LayerEntry(
            name="re_lu",
            path="layers/blocks/1",
            calls=(),
            layer=LayerSpec(cls=keras("ReLU"), config={"max_value": None}),
        ),
    ),
)

x = TensorRef("input_layer", 0, 0)
ROOT = ModelSpec(
    cls=keras("Functional", "keras"),
    config={"trainable": True, "dtype": policy("mixed_float16")},
    build="graph",
    layers=(
        LayerEntry(
            name="input_layer",
            path="layers/input_layer",
            calls=(call(outputs=floats(None, 2)),),
            layer=INPUT,
        ),
        LayerEntry(
            name="dense",
            path="layers/dense",
            calls=(
                call(x, outputs=floats(None, 2)),
                call(TensorRef("dense", 0, 0), training=None, outputs=floats(None, 2)),
            ),
            layer=DENSE,
        ),
        LayerEntry(
            name="encoder",
            path="layers/encoder",
            calls=(call([TensorRef("dense", 1, 0)], outputs=floats(None, 1)),),
            layer=ENCODER,
        ),
        LayerEntry(
            name="again",
            path="layers/again",
            calls=(
                call(
                    TensorRef("encoder", 0, 0),
                    by=np.int8(-3),
                    kernel=VariableRef("layers/encoder/layers/dense/kernel"),
                    outputs=floats(None, 1),
                ),
            ),
            layer=SharedLayer(path="layers/encoder/layers/dense"),
        ),
        LayerEntry(name="Maß/custom", path="layers/custom", calls=(), layer=CUSTOM),
        LayerEntry(name="block", path="layers/Ma%C3%9F%2Fblock", calls=(), layer=BLOCK),
        LayerEntry(
            name="words",
            path="layers/words",
            calls=(call(outputs=(SymbolicTensor(shape=None, dtype="string"),)),),
            layer=WORDS,
        ),
    ),
    inputs={"x": x},
    outputs=[TensorRef("again", 0, 0), (TensorRef("dense", 1, 0),)],
)

STORED = StoredModel(
    model=ROOT,
    name="golden",
    keras_version="3.6.0",
    training={
        "optimizer": {
            "module": "keras.optimizers",
            "class_name": "SGD",
            "config": {
                "learning_rate": 0.01,
                "momentum": 0.9,
                "exclude_from_weight_decay": {
                    "names": ["bias"],
                    "weights": ["layers/encoder/layers/dense/kernel"],
                },
            },
            "registered_name": None,
        },
        "loss": "mse",
        "metrics": None,
        "auto_scale_loss": False,
        "jit_compile": False,
        "run_eagerly": True,
        "steps_per_execution": 4,
    },
    state=StateSpec(
        seeds={"layers/encoder/layers/dropout/seed_generator": (1337, 2**32 - 1)},
        tensors=tensors("", "layers/lstm/states/0", file="state/{}.npy", frozen=True),
    ),
    optimizer=tensors(
        "optimizer/",
        "@discriminator_optimizer/iterations",
        "iterations",
        "momentums/layers/dense/kernel",
        frozen=True,
    ),
    live_names={
        ".": "golden_3",
        "layers/custom:block": "dense_9",
        "layers/dense": "dense_7",
    },
)

CONTENTS: Mapping[str, Callable[[], npy.Array | bytes]] = {
    path: partial(np.asarray, stored) for path, stored in ARRAYS.items()
} | {path: partial(bytes, data) for path, data in ASSETS.items()}


def files() -> dict[str, bytes]:
    """Build the golden model in memory."""
    return {path: b"".join(parts) for path, parts in writer.files(STORED, CONTENTS)}


def is_json(path: str) -> bool:
    """Tell the JSON files of the format; an asset may be called anything."""
    return path.endswith(".json") and "/assets/" not in path


def checked_in() -> dict[str, bytes]:
    """Read the golden model as it is checked in."""
    paths = (path for path in sorted(MODEL.rglob("*")) if path.is_file())
    return {path.relative_to(MODEL).as_posix(): path.read_bytes() for path in paths}


def main() -> None:
    shutil.rmtree(MODEL, ignore_errors=True)
    for path, data in files().items():
        (MODEL / path).parent.mkdir(parents=True, exist_ok=True)
        (MODEL / path).write_bytes(data)


if __name__ == "__main__":
    main()
