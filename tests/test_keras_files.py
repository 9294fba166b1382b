"""Files that Keras saved are read without it, to the bytes that Keras' loading would lead to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import models
import pytest

from kvcs.keras_files import NeedsKerasError, reading
from kvcs.keras_io.capture import capture
from kvcs.spec import StateSpec, StoredModel
from kvcs.tree import writer

# Keras cannot load a file of this model.
UNLOADABLE = {"layer_shared_by_two_submodels"}

# What is left to Keras: custom classes, and shapes of outputs that nothing tells.
THROUGH_KERAS = {
    "layer_shared_by_two_submodels",
    "models_inside_layers",
    "names_alike",
    "operations_as_layers",
    "order_of_a_dict",
    "subclassed_with_lists",
    "subclassed_with_models",
    "transformer",
}


def files(model: StoredModel, contents: writer.Contents) -> dict[str, bytes]:
    """Lay a model out, without the random seeds and states that no file holds."""
    found = writer.files(replace(model, state=StateSpec()), contents)
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


WITHOUT_KERAS = """
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tensorflow"):
            raise AssertionError(name)
sys.meta_path.insert(0, Forbidden())
from kvcs.commands.export import export
export(sys.argv[1], sys.argv[2])
"""


def test_imports_no_keras(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    models.built("convolutional").save(path)
    subprocess.run(
        [sys.executable, "-c", WITHOUT_KERAS, str(path), str(tmp_path / "model")], check=True
    )
    assert (tmp_path / "model" / "layers" / "classes" / "kernel.npy").exists()
