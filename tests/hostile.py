"""Models made to do harm, in each form that a model has; and canaries that show if any was done."""

from __future__ import annotations

import copy
import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras

from kvcs import workdir
from kvcs.keras_io.capture import capture
from kvcs.spec import ClassRef, LayerEntry, LayerSpec, StoredModel
from kvcs.tree import writer

Config = dict[str, Any]

_SEEN: list[str] = []
_WATCHED = ("os.system", "subprocess.Popen", "pickle.find_class", "socket.connect")
_watching = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in _WATCHED:
        _SEEN.append(event)


sys.addaudithook(_hook)


@contextmanager
def nothing_runs(*canaries: Path) -> Iterator[None]:
    """Assert that Python runs no program, unpickles nothing, and opens no socket.

    Nor does any of the files come to be, which the code in a model would write.
    """
    global _watching
    _SEEN.clear()
    _watching = True
    before = keras.config.floatx(), set(sys.modules)
    try:
        yield
    finally:
        _watching = False
    assert _SEEN == []
    assert not any(canary.exists() for canary in canaries)
    assert keras.config.floatx() == before[0]
    assert not [name for name in set(sys.modules) - before[1] if name.startswith("canary")]


def honest() -> keras.Model:
    """Return a model whose layer `victim` takes one argument, and gives one tensor."""
    inputs = keras.Input((3,), name="inputs")
    outputs = keras.layers.Dense(2, name="victim")(inputs)
    return keras.Model(inputs, keras.layers.ReLU(name="after")(outputs))


def config_with(victim: Config) -> Config:
    """Return a model's config as Keras writes it, with something else in the place of a layer."""
    found: Config = json.loads(json.dumps(keras.saving.serialize_keras_object(honest())))
    layer = found["config"]["layers"][1]
    layer |= {"build_config": None, "registered_name": None, **copy.deepcopy(victim)}
    layer["config"] = {"name": "victim", **layer["config"]}
    return found


def as_json(victim: Config) -> str:
    return json.dumps(config_with(victim))


def as_keras_file(victim: Config, path: Path) -> Path:
    honest().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = as_json(victim).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def as_legacy_file(victim: Config, path: Path) -> Path:
    """Write an `.h5` file, whose configs say no modules."""
    honest().save(path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        layer = config["config"]["layers"][1]
        layer |= {key: value for key, value in victim.items() if key != "module"}
        layer.pop("module", None)
        layer["config"] = {"name": "victim", **layer["config"]}
        file.attrs["model_config"] = json.dumps(config)
    return path


def as_directory(victim: Config, path: Path) -> Path:
    """Write a model directory, with checksums that hold."""

    def changed(layer: LayerSpec) -> LayerSpec:
        return replace(
            layer,
            cls=ClassRef(victim.get("module"), victim["class_name"], victim.get("registered_name")),
            config={key: item for key, item in victim["config"].items() if key != "name"},
        )

    return store(changed, path)


def store(change: Callable[[LayerSpec], LayerSpec], path: Path) -> Path:
    """Write a model directory with another layer in the place of `victim`."""
    captured = capture(honest())
    model = captured.model.model
    entries = tuple(
        replace(entry, layer=change(entry.layer)) if entry.name == "victim" else entry
        for entry in model.layers
    )
    return write(
        replace(captured.model, model=replace(model, layers=entries)), captured.contents, path
    )


def write(stored: StoredModel, contents: Mapping[str, Any], path: Path) -> Path:
    workdir.replace(path, writer.files(stored, contents))
    return path


def entry(stored: StoredModel, name: str) -> LayerEntry:
    return next(each for each in stored.model.layers if each.name == name)
