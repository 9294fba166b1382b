"""Write every small model, or read them all: in two processes, between two versions or backends.

    python tests/exchange.py write PLACE
    python tests/exchange.py read PLACE
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# As in conftest.py: read once, at import.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")

import keras
import models

import kvcs

# Keras makes these with TensorFlow's functions alone, or of what one backend cannot hold.
NOT_EVERYWHERE = {"text", "weights_as_arguments"}


def write(place: Path) -> None:
    """Save every case, with names and seeds that do not depend on the others."""
    for name in sorted(models.CASES.keys() - NOT_EVERYWHERE):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        kvcs.save(models.built(name), place / name)


def read(place: Path) -> list[str]:
    """Load every model there is, save it again, and return the arrays that changed."""
    changed = []
    for stored in sorted(path for path in place.iterdir() if path.name in models.CASES):
        loaded = kvcs.load(stored, custom_objects=models.CASES[stored.name].custom_objects)
        with tempfile.TemporaryDirectory() as again:
            kvcs.save(loaded, Path(again, "model"))
            changed += differences(stored, Path(again, "model"))
    return changed


def differences(one: Path, other: Path, ending: str = ".npy") -> list[str]:
    """Return the files of one directory that the other has not, or not as they are."""
    return [
        f"{one.name}/{path.relative_to(one).as_posix()}"
        for path in sorted(one.rglob(f"*{ending}"))
        if path.is_file() and not same(path, other / path.relative_to(one))
    ]


def same(one: Path, other: Path) -> bool:
    """Compare two files, of which the second may be missing."""
    return other.is_file() and one.read_bytes() == other.read_bytes()


if __name__ == "__main__":
    command, place = sys.argv[1:]
    if command == "write":
        write(Path(place))
    elif changed := read(Path(place)):
        raise SystemExit("These arrays changed: " + ", ".join(changed))
