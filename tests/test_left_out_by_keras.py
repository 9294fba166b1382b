"""What Keras' own files lose or refuse, found by trying: it comes back, or is refused at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import models
import numpy as np
import pytest
from keras import layers, ops
from live import assert_same_outputs, bits, variables_of

import kvcs
from kvcs.errors import RestoreWarning, SaveError

X = models.floats(4, 6)
Y = models.floats(4, 2)


def sequence(*parts: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((6,)), *parts])


class Project(layers.Layer):
    """Its config says nothing but its size."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units))

    def call(self, x: Any) -> Any:
        return ops.matmul(x, self.kernel)

    def get_config(self) -> dict[str, Any]:
        return {"units": self.units}


class Wider(Project):
    """What became of `Project`: it has an argument more."""

    def __init__(self, units: int, scale: float = 1.0) -> None:
        super().__init__(units)
        self.scale = scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


Wider.__name__ = Project.__name__


class Two(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = Project(4)
        self.last = layers.Dense(2, dtype="float32")

    def call(self, x: Any) -> Any:
        return self.last(self.first(x))


CLASSES = {"Project": Project, "Two": Two}


def round_trip(model: keras.Model, root: Path, **options: Any) -> keras.Model:
    kvcs.save(model, root / "model")
    loaded = kvcs.load(root / "model", custom_objects=CLASSES, **options)
    kvcs.save(loaded, root / "again")
    assert kvcs.digest(root / "again") == kvcs.digest(root / "model")
    return loaded


def called(model: keras.Model) -> keras.Model:
    model(X)
    return model


@pytest.mark.parametrize(
    "build",
    [lambda: called(Two()), lambda: keras.Sequential([keras.Input((6,)), Project(3)])],
    ids=["built by a class", "built from its config"],
)
def test_the_policy_of_a_layer_is_its_own(build: Callable[[], Any], tmp_path: Path) -> None:
    """And not that of the process that loads it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy(before)
    assert_same_outputs(model, round_trip(model, tmp_path), X)


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.Huber(0.3),
        keras.losses.CosineSimilarity(axis=0),
        keras.losses.MeanSquaredError(dtype="float16"),
    ],
    ids=["delta", "axis", "dtype"],
)
def test_an_argument_of_a_loss(loss: keras.losses.Loss, tmp_path: Path) -> None:
    model = sequence(layers.Dense(2))
    model.compile("sgd", loss, metrics=[keras.metrics.CosineSimilarity(axis=0)])
    loaded = round_trip(model, tmp_path)
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_a_loss_that_does_not_tell_its_arguments_is_refused(tmp_path: Path) -> None:
    class Scaled(keras.losses.Loss):
        def __init__(self, scale: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.scale = scale

    model = sequence(layers.Dense(2))
    model.compile("sgd", Scaled(3.0))
    with pytest.raises(SaveError, match=r"Scaled: its constructor takes scale, and its class has"):
        kvcs.save(model, tmp_path / "model")


def test_a_class_may_gain_an_argument(tmp_path: Path) -> None:
    kvcs.save(keras.Sequential([keras.Input((6,)), Project(3)]), tmp_path / "model")
    with pytest.warns(RestoreWarning, match=r"scale is 1.0, and stored is none"):
        loaded = kvcs.load(tmp_path / "model", custom_objects={"Project": Wider})
    assert type(loaded.layers[0]) is Wider


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize(
    "attention",
    [lambda: layers.MultiHeadAttention(2, 4), lambda: layers.GroupQueryAttention(4, 4, 2)],
    ids=["multi-head", "group-query"],
)
def test_quantised_attention(mode: str, attention: Callable[[], Any], tmp_path: Path) -> None:
    model = attend(attention())
    model.quantize(mode)
    loaded = round_trip(model, tmp_path)
    assert sorted(map(bits, variables_of(loaded))) == sorted(map(bits, variables_of(model)))
    assert_same_outputs(model, loaded, models.floats(2, 5, 8))


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have a `quantize` method")
@pytest.mark.parametrize("mode", ["gptq", "awq"])
def test_a_calibrated_layer(mode: str, tmp_path: Path) -> None:
    model = sequence(layers.Dense(8))
    calibrate(model.layers[0], mode)
    loaded = round_trip(model, tmp_path)
    assert_same_outputs(model, loaded, X)


def calibrate(layer: Any, mode: str) -> None:
    """Do what is left of calibrating a layer when the data was seen."""
    settings = {"dataset": None, "tokenizer": None, "group_size": 3}
    kind = {"gptq": keras.quantizers.GPTQConfig, "awq": keras.quantizers.AWQConfig}[mode]
    layer.quantize(mode, config=kind(**settings))
    for variable in layer.variables:
        if "int" in str(variable.dtype):
            variable.assign(np.random.default_rng(0).integers(0, 2, variable.shape))
    del layer._kernel
    setattr(layer, f"is_{mode}_calibrated", True)


def attend(attention: Any) -> keras.Model:
    tokens = keras.Input((5, 8))
    return keras.Model(tokens, attention(tokens, tokens))


def test_lora_inside_attention(tmp_path: Path) -> None:
    attention = layers.MultiHeadAttention(2, 4)
    model = attend(attention)
    attention._query_dense.enable_lora(2)
    attention._query_dense.lora_kernel_b.assign(np.ones((2, 4)))
    loaded = round_trip(model, tmp_path)
    assert loaded.layers[-1]._query_dense.lora_rank == 2
    assert_same_outputs(model, loaded, models.floats(2, 5, 8))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_training_in_float8_goes_on(tmp_path: Path) -> None:
    model = sequence(layers.Dense(4), layers.Dense(2))
    model.quantize("float8")
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    loaded = round_trip(model, tmp_path)
    one = model.fit(X, Y, verbose=0, shuffle=False).history["loss"]
    other = loaded.fit(X, Y, verbose=0, shuffle=False).history["loss"]
    assert np.allclose(one, other, rtol=1e-5)  # float8 rounds by what threads add up first


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_learning_rate_that_is_a_function(tmp_path: Path) -> None:
    model = sequence(layers.Dense(2))
    model.compile(keras.optimizers.SGD(lambda: 0.5), "mse")
    loaded = round_trip(model, tmp_path, safe_mode=False)
    assert float(loaded.optimizer.learning_rate) == 0.5


def test_a_compile_that_cannot_be_repeated_is_refused(tmp_path: Path) -> None:
    class Adversarial(Two):
        def compile(self, judge_optimizer: Any) -> None:
            super().compile()
            self.hidden = judge_optimizer

    model = called(Adversarial())
    model.compile(keras.optimizers.SGD())
    with pytest.raises(SaveError, match=r"compile\(\) takes 'judge_optimizer' and keeps it under"):
        kvcs.save(model, tmp_path / "model")


def test_a_variable_that_keras_does_not_track_is_refused(tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    model = called(Two())
    model.first.factor = tensorflow.Variable(2.0)
    with pytest.raises(SaveError, match=r"\(Project\) keeps 'factor' in a tf.Variable"):
        kvcs.save(model, tmp_path / "model")


def test_the_name_of_a_model_whose_class_takes_none(tmp_path: Path) -> None:
    model = called(Two())
    model.name = "champion"
    assert round_trip(model, tmp_path).name == "champion"
