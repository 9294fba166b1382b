"""The JSON of Keras 2 as Keras 3 reads it, on dicts, without Keras."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import pytest

from kvcs.errors import KvcsError, RestoreError
from kvcs.keras2 import compile_arguments, is_plain, plain_model, upgraded_model
from kvcs.keras2.rules import LAYERS as RULES

HERE = Path(__file__).parent / "keras2"
NAMES = sorted(path.stem for path in HERE.glob("*.h5"))
LAYERS = json.loads((HERE / "layers.json").read_text())


@cache
def attribute(name: str, key: str) -> str:
    with h5py.File(HERE / f"{name}.h5") as file:
        return str(file.attrs[key])


def description(name: str) -> Any:
    return json.loads(attribute(name, "model_config"))


def upgraded(value: Any) -> Any:
    return upgraded_model(value, lambda name: False)


def sequence(*layers: Any) -> Any:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def layer(cls: str, **config: Any) -> Any:
    return {"class_name": cls, "config": {"name": "x", **config}}


def refusal(value: Any) -> str:
    with pytest.raises(RestoreError) as caught:
        upgraded(value)
    return str(caught.value)


def test_a_layer() -> None:
    dense = layer(
        "Dense",
        dtype={"class_name": "Policy", "config": {"name": "mixed_float16"}},
        units=2,
        batch_input_shape=[None, 3],
        kernel_initializer={"class_name": "VarianceScaling", "config": {"distribution": "normal"}},
        bias_regularizer={"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.0}},
    )
    first, found = upgraded(sequence(dense))["config"]["layers"]
    assert first["config"] == {"name": "x_input", "dtype": "float32", "batch_shape": [None, 3]}
    assert found == {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {
            "name": "x",
            "dtype": {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": {"name": "mixed_float16"},
                "registered_name": None,
            },
            "units": 2,
            "kernel_initializer": {
                "module": "keras.initializers",
                "class_name": "VarianceScaling",
                "config": {"distribution": "truncated_normal"},
                "registered_name": None,
            },
            "bias_regularizer": {
                "module": "keras.regularizers",
                "class_name": "L1L2",
                "config": {"l1": 0.1, "l2": 0.0},
                "registered_name": None,
            },
        },
        "registered_name": None,
    }


LSTM = {"units": 2, "recurrent_activation": "sigmoid"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            layer("LSTM", **LSTM, time_major=True),
            (
                "layer 'x' (LSTM): time_major=True has no equivalent in Keras 3, which does only "
                "time_major=False"
            ),
        ),
        (
            layer("LSTM", units=2),
            (
                "layer 'x' (LSTM): 'recurrent_activation' is missing, whose default is not the "
                "same in "
                "all versions of Keras: add it"
            ),
        ),
        (
            layer("Dense", units=2, init="uniform"),
            (
                "layer 'x' (Dense): 'init' is no setting of this layer in Keras 3. If it has no "
                "effect, take it out of the JSON"
            ),
        ),
        (
            layer("BatchNormalization", axis=[1, 2]),
            (
                "layer 'x' (BatchNormalization): axis=[1, 2] has no equivalent in Keras 3, which "
                "takes one"
            ),
        ),
        (
            layer("DepthwiseConv2D", kernel_size=2, groups=3),
            (
                "layer 'x' (DepthwiseConv2D): groups=3 has no equivalent in Keras 3, which does "
                "only "
                "groups=1"
            ),
        ),
        (
            layer("Bidirectional", layer=layer("GRU", units=2, recurrent_activation="tanh")),
            (
                "layer 'x' (Bidirectional), layer (GRU): 'reset_after' is missing, whose default "
                "is not "
                "the same in all versions of Keras: add it"
            ),
        ),
        (
            layer("CuDNNLSTM", units=2),
            (
                "layer 'x' (CuDNNLSTM) has no equivalent in Keras 3: its weights are laid out for "
                "cuDNN: load the model in Keras 2, build it with LSTM in its place, and save it "
                "again"
            ),
        ),
        (
            layer("Dense", units=2, activation="cube"),
            (
                "layer 'x' (Dense): activation is 'cube', which Keras 3 does not have: if it is "
                "your "
                "own, pass custom_objects={'cube': function}"
            ),
        ),
        (
            layer("Dense", kernel_constraint={"class_name": "RadialConstraint", "config": {}}),
            (
                "layer 'x' (Dense): kernel_constraint is a RadialConstraint, which is none of "
                "Keras 2 "
                "that Keras 3 has: if it is your own, pass custom_objects={'RadialConstraint': "
                "RadialConstraint}, or register it and import its module first (--import MODULE "
                "on the "
                "command line)"
            ),
        ),
        (
            layer("InputLayer", batch_input_shape=[None, 2], ragged=True),
            "layer 'x' (InputLayer): inputs that are ragged have no equivalent in Keras 3",
        ),
    ],
)
def test_what_has_no_equivalent_is_named(given: Any, sentence: str) -> None:
    assert refusal(sequence(given)) == sentence


def operation(function: str, **keywords: Any) -> Any:
    """Return a graph with a function of TensorFlow in it."""
    cls = "SlicingOpLambda" if function.endswith("getitem") else "TFOpLambda"
    inputs = {**layer("InputLayer", batch_input_shape=[None, 2]), "name": "a", "inbound_nodes": []}
    call = {**layer(cls, function=function), "name": "f", "inbound_nodes": [["a", 0, 0, keywords]]}
    config = {
        "name": "g",
        "layers": [inputs, call],
        "input_layers": [["a", 0, 0]],
        "output_layers": [["f", 0, 0]],
    }
    return {"class_name": "Functional", "config": config}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            operation("image.resize", size=[2, 2]),
            (
                "layer 'f' (TFOpLambda) calls the function image.resize of TensorFlow, for which "
                "kvcs "
                "knows no operation of Keras 3: make a layer of it, and build the model with that"
            ),
        ),
        (operation("math.multiply"), "layer 'f' (TFOpLambda): 'y' is missing"),
        (operation("concat", name=None), "layer 'f' (TFOpLambda): 'axis' is missing"),
        (
            operation("math.reduce_sum", axis=["a", 0, 0]),
            "layer 'f' (TFOpLambda): axis is computed, which Keras 3 has no operation for",
        ),
        (
            operation("linalg.matmul", b=["a", 0, 0], transpose_b=True),
            "layer 'f' (TFOpLambda): transpose_b=True has no equivalent in Keras 3",
        ),
        (
            operation("__operators__.getitem", slice_spec=[["a", 0, 0]]),
            (
                "layer 'f' (SlicingOpLambda): {'class_name': '__keras_tensor__', 'config': "
                "{'shape': "
                "[None], 'dtype': 'float32 is an index that Keras 3 has no operation for"
            ),
        ),
        (
            operation("math.multiply", y=["b", 0, 0]),
            "layer 'f' (TFOpLambda): takes a tensor of layer 'b', which is not there",
        ),
        (
            operation("math.multiply", y=["a", 1, 0]),
            (
                "layer 'f' (TFOpLambda): takes the result of call 1 of layer 'a', which is "
                "called 1 "
                "times, counted from 0"
            ),
        ),
    ],
)
def test_a_function_that_has_no_equivalent_is_named(given: Any, sentence: str) -> None:
    assert refusal(given) == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            layer("Dense", units=2),
            "this JSON describes a Dense, which is no model: a model is expected",
        ),
        (
            {"class_name": "Model"},
            "the model: this JSON has no 'config', and so describes nothing of Keras",
        ),
        ([], "the model: this JSON is a list where an object is expected"),
        (sequence(5), "the model: a layer is a number where an object is expected"),
    ],
)
def test_what_is_no_model(given: Any, sentence: str) -> None:
    assert refusal(given) == sentence


def test_a_graph_with_a_loop() -> None:
    graph = operation("math.multiply", y=["f", 0, 0])
    assert refusal(graph) == "the model: the calls of f wait for each other"


def test_a_layer_that_two_models_share() -> None:
    shared = {**layer("Dense", units=2), "name": "x", "shared_object_id": 7}
    one, other = sequence(shared), sequence(shared)
    assert refusal(sequence(one, other)) == (
        "layer 'x' stands in two models, which share its weights: Keras 3 would make two layers of "
        "it. Build the model in Keras 3, and load the weights only"
    )


def training(**given: Any) -> Any:
    return compile_arguments({"optimizer": "sgd", **given}, ["out"], lambda name: name == "mine")


def test_decay_of_an_old_optimizer() -> None:
    config = {"lr": 0.5, "decay": 0.1, "momentum": 0.0}
    found = training(optimizer={"class_name": "SGD", "config": config})["optimizer"]
    assert found["config"]["learning_rate"]["class_name"] == "InverseTimeDecay"
    assert found["config"]["learning_rate"]["config"] == {
        "initial_learning_rate": 0.5,
        "decay_steps": 1,
        "decay_rate": 0.1,
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"optimizer": {"class_name": "LossScaleOptimizer", "config": {}}},
            "the optimizer is a LossScaleOptimizer, which Keras 3 does not have",
        ),
        (
            {"optimizer": {"class_name": "SGD", "config": {"turbo": 1}}},
            "the optimizer (SGD): 'turbo' is no setting of it in Keras 3",
        ),
        (
            {"optimizer": {"class_name": "Nadam", "config": {"learning_rate": 0.1, "decay": 0.2}}},
            "the optimizer (Nadam): its decay 0.2 has no equivalent in Keras 3",
        ),
        (
            {"metrics": [{"class_name": "MeanMetricWrapper", "config": {"fn": "yours"}}]},
            (
                "one of the metrics is the function 'yours', which Keras 3 does not have as a "
                "metric: "
                "if it is your own, pass custom_objects={'yours': yours}"
            ),
        ),
        (
            {"loss": {"class_name": "Huber", "config": {"delta": 1.0, "gamma": 2}}},
            "the loss (Huber): 'gamma' is no setting of it in Keras 3",
        ),
    ],
)
def test_training_that_has_no_equivalent_is_named(given: Any, sentence: str) -> None:
    with pytest.raises(RestoreError) as caught:
        training(**given)
    assert str(caught.value) == sentence


def test_the_plain_form() -> None:
    plain = {
        "layers": [
            {"name": "a", "class_name": "LSTM", "units": 2, "input_shape": [3, 4]},
            {"name": "b", "class_name": "Dense", "config": {"units": 5}},
        ]
    }
    assert is_plain(plain)
    assert not is_plain({**plain, "class_name": "Sequential"})
    found = plain_model(plain, lambda name: False)["config"]["layers"]
    assert [each["config"] for each in found] == [
        {"name": "a_input", "dtype": "float32", "batch_shape": [None, 3, 4]},
        {"name": "a", "units": 2, "recurrent_activation": "sigmoid"},
        {"name": "b", "units": 5},
    ]


def pieces(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON text: an object or a list, and a key of it."""
    if isinstance(value, dict | list):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from pieces(item)


def test_the_table_has_a_case_for_every_layer_that_calculates() -> None:
    """But for those that have a fixture of their own, and those that look up texts."""
    seen = {
        each["class_name"]
        for model in [*[case["model"] for case in LAYERS], *map(description, NAMES)]
        for holder, key in pieces(model)
        if isinstance(each := holder[key], dict) and "class_name" in each
    }
    calculating = {name for name, rule in RULES.items() if not rule.refused}
    assert sorted(calculating - seen) == [
        "ConvLSTM3D", "HashedCrossing", "Hashing", "IntegerLookup", "SpectralNormalization",
        "StringLookup", "SyncBatchNormalization", "TextVectorization",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_missing_or_mistaken_is_refused_in_words(name: str) -> None:
    whole = description(name)
    changed = copy.deepcopy(whole)
    for holder, key in list(pieces(changed)):
        before = copy.copy(holder)
        for wrong in ("missing", None, 7, "seven", [], {}, [1.5], True):
            if wrong == "missing":
                del holder[key]
            else:
                holder[key] = wrong
            with suppress(KvcsError):
                upgraded(changed)
            holder.clear()
            holder.update(before) if isinstance(holder, dict) else holder.extend(before)
    assert changed == whole


@pytest.mark.parametrize("name", ["mlp", "convolutional", "shared"])
def test_whatever_is_mistaken_in_training_is_refused_in_words(name: str) -> None:
    changed = json.loads(attribute(name, "training_config"))
    for holder, key in list(pieces(changed)):
        before = copy.copy(holder)
        for wrong in (None, 7, "seven", [], {}, [1.5], True):
            holder[key] = wrong
            with suppress(KvcsError):
                compile_arguments(changed, ["first", "second"], lambda name: False)
        del holder[key]
        with suppress(KvcsError):
            compile_arguments(changed, ["first", "second"], lambda name: False)
        holder.clear()
        holder.update(before) if isinstance(holder, dict) else holder.extend(before)
