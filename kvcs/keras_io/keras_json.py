"""Keras' own JSON of an architecture, written without its failures and read uncompiled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kvcs.errors import RestoreError, SaveError
from kvcs.keras_io.build import explained
from kvcs.keras_io.serial import described, revive
from kvcs.keras_io.words import reason
from kvcs.spec import ClassRef


def to_keras_json(model: Any) -> str:
    """Return the architecture of a live model as Keras 3 JSON; see `kvcs.model_to_json`."""
    if not isinstance(model, keras.Model):
        raise SaveError(f"expected a keras.Model, got {type(model).__name__}")
    try:
        config = revive(described(model), keras_form=True)
        return json.dumps(config, sort_keys=False, default=_number)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise SaveError(
            f"model {model.name!r} cannot be written as JSON: {reason(error)}"
        ) from error


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r:.80} is no JSON")


def from_keras_json(text: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Build an uncompiled model from Keras 3 JSON; see `kvcs.model_from_json`."""
    try:
        config = json.loads(text)
    except (TypeError, ValueError) as error:
        raise RestoreError(f"not JSON: {error}") from None
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise RestoreError(
            "this JSON does not describe a Keras model: expected an object with the keys "
            "'class_name' and 'config', as model.to_json() returns"
        )
    if "module" not in config:
        raise RestoreError(
            "this JSON was written by Keras 2 (it names no modules), which is not read yet"
        )
    with (
        keras.saving.CustomObjectScope(dict(custom_objects or {})),
        explained("", ClassRef(config["module"], str(config["class_name"]))),
    ):
        return keras.saving.deserialize_keras_object(_uncompiled(config))


def _uncompiled(value: Any) -> Any:
    """Leave out what `compile()` was given, of nested models too."""
    if isinstance(value, dict):
        return {key: _uncompiled(item) for key, item in value.items() if key != "compile_config"}
    if isinstance(value, list):
        return [_uncompiled(item) for item in value]
    return value
