"""A legacy `.h5` file. The library that parses HDF5 is C and not watched; what it yields is."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from fuzz import keras_file, models


def examples() -> Iterator[bytes]:
    """Yield a file of weights, and one with a config."""
    with zipfile.ZipFile(io.BytesIO(models.keras_file())) as archive:
        yield archive.read("model.weights.h5")
        config = json.dumps(_legacy(json.loads(archive.read("config.json"))))
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["model_config"] = config
        file.attrs["keras_version"] = "3.15.0"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"image", b"dense", b"dropout"]
        dense = weights.create_group("dense")
        dense.attrs["weight_names"] = [b"dense/kernel", b"dense/bias"]
        dense["dense/kernel"] = np.ones((2, 2), "float32")
        dense["dense/bias"] = np.ones(2, "float32")
    yield content.getvalue()


def _legacy(given: dict[str, Any]) -> dict[str, Any]:
    """Leave out what such a file does not say of a layer."""
    left_out = ("module", "registered_name", "build_config")
    found = {key: item for key, item in given.items() if key not in left_out}
    if "layers" in found["config"]:
        layers = [_legacy(layer) for layer in found["config"]["layers"]]
        found["config"] = {**found["config"], "layers": layers}
    return found


def one_input(data: bytes) -> None:
    """Export a file."""
    keras_file.one_input(data, ".h5")
