"""Settings that somebody changed on a layer after a class had built it, put back.

`model.encoder.dropout.rate = 0.1` is in no constructor's arguments: the class builds the layer as
it always does. What was set by assignment is set by assignment again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import keras
from keras.src.backend import Variable

from kvcs.canon import same
from kvcs.keras_io.config import built_config
from kvcs.keras_io.serial import class_of, revive
from kvcs.keras_io.survey import Place, places
from kvcs.spec import ClassRef, LayerSpec, Value
from kvcs.trust import Trust, check_value

PLAIN = (bool, int, float, str, type(None))

# Settings that are objects, kept in an attribute of the same name.
_OBJECTS = ("_regularizer", "_constraint", "quantization_config")


def put_back_policies(root: Place, described: Mapping[str, LayerSpec], trust: Trust | None) -> None:
    """Assign the stored dtype policies, regularizers and the like, before there are variables.

    Args:
        root: what a class constructed, the layer itself and all that is in it.
        described: the stored layers by path.
        trust: what may be built of what is stored; None if all may.

    Raises:
        RefusedError: a setting names something that is neither known nor trusted.
    """
    for layer, cls, config in _class_built(root, described):
        for key, _, new in sorted(_differences(layer, cls, config), key=_is_policy):
            if trust is not None and (key == "dtype" or key.endswith(_OBJECTS)):
                check_value(new, trust, f"{root.path}: {key}", cls.name)
            if key == "dtype":  # last: it quantises, by the config that is set before
                _set_policy(layer, keras.dtype_policies.get(revive(new, keras_form=True)))
            elif key.endswith(_OBJECTS) and hasattr(layer, key):
                _set_object(layer, key, revive(new, keras_form=True))


def _is_policy(difference: tuple[str, Value, Value]) -> bool:
    return difference[0] == "dtype"


def _set_object(layer: Any, key: str, described: Any) -> None:
    """Give a layer a regularizer or the like, and the variable that has it already."""
    found = described and keras.saving.deserialize_keras_object(described)
    setattr(layer, key, found)
    name, _, kind = key.rpartition("_")
    variable = getattr(layer, name, None)
    if isinstance(variable, Variable):
        setattr(variable, kind, found)


def _set_policy(layer: Any, policy: Any) -> None:
    policies = keras.dtype_policies.DTypePolicyMap
    if isinstance(policy, policies):
        return  # that of the whole model, whose config brings it
    if isinstance(layer.dtype_policy, policies):
        # The layer was built by its entry in the map. The setter would add to the map, which the
        # whole model has in common.
        layer._dtype_policy = policy
    else:
        layer.dtype_policy = policy


def put_back_settings(root: Place, described: Mapping[str, LayerSpec]) -> None:
    """Assign the settings in which built layers differ from the stored ones.

    Args:
        root: what a class built, the layer itself and all that is in it.
        described: the stored layers by path.
    """
    for layer, cls, config in _class_built(root, described):
        _enable_lora(layer, config)
        for key, old, new in _differences(layer, cls, config):
            with suppress(AttributeError):  # a property: what it comes from is not known
                _assign(layer, key, old, new)


def _enable_lora(layer: Any, config: Mapping[str, Value]) -> None:
    """Give a layer LoRA factors, as it had: `enable_lora()` is in no constructor's arguments."""
    rank = config.get("lora_rank")
    if rank and not getattr(layer, "lora_enabled", True):
        alpha = {"lora_alpha": config["lora_alpha"]} if "lora_alpha" in config else {}
        layer.enable_lora(rank, **alpha)


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
    if class_of(layer).name != cls.name:
        return []
    live = built_config(layer, cls)
    return [
        (key, live.get(key), value)
        for key, value in config.items()
        if key != "trainable" and not same(live.get(key), value)
    ]


def _assign(layer: Any, key: str, old: Value, new: Value) -> None:
    """Set one attribute, where it is the one that the setting comes from."""
    held = getattr(layer, key, None)
    if callable(held) and isinstance(new, str) and "activation" in key:
        setattr(layer, key, keras.activations.get(new))
    elif all(isinstance(value, PLAIN) for value in (held, new)) and same(held, old):
        setattr(layer, key, new)
