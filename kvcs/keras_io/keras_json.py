"""The JSON of an architecture: Keras 3's own, written without its failures, and older forms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kvcs import canon
from kvcs.errors import FormatError, RestoreError, SaveError
from kvcs.keras2 import is_plain, plain_model
from kvcs.keras_io import keras2
from kvcs.keras_io.allowing import met_classes, trusting
from kvcs.keras_io.build import explained
from kvcs.keras_io.serial import described, revive
from kvcs.keras_io.words import reason
from kvcs.spec import ClassRef
from kvcs.trust import Trust, check_config


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


def from_keras_json(
    text: str,
    custom_objects: Mapping[str, Any] | None = None,
    *,
    allow: Sequence[str] = (),
    safe_mode: bool = True,
) -> Any:
    """Build an uncompiled model from JSON; see `kvcs.model_from_json`."""
    description = _parsed(text)
    with trusting(custom_objects, allow, safe_mode=safe_mode) as trust:
        if is_plain(description):
            return keras2.built(plain_model(description, keras2.known), trust)
        if not {"class_name", "config"} <= description.keys():
            raise RestoreError(_NO_MODEL)
        if _is_keras2(description):
            return keras2.build(description, trust)
        return _built(_uncompiled(description), trust)


_NO_MODEL = (
    "this JSON does not describe a Keras model: expected an object with the keys 'class_name' and "
    "'config', as model.to_json() returns, or with a list of 'layers'"
)


def _parsed(text: str) -> dict[str, Any]:
    if not isinstance(text, str | bytes | bytearray):
        raise RestoreError(f"expected a JSON string, got {type(text).__name__}")
    try:
        description = canon.foreign(text)
    except FormatError as error:
        raise RestoreError(str(error)) from None
    if not isinstance(description, dict):
        raise RestoreError(_NO_MODEL)
    return description


def _is_keras2(description: Mapping[str, Any]) -> bool:
    version = str(description.get("keras_version", ""))
    return "module" not in description or version.startswith(("1.", "2."))


def _built(description: Mapping[str, Any], trust: Trust | None) -> Any:
    name = str(description["class_name"])
    if trust is not None:
        check_config(description, trust)
    with met_classes(trust), explained("", ClassRef(description["module"], name)):
        model = keras.saving.deserialize_keras_object(description)
    if not isinstance(model, keras.Model):
        raise RestoreError(f"this JSON describes a {name}, which is no model: a model is expected")
    return model


def _uncompiled(value: Any) -> Any:
    """Leave out what `compile()` was given, of nested models too."""
    if isinstance(value, dict):
        return {key: _uncompiled(item) for key, item in value.items() if key != "compile_config"}
    if isinstance(value, list):
        return [_uncompiled(item) for item in value]
    return value
