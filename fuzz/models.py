"""The models that targets begin with, made without Keras and as small as models are."""

from __future__ import annotations

import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from kvcs.keras_files import writing
from kvcs.spec import (
    Call,
    ClassRef,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    StoredModel,
    SymbolicTensor,
    TensorRef,
    TensorSpec,
)
from kvcs.tree import writer
from kvcs.tree.reader import tensors

TESTS = str(Path(__file__).parent.parent / "tests")


@cache
def golden() -> dict[str, bytes]:
    """Return the files of the golden model, which holds one of everything."""
    root = Path(TESTS, "golden", "model")
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@cache
def small() -> dict[str, bytes]:
    """Return the files of a model that both kvcs and Keras can build."""
    return {path: b"".join(parts) for path, parts in writer.files(_small(), _arrays(_small()))}


@cache
def keras_file() -> bytes:
    """Return that model as a `.keras` file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "model.keras")
        writing.write(_small(), _arrays(_small()), path)
        return path.read_bytes()


def _arrays(model: StoredModel) -> Any:
    return {path: partial(np.ones, spec.shape, spec.dtype) for path, (_, spec) in tensors(model)}


def _small() -> StoredModel:
    layers = (
        _entry("image", _layer("InputLayer", batch_shape=[None, 2], sparse=False, ragged=False)),
        _entry("dense", _dense(), TensorRef("image", 0, 0)),
        _entry("dropout", _layer("Dropout", rate=0.5, seed=1, noise_shape=None),
               TensorRef("dense", 0, 0)),
    )  # fmt: skip
    model = ModelSpec(
        cls=ClassRef("keras.src.models.functional", "Functional", "Functional"),
        config={"trainable": True, "dtype": _policy()},
        build="graph",
        layers=layers,
        inputs=[TensorRef("image", 0, 0)],
        outputs=[TensorRef("dropout", 0, 0)],
    )
    return StoredModel(model=model, name="functional", keras_version="3.15.0")


def _entry(name: str, layer: LayerSpec, *inputs: TensorRef) -> LayerEntry:
    outputs = (SymbolicTensor(shape=(None, 2), dtype="float32"),)
    call = Call(args=inputs, kwargs={}, outputs=outputs)
    return LayerEntry(name=name, path=f"layers/{name}", calls=(call,), layer=layer)


def _layer(cls: str, **config: Any) -> LayerSpec:
    own = {"trainable": True} if cls != "InputLayer" else {}
    dtype = "float32" if cls == "InputLayer" else _policy()
    return LayerSpec(cls=ClassRef("keras.layers", cls), config={**config, **own, "dtype": dtype})


def _dense() -> LayerSpec:
    return LayerSpec(
        cls=ClassRef("keras.layers", "Dense"),
        config={
            "trainable": True,
            "dtype": _policy(),
            "units": 2,
            "activation": "relu",
            "use_bias": True,
            "kernel_initializer": _object("keras.initializers", "GlorotUniform", seed=None),
            "bias_initializer": _object("keras.initializers", "Zeros"),
            "kernel_regularizer": None,
            "bias_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
            "quantization_config": None,
        },
        build_config={"input_shape": [None, 2]},
        tensors={"bias": _weight("bias", 2), "kernel": _weight("kernel", 2, 2)},
    )


def _weight(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(file=f"{name}.npy", dtype="float32", shape=shape, trainable=True)


def _policy() -> dict[str, Any]:
    return _object("keras", "DTypePolicy", name="float32")


def _object(module: str, cls: str, /, **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": cls, "config": config, "registered_name": None}
