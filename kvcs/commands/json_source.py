"""A model from its JSON and, beside it, its weights."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kvcs.commands.operand import is_manifest_file, what_stands_at
from kvcs.errors import OperandError

FRESH = "fresh"
SUFFIX = ".json"


def model_of_json(source: str, weights: str | None) -> Any:
    """Build the model that a JSON file describes, with its weights.

    Args:
        source: a `.json` file: of `model.to_json()` of Keras 3 or 2, or the plain form.
        weights: a pattern for `.npy` files in the order of `model.get_weights()`, an `.h5` file,
            or `fresh` for the initial values. A JSON file has no weights, and to version random
            ones by mistake would be easy.

    Raises:
        OperandError: there are no such files.
        RestoreError: they do not go together, or the model cannot be built.
    """
    if is_manifest_file(Path(source)):
        raise OperandError(f"{source} belongs to a model directory already: name that directory")
    if weights is None:
        raise OperandError(
            f"{source} describes a model without its weights: name them with --weights "
            "('weight_*.npy', or a .h5 file), or say --weights fresh to start from initial ones"
        )
    files = [] if weights == FRESH else _found(weights)
    from kvcs.keras_io import given_weights
    from kvcs.keras_io.keras_json import from_keras_json

    model = from_keras_json(text_of(source))
    if files and files[0].suffix in (".h5", ".hdf5"):
        given_weights.load_file(model, files[0])
    elif files:
        given_weights.load_arrays(model, files)
    return model


def text_of(source: str | os.PathLike[str]) -> str:
    """Read a JSON file.

    Raises:
        OperandError: it cannot be read.
    """
    try:
        return Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperandError(f"cannot read {source}: {error}") from None


def _found(weights: str) -> Sequence[Path]:
    """Return the files of a pattern, `weight_10.npy` after `weight_9.npy`."""
    # Not Path.glob, which takes no absolute pattern.
    names = [weights] if what_stands_at(weights) == "file" else glob.glob(weights)  # noqa: PTH207
    files = sorted(map(Path, names), key=_by_number)
    if not files:
        raise OperandError(f"{weights}: no such file")
    kinds = {file.suffix for file in files}
    if kinds == {".npy"} or (kinds <= {".h5", ".hdf5"} and len(files) == 1):
        return files
    raise OperandError(f"{weights}: expected .npy files, or one .h5 file")


def _by_number(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", path.as_posix())
    return [(int(part), part) if part.isdigit() else (-1, part) for part in parts]
