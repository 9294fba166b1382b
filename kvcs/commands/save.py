"""`kvcs.save`: a live model into a directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kvcs.errors import SaveError
from kvcs.tree import writer
from kvcs.workdir import Replaced, replace


def save(model: Any, path: str | os.PathLike[str], *, optimizer: bool = True) -> Replaced:
    """Save a live Keras model as a model directory, all or nothing.

    Files that do not change are not touched; files that the model no longer has go.

    Args:
        model: a built `keras.Model`.
        path: the directory; it is made, or must hold a model already.
        optimizer: also save the optimizer's variables, where there are any.

    Returns:
        The paths that were written, kept and removed, relative to `path`.

    Raises:
        SaveError: the model cannot be saved, or not there. Nothing was written.
    """
    from kvcs.keras_io.capture import capture

    if not os.fspath(path) or "\0" in os.fspath(path):
        raise SaveError(f"expected the path of a directory, got {os.fspath(path)!r}")
    captured = capture(model, optimizer=optimizer)
    return replace(Path(path), writer.files(captured.model, captured.contents))
