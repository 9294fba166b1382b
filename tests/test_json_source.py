"""`kvcs export model.json DIR`: a model from its JSON, with its weights beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from cli import kvcs as run
from cli import refused
from keras import layers
from live import assert_same_outputs

import kvcs

KERAS2 = Path(__file__).parent / "keras2"

PLAIN = {
    "layers": [
        {"name": "first", "class_name": "Dense", "units": 3, "input_shape": [4]},
        {"name": "norm", "class_name": "BatchNormalization"},
        {"name": "act", "class_name": "Activation", "activation": "relu"},
        {"name": "last", "class_name": "Dense", "config": {"units": 2}},
    ]
}
SHAPES = [(4, 3), (3,), (3,), (3,), (3,), (3,), (3, 2), (2,)]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(PLAIN)
    for number, shape in enumerate(SHAPES):
        np.save(f"weight_{number}.npy", np.full(shape, number, "float32"))


def write(description: Any) -> None:
    Path("model.json").write_text(json.dumps(description))


def live() -> keras.Model:
    """Return a model with arithmetic, and a model inside."""
    inputs = keras.Input((4,), name="inputs")
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4)], name="inner")
    return keras.Model(inputs, layers.Dense(2)(inner(inputs) + 1.0), name="outer")


def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 4)).astype("float32")


def save_weights(model: keras.Model) -> None:
    for path in Path().glob("weight_*.npy"):
        path.unlink()
    for number, array in enumerate(model.get_weights()):
        np.save(f"weight_{number}.npy", array)


class TestArrays:
    def test_the_plain_form(self) -> None:
        done = run("export", "model.json", "model", "--weights", "weight_*.npy")
        assert (done.code, done.err) == (0, "")
        found = kvcs.load("model")
        assert [layer.name for layer in found.layers] == ["first", "norm", "act", "last"]
        assert [float(np.ravel(array)[0]) for array in found.get_weights()] == [*range(8)]

    def test_the_tenth_comes_after_the_ninth(self) -> None:
        stack = [{"name": f"d{n}", "class_name": "Dense", "units": 1} for n in range(6)]
        write({"layers": [{**stack[0], "input_shape": [1]}, *stack[1:]]})
        for number in range(12):
            array = np.full((1,) if number % 2 else (1, 1), number, "float32")
            np.save(f"weight_{number}.npy", array)
        assert run("export", "model.json", "model", "--weights", "weight_*.npy").code == 0
        arrays = kvcs.load("model").get_weights()
        assert [int(array.item()) for array in arrays] == [*range(12)]

    def test_of_keras_3(self) -> None:
        model = live()
        Path("model.json").write_text(model.to_json())
        save_weights(model)
        assert run("export", "model.json", "model", "--weights", "./weight_*.npy").code == 0
        assert_same_outputs(kvcs.load("model"), model, values())

    def test_of_keras_2(self) -> None:
        with h5py.File(KERAS2 / "mlp.h5") as file:
            Path("model.json").write_text(file.attrs["model_config"])
        model = kvcs.load(KERAS2 / "mlp.h5", compile=False)
        save_weights(model)
        assert run("export", "model.json", "model", "--weights", "weight_*.npy").code == 0
        assert_same_outputs(kvcs.load("model"), model, values())

    def test_configs_of_keras_3_in_the_plain_form(self) -> None:
        model = keras.Sequential([keras.Input((5, 4)), layers.GRU(3), layers.Dense(2)])
        parts = [{"class_name": type(each).__name__, **each.get_config()} for each in model.layers]
        write({"layers": [{**parts[0], "input_shape": [5, 4]}, *parts[1:]]})
        save_weights(model)
        assert run("export", "model.json", "model", "--weights", "weight_*.npy").code == 0
        data = np.ones((2, 5, 4), "float32")
        assert_same_outputs(kvcs.load("model"), model, data)

    @pytest.mark.parametrize(
        ("number", "array", "sentence"),
        [
            (
                6,
                np.ones((2, 3), "float32"),
                (
                    "weight_6.npy does not fit kernel of layer 'last': it has shape [2, 3] "
                    "instead of [3, 2]"
                ),
            ),
            (
                7,
                np.array(["a", "b"]),
                (
                    "weight_7.npy does not fit bias of layer 'last': it holds <U1, which are no "
                    "numbers"
                ),
            ),
            (
                7,
                np.array([0.1, 0.2]),
                (
                    "weight_7.npy does not fit bias of layer 'last': its float64 values cannot be "
                    "stored as float32"
                ),
            ),
            (
                8,
                np.ones(2, "float32"),
                "9 files for 8 weights: weight_8.npy is one too many",
            ),
        ],
    )
    def test_that_do_not_fit(self, number: int, array: Any, sentence: str) -> None:
        np.save(f"weight_{number}.npy", array)
        assert refused("export", "model.json", "model", "--weights", "weight_*.npy") == sentence

    def test_too_few(self) -> None:
        Path("weight_7.npy").unlink()
        assert refused("export", "model.json", "model", "--weights", "weight_*.npy") == (
            "7 files for 8 weights: there is none for bias of layer 'last', and those behind it"
        )

    def test_whole_numbers_that_floats_hold_exactly(self) -> None:
        np.save("weight_7.npy", np.array([1, 2]))
        assert run("export", "model.json", "model", "--weights", "weight_*.npy").code == 0

    def test_pickles_are_not_opened(self) -> None:
        np.save("weight_7.npy", np.array([{}], dtype=object))
        sentence = refused("export", "model.json", "model", "--weights", "weight_*.npy")
        assert sentence.startswith("weight_7.npy is no array of numbers in NumPy's format: ")

    def test_a_model_that_says_nothing_of_its_input(self) -> None:
        write({"layers": PLAIN["layers"][1:]})
        assert refused("export", "model.json", "model", "--weights", "weight_*.npy") == (
            "model 'sequential' has no weights yet, for the JSON says nothing of its input: add an "
            "'input_shape' to its first layer"
        )


class TestFiles:
    @pytest.mark.parametrize("name", ["whole.h5", "some.weights.h5"])
    def test_of_keras_3(self, name: str) -> None:
        model = live()
        Path("model.json").write_text(model.to_json())
        if name == "whole.h5":
            model.save(name)
        else:
            model.save_weights(name)
        assert run("export", "model.json", "model", "--weights", name).code == 0
        assert_same_outputs(kvcs.load("model"), model, values())

    @pytest.mark.parametrize("whole", [True, False])
    def test_of_keras_2(self, whole: bool) -> None:
        shutil.copy(KERAS2 / "mlp.h5", "mlp.h5")
        with h5py.File("mlp.h5", "r+") as file:
            Path("model.json").write_text(file.attrs["model_config"])
            if not whole:  # what model.save_weights("….h5") of Keras 2 writes
                with h5py.File("weights.h5", "w") as weights:
                    for name, value in file["model_weights"].attrs.items():
                        weights.attrs[name] = value
                    for name in file["model_weights"]:
                        file.copy(f"model_weights/{name}", weights)
        name = "mlp.h5" if whole else "weights.h5"
        assert run("export", "model.json", "model", "--weights", name).code == 0
        expected = kvcs.load(KERAS2 / "mlp.h5", compile=False)
        assert_same_outputs(kvcs.load("model"), expected, values())

    def test_weights_alone_of_keras_2(self) -> None:
        with h5py.File("weights.h5", "w") as file:
            file.attrs["layer_names"] = ["dense"]
            file.attrs["keras_version"] = "2.4.0"
        assert refused("export", "weights.h5", "model") == (
            "weights.h5 holds weights alone: export the JSON of its model with --weights weights.h5"
        )

    def test_of_another_model(self) -> None:
        live().save_weights("other.weights.h5")
        sentence = refused("export", "model.json", "model", "--weights", "other.weights.h5")
        assert sentence.startswith("Keras cannot load the weights of other.weights.h5: ")

    def test_that_is_damaged(self) -> None:
        Path("bad.h5").write_text("nothing")
        assert refused("export", "model.json", "model", "--weights", "bad.h5") == (
            "bad.h5 is no file of weights that Keras wrote, or it is damaged"
        )


class TestWhichWeights:
    def test_fresh_ones_if_asked_for(self) -> None:
        assert run("export", "model.json", "model", "--weights", "fresh").code == 0
        assert kvcs.verify("model")

    def test_random_ones_are_not_versioned_by_mistake(self) -> None:
        assert refused("export", "model.json", "model") == (
            "model.json describes a model without its weights: name them with --weights "
            "('weight_*.npy', or a .h5 file), or say --weights fresh to start from initial ones"
        )

    def test_no_such_files(self) -> None:
        sentence = refused("export", "model.json", "model", "--weights", "w_*.npy")
        assert sentence == "w_*.npy: no such file"

    def test_other_files(self) -> None:
        sentence = refused("export", "model.json", "model", "--weights", "*.json")
        assert sentence == "*.json: expected .npy files, or one .h5 file"

    def test_of_what_has_its_own(self) -> None:
        live().save("model.keras")
        assert refused("export", "model.keras", "model", "--weights", "fresh") == (
            "model.keras has weights of its own: --weights goes with a .json file"
        )

    def test_the_manifest_of_a_model_directory(self) -> None:
        run("export", "model.json", "model", "--weights", "fresh")
        assert refused("export", "model/model.json", "other", "--weights", "fresh") == (
            "model/model.json belongs to a model directory already: name that directory"
        )

    @pytest.mark.parametrize("text", [b"{", b"\xff", b"[]", b'{"layers": 5}'])
    def test_what_is_no_json_of_a_model(self, text: bytes) -> None:
        Path("model.json").write_bytes(text)
        refused("export", "model.json", "model", "--weights", "fresh")


def test_without_what_it_was_compiled_with() -> None:
    model = live()
    model.compile("adam", "mse")
    model.save("model.keras")
    assert run("export", "model.keras", "model", "--no-compile").code == 0
    assert not kvcs.load("model").compiled
