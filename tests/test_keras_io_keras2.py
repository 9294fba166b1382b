"""What Keras 2 wrote: carried over to Keras 3 with the same predictions, or refused by name.

The fixtures are written by tf_keras itself, see tests/keras2/make.py.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from live import outputs

import kvcs
from kvcs.errors import KvcsError, RestoreError
from kvcs.keras_io import allowing
from kvcs.keras_io.keras2 import compile_as
from kvcs.keras_io.keras2_weights import load_weights
from kvcs.trust import Trust

HERE = Path(__file__).parent / "keras2"
NAMES = sorted(path.stem for path in HERE.glob("*.h5"))


@cache
def config_text(name: str) -> str:
    with h5py.File(HERE / f"{name}.h5") as file:
        return str(file.attrs["model_config"])


def description(name: str) -> Any:
    return json.loads(config_text(name))


def kept(name: str, kind: str) -> list[np.ndarray]:
    with np.load(HERE / "predictions.npz") as file:
        found = [key for key in file if key.startswith(f"{name}/{kind}/")]
        return [file[key] for key in sorted(found)]


def assert_predicts(model: keras.Model, name: str) -> None:
    data = kept(name, "input")
    if name == "structures":
        found = outputs(model, dict(zip(("words", "x"), data, strict=True)))
    else:
        found = outputs(model, data[0] if len(data) == 1 else data)
    for mine, theirs in zip(found, kept(name, "output"), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_predicts_what_it_did(name: str) -> None:
    assert_predicts(kvcs.load(HERE / f"{name}.h5"), name)


@pytest.mark.parametrize("name", NAMES)
def test_json_has_the_same_layers(name: str) -> None:
    model = kvcs.model_from_json(json.dumps({**description(name), "keras_version": "2.21.0"}))
    assert not model.compiled
    with h5py.File(HERE / f"{name}.h5") as file:
        load_weights(file, model, name)
    assert_predicts(model, name)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_saved_and_loaded(name: str, tmp_path: Path) -> None:
    kvcs.save(kvcs.load(HERE / f"{name}.h5"), tmp_path / "model")
    assert_predicts(kvcs.load(tmp_path / "model"), name)


def test_a_keras_file() -> None:
    assert_predicts(kvcs.load(HERE / "convolutional.keras"), "convolutional")


LAYERS = json.loads((HERE / "layers.json").read_text())


@cache
def arrays_of_layers() -> list[list[np.ndarray]]:
    values, found = np.load(HERE / "layers.npy"), []
    for case in LAYERS:
        arrays = []
        for shape in case["shapes"]:
            size = int(np.prod(shape))
            arrays.append(values[:size].reshape(shape))
            values = values[size:]
        found.append(arrays)
    assert not values.size
    return found


def class_of(case: Any) -> str:
    return str(case["model"]["config"]["layers"][1]["class_name"])


@pytest.mark.parametrize(
    "number", range(len(LAYERS)), ids=[f"{i}-{class_of(case)}" for i, case in enumerate(LAYERS)]
)
def test_a_layer_predicts_what_it_did(number: int) -> None:
    data, *weights, expected = arrays_of_layers()[number]
    model = kvcs.model_from_json(json.dumps(LAYERS[number]["model"]))
    model.set_weights(weights)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    (found,) = outputs(model, data)
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


TRAINING = json.loads((HERE / "training.json").read_text())


@pytest.mark.parametrize(
    ("key", "thing"),
    [
        pytest.param(key, thing, id=f"{key}-{i}-{thing['class_name']}")
        for key, things in TRAINING.items()
        for i, thing in enumerate(things)
    ],
)
def test_what_a_model_is_compiled_with(key: str, thing: Any) -> None:
    compiled = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    given = {"optimizer": "sgd", "loss": "mse", "metrics": None}
    arguments = {**given, key: [thing] if key == "metrics" else thing}
    compile_as(compiled, arguments, Trust(allowing.given))
    live = compiled.optimizer if key == "optimizer" else compiled.loss
    if key == "metrics":
        (live,) = compiled._compile_metrics._user_metrics
    found, expected = live.get_config(), thing["config"]
    for same in found.keys() & expected.keys() - {"learning_rate", "reduction", "fn", "dtype"}:
        assert found[same] == expected[same], same


def sequence(*parts: Any) -> str:
    return json.dumps(
        {
            "class_name": "Sequential",
            "config": {"name": "s", "layers": parts},
            "keras_version": "2.4.0",
            "backend": "tensorflow",
        }
    )


def part(cls: str, **config: Any) -> Any:
    return {"class_name": cls, "config": {"name": cls.lower(), **config}}


@pytest.mark.parametrize(
    "first",
    [
        part("Dense", units=2, batch_input_shape=[None, 3], dtype="float32"),
        part("Dense", units=2, input_shape=[3]),
        part("Dense", units=2, input_dim=3),
        part("TimeDistributed", layer=part("Dense", units=2), batch_input_shape=[None, 5, 3]),
    ],
)
def test_a_first_layer_that_says_the_shape_of_its_input(first: Any) -> None:
    """Keras' own reader of old files takes it for the shape without the batch."""
    model = kvcs.model_from_json(sequence(first))
    assert model.input_shape[-1] == 3
    assert model.output_shape == (*model.input_shape[:-1], 2)
    assert model.inputs[0].name == f"{first['config']['name']}_input"


def test_a_list_of_layers_as_keras_1_wrote_it() -> None:
    layers = [
        part("Dense", units=2, batch_input_shape=[None, 3]),
        part("Activation", activation="relu"),
    ]
    model = kvcs.model_from_json(json.dumps({"class_name": "Sequential", "config": layers}))
    assert model.output_shape == (None, 2)


def test_without_a_shape_it_is_built_later() -> None:
    assert not kvcs.model_from_json(sequence(part("Dense", units=2))).built


class Twice(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


@pytest.mark.parametrize("name", ["Twice", "Custom>Twice", "mine>Twice"])
def test_a_class_of_the_user(name: str) -> None:
    text = sequence({**part("Twice", batch_input_shape=[None, 3]), "class_name": name})
    model = kvcs.model_from_json(text, {"Twice": Twice})
    assert type(model.layers[0]) is Twice
    with pytest.raises(RestoreError, match=r"pass custom_objects=\{'Twice': Twice\}"):
        kvcs.model_from_json(text)


def test_a_function_of_the_user() -> None:
    text = sequence(part("Dense", units=2, activation="hard_sigmoid", input_dim=1))
    with pytest.raises(RestoreError, match=r"layer 'dense' \(Dense\): activation is hard_sigmoid"):
        kvcs.model_from_json(text)

    def hard_sigmoid(x: Any) -> Any:
        return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)

    model = kvcs.model_from_json(text, {"hard_sigmoid": hard_sigmoid})
    assert model.layers[0].activation is hard_sigmoid


def test_a_lambda_is_refused() -> None:
    text = sequence(part("Lambda", function=["4wAAAA==", None, None], function_type="lambda"))
    with pytest.raises(RestoreError, match=r"layer 'lambda' \(Lambda\) has no equivalent"):
        kvcs.model_from_json(text)


def test_arithmetic_on_whole_numbers_is_refused() -> None:
    whole = json.loads(config_text("arithmetic"))
    for each in whole["config"]["layers"][:2]:
        each["config"]["dtype"] = "int32"
    with pytest.raises(RestoreError, match=r"layer '[^']*' calculates with whole numbers"):
        kvcs.model_from_json(json.dumps(whole))


@pytest.mark.parametrize("name", ["mlp", "shared", "arithmetic"])
def test_whatever_is_missing_is_refused_in_words(name: str) -> None:
    whole = json.loads(config_text(name))
    layers = whole["config"]["layers"]
    for holder in [whole, whole["config"], *layers, *[each["config"] for each in layers]]:
        for key in list(holder):
            for wrong in ({}, {key: None}, {key: 7}, {key: "seven"}):
                before = dict(holder)
                del holder[key]
                holder.update(wrong)
                with suppress(KvcsError):
                    kvcs.model_from_json(json.dumps(whole))
                holder.clear()
                holder.update(before)


@pytest.mark.parametrize("name", ["convolutional.h5", "convolutional.keras", "mlp.h5"])
def test_a_damaged_file_is_refused_in_words(name: str, tmp_path: Path) -> None:
    content, path = (HERE / name).read_bytes(), tmp_path / name
    numbers = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(content)
        for place in numbers.integers(0, len(content), 20):
            damaged[place] ^= int(numbers.integers(1, 256))
        path.write_bytes(damaged)
        with suppress(KvcsError):
            kvcs.load(path)


def test_what_it_was_compiled_with() -> None:
    model = kvcs.load(HERE / "shared.h5")
    assert type(model.optimizer) is keras.optimizers.RMSprop
    assert model.loss == {"first": "mse", "second": "mae"}
    assert model.get_compile_config()["loss_weights"] == {"first": 1.0, "second": 0.5}
    data = kept("shared", "input")
    found = model.evaluate(data, [np.ones((2, 2)), np.ones((2, 1))], verbose=0, return_dict=True)
    assert "first_mse" in found
    assert not kvcs.load(HERE / "shared.h5", compile=False).compiled


def test_the_state_of_the_optimizer_is_said_to_be_left_out(caplog: Any) -> None:
    kvcs.load(HERE / "mlp.h5")
    (record,) = caplog.records
    assert record.getMessage().endswith(
        "mlp.h5: the state of the optimizer is left out, it starts afresh"
    )


def test_what_cannot_be_compiled_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mlp.h5"
    path.write_bytes((HERE / "mlp.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        training = json.loads(file.attrs["training_config"])
        file.attrs["training_config"] = json.dumps({**training, "loss": "cosine_proximity"})
    with pytest.raises(
        RestoreError, match=r"cannot be compiled as it was: .*cosine_proximity.*--no-"
    ):
        kvcs.load(path)
    assert_predicts(kvcs.load(path, compile=False), "mlp")


@pytest.mark.parametrize("wrong", ["shape", "name", "missing", "link", "backend"])
def test_weights_that_do_not_fit(wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "mlp.h5"
    path.write_bytes((HERE / "mlp.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        dense = file["model_weights/dense"]
        if wrong == "shape":
            del dense["dense/kernel:0"]
            dense["dense/kernel:0"] = np.ones((5, 4))
        elif wrong == "name":
            dense.attrs["weight_names"] = ["dense/gamma:0", "dense/bias:0"]
        elif wrong == "missing":
            file["model_weights"].attrs["layer_names"] = ["dropout", "dense_1"]
        elif wrong == "link":
            del dense["dense/kernel:0"]
            dense["dense/kernel:0"] = h5py.ExternalLink("other.h5", "/kernel")
        else:
            file["model_weights"].attrs["backend"] = "theano"
    sentence = {
        "shape": r"layer 'dense': 'dense/kernel:0' has shape \[5, 4\], .* wants \[4, 5\]",
        "name": r"layer 'dense' has the weights gamma, bias where Keras 3 has kernel, bias",
        "missing": r"mlp.h5 has no weights of layer 'dense'",
        "link": r"is refused: model_weights/dense/dense/kernel:0 in it is a link",
        "backend": r"was written on theano",
    }[wrong]
    with pytest.raises(RestoreError, match=sentence):
        kvcs.load(path)
