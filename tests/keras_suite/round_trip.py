"""What a model has to go through: saved, loaded, compared, saved again, called."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src import tree
from keras.src.testing.test_case import create_eager_tensors
from live import bits, config_of, layers_of, names_of, outputs, variables_of

import kvcs
from kvcs.errors import RefusedError

Data = Any

# Where tests keep classes that they neither register nor give.
MODULES_OF_TESTS = ("keras.src.layers.rnn.dropout_rnn_cell_test", "keras.src.layers.rnn.rnn_test")


class ChangedError(AssertionError):
    """Something did not survive; the text says what."""


@dataclass(frozen=True)
class LayerTest:
    """What `TestCase.run_layer_test` was called with, as far as it makes a model."""

    layer_cls: type[keras.layers.Layer]
    init_kwargs: Mapping[str, Any] | None
    input_shape: Any = None
    input_dtype: Any = None
    input_sparse: bool = False
    input_ragged: bool = False
    input_data: Data = None
    call_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def data(self) -> Data:
        """Return the data of the test, or tensors of its shapes."""
        if self.input_data is not None:
            return self.input_data
        dtype = self.input_dtype
        if dtype is None:
            dtype = tree.map_shape_structure(lambda _: "float32", self.input_shape)
        return create_eager_tensors(self.input_shape, dtype, self.input_sparse, self.input_ragged)

    def model(self, data: Data) -> keras.Model:
        """Return a functional model around the layer, with an optimizer and its slots."""
        inputs = tree.map_structure(self._input, data)
        layer = self.layer_cls(**(self.init_kwargs or {}))
        named = isinstance(inputs, dict)
        call = partial(layer, **inputs) if named else partial(layer, inputs)
        model = keras.Model(inputs, call(**self.call_kwargs))
        model.compile(keras.optimizers.Adam(0.01))
        model.optimizer.build(model.trainable_variables)
        randomise(model)
        return model

    def _input(self, tensor: Any) -> keras.KerasTensor:
        return keras.Input(
            batch_shape=tuple(tensor.shape),
            dtype=keras.backend.standardize_dtype(tensor.dtype),
            sparse=self.input_sparse,
            ragged=self.input_ragged,
        )


def randomise(model: keras.Model) -> None:
    """Give every float variable values that no initializer gives: a fresh one would show."""
    random = np.random.default_rng(0)
    for variable in variables_of(model):
        if "float" in keras.backend.standardize_dtype(variable.dtype):
            variable.assign(random.uniform(0.1, 0.9, variable.shape).astype("float32"))
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # it caches constants made of its variables


def round_trip(model: keras.Model, custom_objects: Mapping[str, Any], data: Data) -> None:
    """Send a model through kvcs, and raise `ChangedError` unless it comes back as it was."""
    with tempfile.TemporaryDirectory() as place:
        first, second = Path(place, "first"), Path(place, "second")
        kvcs.save(model, first)
        loaded = load(first, custom_objects)
        compare(model, loaded)
        # Before the loaded model is called: a call moves the counters of random generators.
        kvcs.save(loaded, second)
        compare_bytes(first, second)
    compare_outputs(model, loaded, data)


def load(directory: Path, custom_objects: Mapping[str, Any]) -> keras.Model:
    """Load a model safely; one with a lambda, which is refused, as one that is trusted."""
    try:
        return kvcs.load(directory, custom_objects=custom_objects, allow=MODULES_OF_TESTS)
    except RefusedError as error:
        if "lambda" not in str(error):
            raise
        return kvcs.load(directory, custom_objects=custom_objects, safe_mode=False)


def compare(model: keras.Model, loaded: keras.Model) -> None:
    """Compare all that can be seen without calling the models."""
    checks = {"class": type, "config": config_of, "names of its layers": names_of}
    for what, look in checks.items():
        if look(model) != look(loaded):
            raise ChangedError(f"The {what} changed: {look(model)} became {look(loaded)}.")
    mine, theirs = variables_of(model), variables_of(loaded)
    if len(mine) != len(theirs):
        raise ChangedError(f"{len(mine)} variables became {len(theirs)}.")
    for one, other in zip(mine, theirs, strict=True):
        if bits(one) != bits(other) or one.trainable != other.trainable:
            raise ChangedError(f"The variable {one.path} changed: {one} became {other}.")
    for one, other in zip(layers_of(model), layers_of(loaded), strict=True):
        if one.trainable != other.trainable:
            raise ChangedError(f"The layer {one.name} is no longer trainable={one.trainable}.")


def compare_bytes(first: Path, second: Path) -> None:
    """Compare two model directories file by file."""
    found = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (first, second)
    ]
    for path in sorted(found[0].keys() | found[1].keys()):
        if found[0].get(path) != found[1].get(path):
            raise ChangedError(f"{path} is not the same when the loaded model is saved.")


def compare_outputs(model: keras.Model, loaded: keras.Model, data: Data) -> None:
    """Compare what the models return, unless the first does not agree with itself."""
    expected, again, found = (outputs(each, data) for each in (model, model, loaded))
    if same(expected, again) and not same(expected, found):
        raise ChangedError("The loaded model returns something else.")


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Tell whether two lists of arrays are equal to the bit."""
    return [content(array) for array in one] == [content(array) for array in other]


def content(array: np.ndarray) -> tuple[str, tuple[int, ...], Any]:
    """Return what must be equal of an array; texts are objects, whose bytes are addresses."""
    texts = array.dtype.kind == "O"
    return array.dtype.name, array.shape, array.tolist() if texts else array.tobytes()
