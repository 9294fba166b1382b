"""Settings that somebody changed on a layer after a class had built it, put back.

`model.encoder.dropout.rate = 0.1` is in no constructor's arguments: the class builds the layer as
it always does. What was set by assignment is set by assignment again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import keras

from kvcs.canon import same
from kvcs.keras_io.serial import class_of, portable_config, revive
from kvcs.keras_io.survey import Place, places
from kvcs.spec import ClassRef, LayerSpec, Value


def put_back_policies(root: Place, described: Mapping[str, LayerSpec]) -> None:
    """Assign the stored dtype policies, before the layers make variables by them.

    Args:
        root: what a class constructed, the layer itself and all that is in it.
        described: the stored layers by path.
    """
    for layer, cls, config in _class_built(root, described):
        for key, _, new in _differences(layer, cls, config):
            if key == "dtype":
                layer.dtype_policy = keras.dtype_policies.get(revive(new, keras_form=True))


def put_back_settings(root: Place, described: Mapping[str, LayerSpec]) -> None:
    """Assign the settings in which built layers differ from the stored ones.

    Args:
        root: what a class built, the layer itself and all that is in it.
        described: the stored layers by path.
    """
    for layer, cls, config in _class_built(root, described):
        for key, old, new in _differences(layer, cls, config):
            with suppress(AttributeError):  # a property: what it comes from is not known
                _assign(layer, key, old, new)


def _class_built(
    root: Place, described: Mapping[str, LayerSpec]
) -> Iterator[tuple[Any, ClassRef, Mapping[str, Value]]]:
    for place in places(root):
        spec = described.get(place.path)
        if spec is None:
            continue
        yield place.layer, spec.cls, spec.config
        for key, part in spec.parts.items():
            if key in place.parts:
                yield place.parts[key], part.cls, part.config


def _differences(
    layer: Any, cls: ClassRef, config: Mapping[str, Value]
) -> list[tuple[str, Value, Value]]:
    if class_of(layer) != cls:
        return []
    try:
        live = portable_config(layer.get_config(), cls)
    except (TypeError, ValueError, NotImplementedError):
        return []
    return [
        (key, live[key], value)
        for key, value in config.items()
        if key in live and key != "trainable" and not same(live[key], value)
    ]


def _assign(layer: Any, key: str, old: Value, new: Value) -> None:
    """Set one attribute, where it is the one that the setting comes from."""
    held = getattr(layer, key, None)
    if callable(held) and isinstance(new, str) and "activation" in key:
        setattr(layer, key, keras.activations.get(new))
    elif isinstance(held, bool | int | float | str | type(None)) and same(held, old):
        setattr(layer, key, new)
