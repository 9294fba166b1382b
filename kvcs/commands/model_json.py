"""A model's architecture as one JSON text, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def model_to_json(model: Any) -> str:
    """Return the architecture of a model as the JSON that Keras 3 itself reads.

    It is what `model.to_json()` returns, but that arrays, tensors and NumPy scalars in a config
    do not fail, and that the arguments of `compile()` are left out.

    Args:
        model: a live `keras.Model`.

    Raises:
        SaveError: something in a config cannot be written; the text names the layer.
    """
    from kvcs.keras_io.keras_json import to_keras_json

    return to_keras_json(model)


def model_from_json(
    json_string: str,
    custom_objects: Mapping[str, Any] | None = None,
    *,
    allow: Sequence[str] = (),
    safe_mode: bool = True,
) -> Any:
    """Build a model from its architecture as JSON, as `tf.keras.models.model_from_json` does.

    Args:
        json_string: what `kvcs.model_to_json`, or `model.to_json()` of Keras 3 or 2, returned; or
            the plain form of a Sequential model, `{"layers": [{"name": …, "class_name": …,
            <its settings>}, …]}`.
        custom_objects: classes and functions by name.
        allow: modules, such as `keras_hub`, whose classes the JSON may name.
        safe_mode: refuse what is neither Keras' own nor given.

    Returns:
        An uncompiled model with fresh weights.

    Raises:
        RestoreError: it is no such JSON, a class is not known here, or something of Keras 2 has
            no equivalent in Keras 3; the text names the layer.
    """
    from kvcs.keras_io.keras_json import from_keras_json

    return from_keras_json(json_string, custom_objects, allow=allow, safe_mode=safe_mode)
