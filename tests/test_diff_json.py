"""The JSON of a model as an operand: without Keras where it can be, and without weights always."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
import pytest
from cli import kvcs as run
from cli import process, refused
from keras import layers

import kvcs

# An AssertionError, since code may well catch an ImportError.
WITHOUT_KERAS = (
    "import sys\n"
    "class Wall:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.partition('.')[0] in ('keras', 'tensorflow', 'jax', 'torch'):\n"
    "            raise AssertionError(f'{name} was imported')\n"
    "sys.meta_path.insert(0, Wall())\n"
    "from kvcs.cli import run\n"
    "run()\n"
)
PLAIN = {
    "layers": [
        {"name": "first", "class_name": "Dense", "units": 3, "input_shape": [4]},
        {"name": "last", "class_name": "Dense", "config": {"units": 2}},
    ]
}
KERAS2 = {
    "class_name": "Sequential",
    "keras_version": "2.12.0",
    "backend": "tensorflow",
    "config": {
        "name": "sequential",
        "layers": [
            {"class_name": "Dense", "config": {
                "name": "first", "units": 3, "batch_input_shape": [None, 4], "dtype": "float32",
            }},
            {"class_name": "Dense", "config": {"name": "last", "units": 2, "dtype": "float32"}},
        ],
    },
}  # fmt: skip


def model(rate: float = 0.1, *, inside: bool = True) -> keras.Model:
    inputs = keras.Input((4,), name="inputs")
    x = layers.Dense(3, activation="relu")(inputs)
    if inside:
        x = keras.Sequential([keras.Input((3,)), layers.Dense(3), layers.BatchNormalization()])(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Dropout(rate)(x)), name="net")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, description: Any) -> str:
    text = description if isinstance(description, str) else json.dumps(description)
    Path(name).write_text(text)
    return name


def counted(found: Any) -> dict[str, int]:
    noted = ("renumbered", "state", "notes")
    return {key: many for key, many in found.summary.items() if many and key not in noted}


def test_of_the_same_model_nothing_differs() -> None:
    net = model()
    net.compile("adam", "mse")
    kvcs.save(net, "net")
    found = kvcs.diff(write("net.json", net.to_json()), "net")
    assert not found
    (note,) = found.diff.of("note")
    assert (note.at, note.old, note.new) == (":weights", "absent", "present")
    assert note.reason == "JSON describes no weights: not compared"
    assert (found.diff.old.parameters, found.diff.kept) == (None, None)
    assert found.diff.new.parameters == net.count_params()
    assert kvcs.diff(found.new_name, found.old_name).summary == found.summary


def test_what_differs() -> None:
    kvcs.save(model(), "net")
    found = kvcs.diff("net", write("net.json", model(0.5, inside=False).to_json()))
    assert counted(found) == {"removed": 2, "containers_removed": 1, "config": 1}


def test_training_is_compared_where_json_says_it() -> None:
    net = model()
    net.compile("adam", "mse")
    compiled = write("net.json", net.to_json())
    other = model()
    other.compile("adam", "mae")
    kvcs.save(other, "other")
    assert counted(kvcs.diff(compiled, "other")) == {"training": 1}
    assert counted(kvcs.diff(write("bare.json", model().to_json()), "other")) == {}


def test_frozen_layers() -> None:
    net = model(inside=False)
    kvcs.save(net, "net")
    net.layers[1].trainable = net.layers[2].trainable = False
    found = kvcs.diff("net", write("net.json", net.to_json()))
    assert counted(found) == {"trainable": 1}  # a Dropout has nothing to freeze


@pytest.mark.parametrize("arguments", [["diff", "net.json", "net"], ["show", "net.json"]])
def test_keras_is_not_needed_for_its_own_layers(arguments: list[str]) -> None:
    write("net.json", model().to_json())
    kvcs.save(model(), "net")
    done = process(*arguments, command=(sys.executable, "-c", WITHOUT_KERAS))
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("description", [PLAIN, KERAS2])
def test_older_forms(description: Any) -> None:
    name = write("old.json", description)
    assert counted(kvcs.diff(name, name)) == {}
    net = keras.Sequential([keras.Input((4,), name="first_input")])
    net.add(keras.layers.Dense(3, name="first"))
    net.add(keras.layers.Dense(2, name="last"))
    kvcs.save(net, "net")
    assert counted(kvcs.diff(name, "net")) == {}


def test_two_of_them() -> None:
    first = write("a.json", model().to_json())
    second = write("b.json", model(0.2).to_json())
    assert counted(kvcs.diff(first, second)) == {"config": 1}
    heading = run("diff", first, second, "--only", "weights", "--width", "200").lines[0]
    assert heading.endswith("nothing that counts; 9 other changes left out; weights not compared")


def test_show() -> None:
    done = run("show", write("net.json", model().to_json()))
    assert done.code == 0
    assert "Parameters: not known, for JSON describes a model without its weights" in done.lines
    assert done.lines[0].endswith("Keras of a version that is not said")


def test_a_class_of_ones_own() -> None:
    class Twice(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    inputs = keras.Input((4,))
    net = keras.Model(inputs, Twice()(inputs))
    name = write("net.json", net.to_json())
    found = kvcs.diff(name, net, custom_objects={"Twice": Twice})
    assert not found
    assert "Twice" in refused("diff", name, name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "net.json is no JSON that Keras would write: "),
        ("{}", "net.json does not describe a Keras model: expected an object with the keys "),
        ("[]", "net.json is no JSON object"),
        ('{"class_name": "Dense", "config": {}}', "this JSON describes a Dense, which is no model"),
    ],
)
def test_what_is_no_model(text: str, message: str) -> None:
    write("net.json", text)
    assert refused("diff", "net.json", "net.json").startswith(message)


def test_the_manifest_of_a_stored_model() -> None:
    kvcs.save(model(), "net")
    message = "net/model.json belongs to a model directory: name that directory"
    assert refused("show", "net/model.json") == message
