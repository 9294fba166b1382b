"""Files that Keras saved are read without it, to the bytes that Keras' loading would lead to."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import models
import pytest
from live import bits, variables_of
from models import randomized

import kvcs
import kvcs.commands.export as kvcs_export
from kvcs.keras_files import NeedsKerasError, reading
from kvcs.keras_io.capture import capture
from kvcs.spec import StateSpec, StoredModel
from kvcs.tree import writer

SCRIPT = Path(__file__).parent.parent / "tools" / "keras_tables.py"
_spec = importlib.util.spec_from_file_location("keras_tables", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
tables: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tables)
LAYERS = {**tables.WITH_WEIGHTS, **{k: (*v, {}) for k, v in tables.WITHOUT_WEIGHTS.items()}}

# What is left to Keras: custom classes, and shapes of outputs that nothing tells.
THROUGH_KERAS = {
    "functional_with_a_layer_beside",
    "functional_with_an_argument",
    "functions_as_arguments",
    "layer_given_to_another",
    "layer_shared_by_two_submodels",
    "layers_built_by_the_first_call",
    "names_alike",
    "numpy_scalars_as_arguments",
    "operations_as_layers",
    "order_of_a_dict",
    "policies_of_containers",
    "settings_changed_since",
    "subclassed_with_lists",
    "subclassed_with_models",
    "subclassed_with_unbuilt_layers",
    "transformer",
    "weights_as_arguments",
}


def files(model: StoredModel, contents: writer.Contents) -> dict[str, bytes]:
    """Lay a model out, without what no file holds: random seeds, and names that Keras makes up."""
    names = {key: name for key, name in model.live_names.items() if ":" not in key.split("#")[0]}
    found = writer.files(replace(model, state=StateSpec(), live_names=names), contents)
    return {path: b"".join(bytes(part) for part in parts) for path, parts in found}


def read(path: Path) -> dict[str, bytes]:
    with reading.opened(str(path)) as described:
        return files(described.model, described.contents)


def loaded(path: Path, custom_objects: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    captured = capture(keras.models.load_model(path, custom_objects=custom_objects))
    return files(captured.model, captured.contents)


@pytest.mark.parametrize("name", sorted(models.CASES.keys() - THROUGH_KERAS))
def test_reads_what_keras_loads(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    models.built(name).save(path)
    assert read(path) == loaded(path)


@pytest.mark.parametrize("name", sorted(THROUGH_KERAS))
def test_leaves_to_keras_what_it_does_not_know(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    models.built(name).save(path)
    with pytest.raises(NeedsKerasError):
        read(path)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_reads_every_class_of_layers(name: str, tmp_path: Path) -> None:
    """Each in all its variants, called on its own and with a layer behind it."""
    if not hasattr(keras.layers, name):
        pytest.skip(f"Keras {keras.__version__} has no {name}")
    for number, settings in enumerate(tables.combinations(LAYERS[name][2])):
        arguments, shapes, _ = LAYERS[name]
        layer = tables.instance(name, {**arguments, **settings})
        model = tables.model_around(name, layer, shapes)
        behind = keras.Model(model.inputs, keras.layers.Identity()(model.output))
        randomized(behind)
        path = tmp_path / f"{number}.keras"
        behind.save(path)
        assert read(path) == loaded(path)
        model.save(path)
        with suppress(NeedsKerasError):  # the shape of the output is not known
            assert read(path) == loaded(path)


def test_the_tables_are_those_of_the_installed_keras() -> None:
    shipped = json.loads(tables.TABLES.read_bytes())
    if shipped["keras_version"] != keras.__version__:
        pytest.skip("made from another Keras: run tools/keras_tables.py")
    assert tables.tables() == shipped


def heads() -> keras.Model:
    """Attention, recurrence in both directions, and a graph that uses tensors by name."""
    words = keras.Input((6,), name="words", dtype="int32")
    x = keras.layers.Embedding(11, 8)(words)
    x = keras.layers.MultiHeadAttention(2, 4, dropout=0.1)(x, value=x, key=x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(3), merge_mode="sum")(x)
    return keras.Model({"words": words}, {"z": x, "a": keras.layers.Dense(2, name="a")(x)})


@pytest.mark.parametrize("build", [heads, keras.applications.MobileNetV3Small])
def test_reads_larger_models(build: Callable[..., keras.Model], tmp_path: Path) -> None:
    model = build() if build is heads else build(weights=None, input_shape=(32, 32, 3))
    path = tmp_path / "model.keras"
    models.randomized(model).save(path)
    assert read(path) == loaded(path)


OPTIMIZERS = [
    keras.optimizers.SGD(),
    keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    keras.optimizers.Adam(amsgrad=True),
    keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)),
    keras.optimizers.AdamW(use_ema=True),
    keras.optimizers.RMSprop(centered=True, momentum=0.5),
    keras.optimizers.Nadam(gradient_accumulation_steps=2),
    keras.optimizers.Adagrad(),
    keras.optimizers.Lion(),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: type(one).__name__)
def test_reads_what_training_left(optimizer: Any, tmp_path: Path) -> None:
    inputs = keras.Input((3,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, name="out")(x))
    model.layers[1].trainable = False
    model.compile(type(optimizer).from_config(optimizer.get_config()), "mse", metrics=["mae"])
    model.fit(models.floats(8, 3), models.floats(8, 1), epochs=2, verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    assert read(path) == loaded(path)
    assert any(name.startswith("optimizer/") for name in read(path))


def test_an_optimizer_without_slots_keeps_none(tmp_path: Path) -> None:
    """Keras makes them while it loads; the file, and the model that was saved, had none."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    path = tmp_path / "model.keras"
    model.save(path)
    captured = capture(model)
    assert read(path) == files(captured.model, captured.contents)


@pytest.mark.parametrize("name", sorted(models.CASES.keys() - THROUGH_KERAS))
def test_the_read_model_loads(name: str, tmp_path: Path) -> None:
    model = models.built(name)
    model.save(tmp_path / "model.keras")
    kvcs_export.export(str(tmp_path / "model.keras"), tmp_path / "model")
    assert kvcs.verify(tmp_path / "model")
    again = kvcs.load(tmp_path / "model")
    assert [bits(one) for one in values_of(again)] == [bits(one) for one in values_of(model)]


def values_of(model: keras.Model) -> list[Any]:
    """Return the variables of a model without random seeds and states."""
    states = ("seed_generator_state", "state")
    return [one for one in variables_of(model) if not one.path.endswith(states)]


WITHOUT_KERAS = """
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tensorflow"):
            raise AssertionError(name)
sys.meta_path.insert(0, Forbidden())
from kvcs.commands.digest import digests
from kvcs.commands.export import export
from kvcs.commands.show import show
export(sys.argv[1], sys.argv[2])
show(sys.argv[1]), digests(sys.argv[1])
"""


def test_imports_no_keras(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    models.built("convolutional").save(path)
    subprocess.run(
        [sys.executable, "-c", WITHOUT_KERAS, str(path), str(tmp_path / "model")], check=True
    )
    assert (tmp_path / "model" / "layers" / "classes" / "kernel.npy").exists()
