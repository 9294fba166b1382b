"""Write every small model, or read them all: in two processes, between two versions or backends.

python tests/exchange.py write PLACE
python tests/exchange.py read PLACE
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# As in conftest.py: read once, at import.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")

import keras
import models
import numpy as np

import kvcs


def write(place: Path) -> None:
    """Save every case, with names and seeds that do not depend on the others."""
    for name in sorted(models.CASES):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        try:
            model = models.built(name)
        except Exception as error:  # this version or this backend has not all that it is made of
            print(f"{name} cannot be made here: {error}", file=sys.stderr)
        else:
            kvcs.save(with_slots(model), place / name)


def with_slots(model: keras.Model) -> keras.Model:
    """Give the slots the same values under every backend: an empty shape is true in one."""
    random = np.random.default_rng(2)
    for variable in model.optimizer.variables if model.compiled else ():
        if "float" in variable.dtype and len(variable.shape):
            variable.assign(random.uniform(0.1, 0.9, variable.shape))
        elif "float" in variable.dtype:
            variable.assign(0.5)
    return model


def read(place: Path) -> dict[str, str]:
    """Load every model there is, save it again, and say of each that is not the same, why."""
    found = {}
    for stored in sorted(path for path in place.iterdir() if path.name in models.CASES):
        problem = read_one(stored, models.CASES[stored.name].custom_objects)
        if problem:
            found[stored.name] = problem
    return found


def read_one(stored: Path, custom_objects: dict[str, Any]) -> str | None:
    """Load a model, save it again, and say what is wrong, if anything is."""
    with tempfile.TemporaryDirectory() as place:
        try:
            loaded = kvcs.load(stored, custom_objects=custom_objects)
            kvcs.save(loaded, Path(place, "again"))
        except kvcs.KvcsError as error:
            return str(error)
        changed = sorted(changed_weights(stored, Path(place, "again")))
    if changed:
        return f"changed weights: {', '.join(changed)}"
    optimizer = getattr(loaded, "optimizer", None)
    home = type(getattr(optimizer, "inner_optimizer", optimizer)).__module__
    foreign = ".backend." in home and f".backend.{keras.backend.backend()}." not in home
    return f"its optimizer is that of another backend: {home}" if foreign else None


def changed_weights(one: Path, other: Path) -> set[str]:
    """Return the arrays of layers that are not the same in both."""
    found = contents(other)
    return {
        path
        for path, content in contents(one).items()
        if path.startswith("layers/") and path.endswith(".npy") and content != found.get(path)
    }


def contents(root: Path) -> dict[str, bytes]:
    """Return the files of a directory."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


if __name__ == "__main__":
    command, directory = sys.argv[1:]
    if command == "write":
        write(Path(directory))
    else:
        print(json.dumps(read(Path(directory))))
