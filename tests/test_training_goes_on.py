"""Training that is interrupted by a save and a load is training that was never interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import models
import pytest
from keras import layers
from live import variables_of

import kvcs

BATCH, BATCHES = 8, 2

# With settings that give the optimizer more to remember, where it has such.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    "Adam": {"amsgrad": True},
    "AdamW": {"weight_decay": 0.01},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adagrad": {},
    "Adadelta": {"learning_rate": 0.5},
    "Adafactor": {},
    "Nadam": {},
    "Ftrl": {"learning_rate": 0.05, "l1_regularization_strength": 0.01},
    "Lion": {},
    "Lamb": {},
    "Muon": {},
}

# The same for what goes with any optimizer. Three does not divide the steps before the save.
FEATURES: dict[str, dict[str, Any]] = {
    "average": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
    "average in the end": {"use_ema": True, "ema_momentum": 0.9},
    "accumulated gradients": {"gradient_accumulation_steps": 3},
    "clipped gradients": {"global_clipnorm": 0.1},
}


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(1)


def network() -> keras.Model:
    """Return a model with all that makes a step depend on more than weights."""
    hidden = layers.Dense(8, activation="tanh", name="hidden")
    rest = [layers.BatchNormalization(), layers.Dropout(0.3, seed=3), layers.Dense(1)]
    return keras.Sequential([keras.Input((6,)), hidden, *rest])


def assert_goes_on(
    model: keras.Model,
    optimizer: Any,
    place: Path,
    data: tuple[Any, Any] | None = None,
) -> keras.Model:
    """Train for four epochs, saved after the second; load that, and train for the last two."""
    x, y = data or (models.floats(BATCH * BATCHES, 6), models.floats(BATCH * BATCHES, 1))
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    model.compile(optimizer, loss="mse", run_eagerly=True)
    uninterrupted = model.fit(x, y, epochs=4, callbacks=[SaveAfterTwo(place)], **options)
    loaded = kvcs.load(place)
    resumed = loaded.fit(x, y, epochs=2, **options)
    assert resumed.history["loss"] == uninterrupted.history["loss"][2:]
    assert len(set(uninterrupted.history["loss"])) == 4  # it learns
    return loaded


class SaveAfterTwo(keras.callbacks.Callback):
    """Save in the midst of a `fit`: what Keras does at the end of one is not done yet."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.place = place

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            kvcs.save(self.model, self.place)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_with_every_optimizer(name: str, tmp_path: Path) -> None:
    if not hasattr(keras.optimizers, name):
        pytest.skip(f"Keras {keras.__version__} has no {name}.")
    optimizer = getattr(keras.optimizers, name)(**OPTIMIZERS[name])
    loaded = assert_goes_on(network(), optimizer, tmp_path / "model")
    assert type(loaded.optimizer) is type(optimizer)


@pytest.mark.parametrize("name", FEATURES)
def test_with_every_feature_of_an_optimizer(name: str, tmp_path: Path) -> None:
    assert_goes_on(network(), keras.optimizers.Adam(0.01, **FEATURES[name]), tmp_path / "model")


@pytest.fixture
def half_precision() -> Iterator[None]:
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("half_precision")
def test_with_a_scaled_loss(tmp_path: Path) -> None:
    scaled = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.01),
        initial_scale=1024.0,
        dynamic_growth_steps=3,  # grows once before the save, and once after it
    )
    loaded = assert_goes_on(network(), scaled, tmp_path / "model")
    assert float(loaded.optimizer.dynamic_scale) == 1024.0 * 2**2


@pytest.mark.parametrize(
    "schedule",
    [
        lambda: keras.optimizers.schedules.ExponentialDecay(0.05, 3, 0.8),
        lambda: keras.optimizers.schedules.CosineDecay(0.0, 7, warmup_target=0.05, warmup_steps=3),
    ],
    ids=["decay", "warm-up"],
)
def test_with_a_schedule(schedule: Callable[[], Any], tmp_path: Path) -> None:
    assert_goes_on(network(), keras.optimizers.Adam(schedule()), tmp_path / "model")


def test_with_a_learning_rate_that_was_changed(tmp_path: Path) -> None:
    model = network()
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.learning_rate = 0.003  # as ReduceLROnPlateau does
    loaded = assert_goes_on(model, optimizer, tmp_path / "model")
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.003)


def test_with_lora(tmp_path: Path) -> None:
    model = network()
    model.get_layer("hidden").enable_lora(2)
    loaded = assert_goes_on(model, keras.optimizers.Adam(0.01), tmp_path / "model")
    assert loaded.get_layer("hidden").lora_enabled
    assert len(loaded.trainable_variables) == len(model.trainable_variables)


def test_with_a_stateful_layer(tmp_path: Path) -> None:
    cells = layers.LSTM(3, stateful=True, recurrent_dropout=0.2, seed=3)
    model = keras.Sequential([keras.Input((5, 3), batch_size=BATCH), cells, layers.Dense(1)])
    data = models.floats(BATCH * BATCHES, 5, 3), models.floats(BATCH * BATCHES, 1)
    assert_goes_on(model, keras.optimizers.Adam(0.01), tmp_path / "model", data)


def test_with_one_frozen_weight(tmp_path: Path) -> None:
    model = network()
    model.get_layer("hidden").kernel.trainable = False
    loaded = assert_goes_on(model, keras.optimizers.Adam(0.01), tmp_path / "model")
    assert not loaded.get_layer("hidden").kernel.trainable
    assert len(variables_of(loaded)) == len(variables_of(model))


def test_with_a_frozen_layer(tmp_path: Path) -> None:
    model = network()
    model.get_layer("hidden").trainable = False
    assert_goes_on(model, keras.optimizers.Adam(0.01), tmp_path / "model")
