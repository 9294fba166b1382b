"""How large a config says that weights are, against those that there are: before Keras makes room.

A layer is built before it gets its weights. So `units: 10**12` would take all the memory there is,
whatever is stored; and it can be known before that nothing of that size is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.tables import sizes
from kvcs.keras_files.weights import Part, parts
from kvcs.spec import MISSING, ClassRef, LayerSpec, StoredModel, Value, walk

# A quantised weight is packed, and small ones do no harm.
FACTOR = 16
FLOOR = 1 << 22

# Settings of Keras' own classes that are the size of something they make room for.
SIZES = frozenset(
    {
        "depth_multiplier", "fft_length", "filters", "frame_length", "groups", "head_dim",
        "input_dim", "kernel_size", "key_dim", "lora_rank", "num_classes", "num_heads",
        "num_key_value_heads", "num_mel_bins", "num_ops", "num_query_heads", "num_thresholds",
        "output_dim", "rank", "units", "value_dim",
    }
)  # fmt: skip

# What walking through a config raises where that is not what it should be.
_STRANGE = (NeedsKerasError, LookupError, TypeError, ValueError, AttributeError)


def check_sizes(stored: StoredModel) -> None:
    """Compare what Keras' own layers say of their weights with the weights that are stored.

    Raises:
        RestoreError: a layer would be larger by far; the text names it.
    """
    layers = dict(walk(stored.model))
    recorded = [tensor.size for layer in layers.values() for tensor in layer.tensors.values()]
    whole = FLOOR + FACTOR * sum(recorded)
    for path, layer in layers.items():
        where = f"layer {path!r}" if path else "the model"
        check_settings(_serialised(layer), whole, where)
        for name, size in _declared(layer):
            tensor = layer.tensors.get(name)
            has = tensor.size if tensor else max(recorded, default=0)
            if size > FLOOR + FACTOR * has:
                raise RestoreError(
                    f"{where} ({layer.cls.name}) is refused: its settings make {name} an array "
                    f"of {size:,} numbers, and what is stored has {has:,}"
                )
    if stored.training is not MISSING:
        check_settings(dict(stored.training), whole, "what compile() was given")


def check_settings(config: Value, most: int, where: str) -> None:
    """Refuse sizes in a config that are larger than all there is.

    Args:
        config: a config as Keras writes it, or a stored one.
        most: the largest number that a size may be.
        where: what to call it.

    Raises:
        RestoreError: a size of one of Keras' own classes is larger.
    """
    for name, key, size in _settings(config):
        if size > most:
            raise RestoreError(
                f"{where} ({name}) is refused: its {key} is {size:,}, and all that is stored is "
                "not that large"
            )


def _serialised(layer: LayerSpec) -> dict[str, Any]:
    return {
        "module": layer.cls.module,
        "class_name": layer.cls.name,
        "registered_name": layer.cls.registered_name,
        "config": dict(layer.config),
        "build_config": None if layer.build_config is MISSING else layer.build_config,
    }


def _declared(layer: LayerSpec) -> Iterator[tuple[str, int]]:
    """Yield the weights of a layer whose class is known, with as many elements as it will make."""
    try:
        inside: list[Part] = list(parts(_serialised(layer), "", ""))
    except _STRANGE:
        return  # its settings are bounded, if not their products
    for part in inside:
        for weight in part.what.weights:
            name = part.below(weight.name)
            shape = sizes(weight, part.config, part.build_config)
            tensor = layer.tensors.get(name)
            known = tensor.shape if tensor is not None else ()
            if shape is not None:
                found = [
                    size if size is not None else known[axis] if axis < len(known) else 1
                    for axis, size in enumerate(shape)
                ]
                yield name, prod(found)


def _settings(value: Value) -> Iterator[tuple[str, str, int]]:
    """Yield the sizes in a config: the class, the setting, and the largest number in it."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _settings(item)
    elif isinstance(value, dict):
        name, config, module = (value.get(key) for key in ("class_name", "config", "module"))
        if isinstance(name, str) and isinstance(config, Mapping) and _is_builtin(module):
            for key in SIZES & config.keys():
                yield name, key, max(_numbers(config[key]), default=0)
        for item in value.values():
            yield from _settings(item)


def _is_builtin(module: Value) -> bool:
    """Tell a class of Keras; before Keras 3 a config said no module."""
    return module is None or (isinstance(module, str) and ClassRef(module, "").builtin)


def _numbers(value: Value) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
