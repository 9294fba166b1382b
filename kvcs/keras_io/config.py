"""The config of a layer, as it must be for the layer to come back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import keras
from keras.src.utils.python_utils import is_default

from kvcs.keras_io.lookup import settings
from kvcs.keras_io.serial import portable_config
from kvcs.spec import ClassRef, Value


def complete_config(layer: Any) -> dict[str, Any]:
    """Return what `get_config()` gives, with what Keras leaves out or in too much.

    Raises:
        Exception: whatever the method raises, which can be that of any class.
    """
    config = settings(layer, layer.get_config())
    found = {key: _function_or(layer, key, item) for key, item in config.items()}
    if isinstance(layer, keras.layers.Layer):
        # Else it would come back with the policy of the process that loads it.
        found.setdefault("dtype", keras.dtype_policies.serialize(layer.dtype_policy))
    return found


def _function_or(layer: Any, key: str, item: Any) -> Any:
    """Return a setting; a lambda for which Keras gives its code alone as the function it is."""
    if isinstance(item, dict) and item.keys() == {"value"} and callable(getattr(layer, key, None)):
        return getattr(layer, key)
    return item


def built_config(layer: Any, cls: ClassRef) -> dict[str, Value]:
    """Return the config, as it is stored, of a layer that a class builds: no constructor needs it.

    Without a `get_config()` of its own, Keras gives the arguments of its constructor when all of
    them were plain. They can be so in one process and not in the next, when the class above it was
    built from a config; so they are left out.
    """
    if not isinstance(layer, keras.layers.Layer):
        return {}
    if not is_default(layer.get_config):
        with suppress(Exception):  # a class that is never serialised by itself may well fail
            return portable_config(complete_config(layer), cls)
    policy = keras.dtype_policies.serialize(layer.dtype_policy)
    return portable_config({"trainable": layer.trainable, "dtype": policy}, cls)
