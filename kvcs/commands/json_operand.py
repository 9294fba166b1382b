"""The JSON of a model as an operand: an architecture to compare and to show, without weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kvcs.commands.json_source import text_of
from kvcs.commands.saved import start_keras_for
from kvcs.comparison.bare import bare
from kvcs.keras_files import NeedsKerasError, json_text
from kvcs.spec import MISSING, StoredModel


def model_described_in(
    path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None
) -> StoredModel:
    """Describe the model of a JSON file; Keras is imported only when it alone can tell.

    Raises:
        OperandError: the file cannot be read.
        RestoreError: it describes no model, or Keras is needed and cannot build it or is not there.
    """
    text = text_of(path)
    try:
        return bare(json_text.model_of(text, os.fspath(path)))
    except NeedsKerasError as error:
        start_keras_for(os.fspath(path), error)
        from kvcs.keras_io.capture import capture
        from kvcs.keras_io.keras_json import from_keras_json

        built = capture(from_keras_json(text, custom_objects)).model
        # Which Keras wrote it is not said, and what it was compiled with is not read.
        return replace(bare(built), keras_version="", training=MISSING)
