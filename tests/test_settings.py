"""Settings that were changed after a class had built a layer come back, or the load says no."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import models
import numpy as np
import pytest
from live import assert_same_outputs
from models import Chain, Plain

import kvcs

CLASSES = {"Plain": Plain, "Chain": Chain}


def chain(change: Callable[[Chain], None] = lambda model: None) -> Chain:
    model = Chain()
    model(models.floats(2, 3))
    change(model)
    return model


def saved_and_loaded(model: keras.Model, root: Path) -> Any:
    kvcs.save(model, root / "model")
    return kvcs.load(root / "model", custom_objects=CLASSES)


CHANGED: dict[str, tuple[Callable[[Any], Any], str, Any]] = {
    # where it stands, the setting, and what is assigned
    "activation of a layer": (lambda it: it.dense, "activation", keras.activations.relu),
    "activation of a part": (lambda it: it.plain.projection, "activation", keras.activations.gelu),
    "float": (lambda it: it.plain.dropout, "rate", 0.7),
    "integer that was none": (lambda it: it.plain.dropout, "seed", 7),
    "epsilon in a list": (lambda it: it.plain.steps[1], "epsilon", 0.5),
    "momentum": (lambda it: it.plain.steps[1], "momentum", 0.5),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_setting_is_put_back(name: str, tmp_path: Path) -> None:
    at, key, value = CHANGED[name]
    before = getattr(at(chain()), key)
    model = chain(lambda it: setattr(at(it), key, value))
    assert before != value
    loaded = saved_and_loaded(model, tmp_path)
    assert getattr(at(loaded), key) == value
    assert_same_outputs(model, loaded, models.floats(4, 3))


def test_what_was_not_changed_is_left_alone(tmp_path: Path) -> None:
    loaded = saved_and_loaded(chain(), tmp_path)
    assert loaded.plain.dropout.rate == 0.1
    assert loaded.dense.activation is keras.activations.linear
    assert loaded.plain.steps[1].epsilon == 0.001


def test_settings_in_two_layers_of_one_class_do_not_mix(tmp_path: Path) -> None:
    inputs = keras.Input((3,))
    one, other = Plain(), Plain()
    model = keras.Model(inputs, other(one(inputs)))
    other.dropout.rate = 0.3
    loaded = saved_and_loaded(model, tmp_path)
    found = [layer.dropout.rate for layer in loaded.layers if isinstance(layer, Plain)]
    assert found == [0.1, 0.3]


def test_a_policy_is_there_before_the_weights_are_made(tmp_path: Path) -> None:
    model = Chain()
    model.plain.projection.dtype_policy = keras.DTypePolicy("float64")
    model.dense.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    model(models.floats(2, 3))
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded.plain.projection.kernel.dtype == "float64"
    assert loaded.dense.compute_dtype == "bfloat16"
    assert_same_outputs(model, loaded, models.floats(4, 3))


def test_a_regularizer_counts(tmp_path: Path) -> None:
    """Without it, training would go another way."""
    model = Chain()
    model.plain.projection.kernel_regularizer = keras.regularizers.L2(0.5)
    model(models.floats(2, 3))
    kvcs.save(model, tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model", custom_objects=CLASSES)
    loaded(models.floats(2, 3))
    assert loaded.losses == model.losses != []


def test_a_setting_inside_a_custom_cell(tmp_path: Path) -> None:
    """A custom layer inside one of Keras' own."""
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.RNN(Cell(2))])
    model.layers[0].cell.inner.activation = keras.activations.tanh
    kvcs.save(model, tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model", custom_objects={"Cell": Cell})
    assert loaded.layers[0].cell.inner.activation is keras.activations.tanh


class Cell(keras.layers.Layer):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state_size = self.units = units
        self.inner = keras.layers.Dense(units)

    def build(self, shape: Any) -> None:
        self.inner.build((shape[0], shape[-1] + self.units))

    def call(self, x: Any, states: Any) -> Any:
        x = self.inner(keras.ops.concatenate([x, states[0]], axis=-1))
        return x, [x]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def test_a_part_has_the_flags_and_the_weights_it_had(tmp_path: Path) -> None:
    model = chain()
    model.plain.projection.trainable = False
    model.plain.projection.bias.assign(np.ones(3))
    loaded = saved_and_loaded(model, tmp_path)
    assert not loaded.plain.projection.trainable
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    assert np.asarray(loaded.plain.projection.bias).tolist() == [1.0, 1.0, 1.0]


def test_the_automatic_names_of_parts_come_back(tmp_path: Path) -> None:
    """They tell the variables of two blocks apart where a person lists them."""
    model = chain()
    loaded = saved_and_loaded(model, tmp_path)
    assert [part.name for part in loaded.plain.steps] == [part.name for part in model.plain.steps]
    assert loaded.plain.dropout.name == model.plain.dropout.name
    assert loaded.plain.projection.name == "chosen"
