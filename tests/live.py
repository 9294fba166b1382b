"""What two live models have in common, for tests."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np

from kvcs.spec import Value


def config_of(model: keras.Model) -> Value:
    """Return Keras' own config of a model, without memory addresses."""
    return _strip(json.loads(json.dumps(keras.saving.serialize_keras_object(model))))


def _strip(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if key != "shared_object_id"}
    return [_strip(item) for item in value] if isinstance(value, list) else value


def bits(variable: Any) -> tuple[str, tuple[int, ...], bytes]:
    """Return what must be equal of a variable: dtype, shape and every bit."""
    array = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
    return array.dtype.name, array.shape, array.tobytes()


def variables_of(model: keras.Model) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    return [*model.variables, *(optimizer.variables if optimizer is not None else [])]


def assert_same(one: keras.Model, other: keras.Model) -> None:
    """Assert that two models are the same to Keras and to the bit."""
    assert type(one) is type(other)
    assert config_of(one) == config_of(other)
    assert names_of(one) == names_of(other)
    assert [bits(v) for v in variables_of(one)] == [bits(v) for v in variables_of(other)]
    flags = [[v.trainable for v in model.variables] for model in (one, other)]
    assert flags[0] == flags[1]
    assert [layer.trainable for layer in layers_of(one)] == [
        layer.trainable for layer in layers_of(other)
    ]
    assert policies_of(one) == policies_of(other)


def layers_of(model: keras.Model) -> list[Any]:
    return list(model._flatten_layers(recursive=False))


def policies_of(model: keras.Model) -> list[str]:
    """Return the dtype policies; that of an InputLayer, which casts nothing, has no meaning."""
    inputs = keras.layers.InputLayer
    return [layer.dtype_policy.name for layer in layers_of(model) if not isinstance(layer, inputs)]


def names_of(model: keras.Model) -> list[str]:
    return [layer.name for layer in layers_of(model)]


def outputs(model: keras.Model, data: Any) -> list[np.ndarray]:
    """Call a model for inference and return its outputs, flat."""
    found = keras.tree.flatten(model(data, training=False))
    return [np.asarray(keras.ops.convert_to_numpy(tensor)) for tensor in found]


def assert_same_outputs(one: keras.Model, other: keras.Model, data: Any) -> None:
    for mine, theirs in zip(outputs(one, data), outputs(other, data), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()
