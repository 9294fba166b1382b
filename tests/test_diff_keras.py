"""Live models of Keras, directories and `.keras` files, compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from models import CASES, built

import kvcs
from kvcs.comparison.values import COUNTED


def counts(found: Any) -> dict[str, int]:
    return {key: count for key, count in found.summary.items() if count and key in COUNTED}


def image_model(*, extra: bool = False, rate: float = 0.25) -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    x = inputs
    for filters in (4, 8, 8, 8):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    if extra:
        x = layers.SpatialDropout2D(0.1)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(rate)(x)
    return keras.Model(inputs, layers.Dense(3, name="classes")(x), name="images")


def with_weights_of(model: keras.Model, new: keras.Model) -> keras.Model:
    for old_layer, new_layer in zip(
        [layer for layer in model.layers if layer.weights],
        [layer for layer in new.layers if layer.weights],
        strict=True,
    ):
        new_layer.set_weights(old_layer.get_weights())
    return new


@pytest.fixture(scope="module")
def base() -> keras.Model:
    return image_model()


class TestEdits:
    def test_rebuilt_in_the_same_process(self, base: keras.Model) -> None:
        found = kvcs.diff(base, with_weights_of(base, image_model()))
        assert not found
        assert found.summary["renumbered"] > 0

    def test_a_layer_and_a_setting(self, base: keras.Model) -> None:
        found = kvcs.diff(base, with_weights_of(base, image_model(extra=True, rate=0.5)))
        assert counts(found) == {"added": 1, "config": 1}

    def test_trained(self, base: keras.Model) -> None:
        new = with_weights_of(base, image_model())
        new.compile("sgd", "mse")
        new.fit(np.ones((4, 8, 8, 1)), np.ones((4, 3)), verbose=0)
        found = kvcs.diff(base, new)
        assert counts(found) == {"training": 1, "weights": 9}
        assert found.summary["state"] >= 4  # averages, seeds, the optimizer's variables

    def test_lora_enabled_and_merged(self) -> None:
        inputs = keras.Input((16,))
        model = keras.Model(inputs, layers.Dense(12, name="wide")(inputs))
        other = keras.models.clone_model(model)
        other.set_weights(model.get_weights())
        wide = other.get_layer("wide")
        wide.enable_lora(2)
        wide.lora_kernel_b.assign(np.random.default_rng(0).normal(size=(2, 12)))
        found = kvcs.diff(model, other)
        assert counts(found) == {"config": 2, "shapes": 1, "trainable": 1}
        merged = keras.models.clone_model(model)
        merged.set_weights([np.asarray(wide.kernel), model.get_weights()[1]])
        (change,) = kvcs.diff(other, merged).diff.of("shape")
        assert change.details["labels"] == ["LoRA merged, rank 2"]
        (change,) = kvcs.diff(model, merged).diff.of("weights")
        assert change.details["labels"] == ["low-rank update, rank 2"]

    def test_a_frozen_backbone(self) -> None:
        def model() -> keras.Model:
            backbone = keras.Sequential(
                [keras.Input((4,)), layers.Dense(6), layers.ReLU(), layers.Dense(5)], name="body"
            )
            return keras.Sequential([keras.Input((4,)), backbone, layers.Dense(2)])

        old, new = model(), model()
        new.set_weights(old.get_weights())
        new.get_layer("body").trainable = False
        assert counts(kvcs.diff(old, new)) == {"trainable": 2}

    def test_from_sequential_to_functional(self) -> None:
        old = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])
        inputs = keras.Input((4,))
        new = keras.Model(inputs, layers.Dense(2)(layers.Dense(3)(inputs)))
        new.set_weights(old.get_weights())
        assert counts(kvcs.diff(old, new)) == {"replaced": 1}

    def test_operations_and_their_constants(self) -> None:
        def model(factor: float) -> keras.Model:
            inputs = keras.Input((4,))
            return keras.Model(inputs, keras.ops.mean(inputs * factor, axis=1))

        found = kvcs.diff(model(2.0), model(3.0))
        assert counts(found) == {"config": 1}
        (change,) = found.diff.of("config")
        assert (change.old, change.new) == (2.0, 3.0)


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_kind_of_model_equals_itself(name: str, tmp_path: Path) -> None:
    model = built(name)
    kvcs.save(model, tmp_path / "model")
    found = kvcs.diff(tmp_path / "model", model)
    assert not found
    assert found.to_dict()["changes"] == []


@pytest.mark.parametrize("name", ["transformer", "nested_called_twice", "subclassed_with_lists"])
def test_every_kind_of_model_rebuilt(name: str) -> None:
    found = kvcs.diff(built(name), CASES[name].build())
    assert set(counts(found)) <= {"weights", "training"}


def test_files_of_keras(tmp_path: Path, base: keras.Model) -> None:
    base.save(tmp_path / "model.keras")
    kvcs.save(base, tmp_path / "model")
    found = kvcs.diff(tmp_path / "model.keras", tmp_path / "model")
    assert not found
    assert found.to_text().startswith(f"{tmp_path}/model.keras → {tmp_path}/model    SAME: ")


def test_without_statistics(base: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Callable[[], None]:
        raise AssertionError("a weight was read")

    monkeypatch.setattr("kvcs.comparison.weighing._array", refuse)
    assert counts(kvcs.diff(base, image_model(), stats=False))["weights"] == 5
