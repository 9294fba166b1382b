"""Files that Keras itself writes and reads."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import Any

import keras

from kvcs.errors import RestoreError
from kvcs.keras_io.words import reason


def load_file(
    path: str,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,  # noqa: A002  (Keras' own word for it)
    safe_mode: bool = True,
) -> Any:
    """Load a `.keras` or `.h5` file with Keras.

    Raises:
        RestoreError: Keras cannot load it; the text says why in one line.
    """
    try:
        return keras.models.load_model(
            path, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode
        )
    except (ValueError, TypeError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise RestoreError(f"Keras cannot load {path}: {reason(error)}") from error
