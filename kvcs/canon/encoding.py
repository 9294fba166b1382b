"""Values as JSON: what it lacks becomes an object whose one key begins with `$`."""

from __future__ import annotations

import base64
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kvcs.canon.text import dumps
from kvcs.npy import array_values, dtype_name
from kvcs.spec import ClassRef, TensorRef, Value, VariableRef

if TYPE_CHECKING:
    import numpy as np

# The keys Keras uses around the config of a class; see `is_object`.
OBJECT_KEYS = frozenset(
    {
        "build_config",
        "class_name",
        "compile_config",
        "config",
        "inbound_nodes",
        "module",
        "name",
        "registered_name",
        "shared_object_id",
    }
)


def is_object(value: Value) -> bool:
    """Tell whether a dict is a class reference with its config, as Keras serialises objects."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("class_name"), str)
        and "config" in value
        and value.keys() <= OBJECT_KEYS
    )


def encode(value: Value) -> Any:
    """Return `value` as JSON.

    Raises:
        TypeError: something that is not a `kvcs.spec.Value` is inside; the text names its type.
    """
    if type(value) in _AS_THEY_ARE:
        return value
    if _is_scalar(value):  # before the numbers and texts that some of them are
        return {"$scalar": _encode_scalar(value)}
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return _encode_dict(value)
    for kind, tag, content in _TAGS:
        if isinstance(value, kind):
            return {tag: content(value)}
    if _is_of_numpy(value, "ndarray"):
        return {"$array": _encode_array(value)}
    raise TypeError(f"cannot be stored: {type(value).__name__} {value!r:.80}")


_AS_THEY_ARE = frozenset({str, int, bool, type(None)})  # most of what there is


def encode_schema(config: dict[str, Value]) -> dict[str, Any]:
    """Return a dict as JSON whose keys are a schema's or a constructor's: order means nothing."""
    if not all(map(_is_plain, config)):
        encoded = _pairs(config)
        return {"$dict": sorted(encoded, key=lambda pair: dumps(pair[0]))}
    return _members(config)


def _members(value: dict[str, Value]) -> dict[str, Any]:
    return {
        key: item if type(item) in _AS_THEY_ARE else encode(item) for key, item in value.items()
    }


def _encode_dict(value: dict[Any, Value]) -> Any:
    if is_object(value):
        config = value["config"]
        encoded = {key: encode(item) for key, item in value.items() if key != "config"}
        encoded["config"] = encode_schema(config) if isinstance(config, dict) else encode(config)
        return encoded
    keys = list(value)
    if all(map(_is_plain, keys)) and keys == sorted(keys):
        return _members(value)
    return {"$dict": _pairs(value)}


def _is_plain(key: Any) -> bool:
    """Tell a key that JSON has, and that is no tag."""
    if type(key) is not str and (not isinstance(key, str) or _is_scalar(key)):
        return False
    return key[:1] != "$"


def _is_scalar(value: Any) -> bool:
    return _is_of_numpy(value, "generic")


def _is_of_numpy(value: Any, kind: str) -> bool:
    """Tell without importing NumPy, which takes long: who has a value of it has imported it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, getattr(numpy, kind))


def _pairs(value: dict[Any, Value]) -> list[Any]:
    return [[encode(key), encode(item)] for key, item in value.items()]


def _encode_set(value: set[Value] | frozenset[Value]) -> list[Any]:
    return sorted((encode(item) for item in value), key=dumps)


def _encode_class(value: ClassRef) -> dict[str, Any]:
    return {
        "module": value.module,
        "class_name": value.name,
        "registered_name": value.registered_name,
    }


def _encode_scalar(value: np.generic[Any]) -> dict[str, Any]:
    import numpy as np

    array = np.asarray(value)
    return {"dtype": dtype_name(array.dtype), "value": encode(array_values(array)[0])}


def _encode_array(value: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {
        "dtype": dtype_name(value.dtype),
        "shape": list(value.shape),
        "values": [encode(item) for item in array_values(value)],
    }


_TAGS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (tuple, "$tuple", lambda value: [encode(item) for item in value]),
    (TensorRef, "$tensor", str),
    (VariableRef, "$variable", str),
    (ClassRef, "$class", _encode_class),
    (bytes, "$bytes", lambda value: base64.b64encode(value).decode()),
    (set, "$set", _encode_set),
    (frozenset, "$frozenset", _encode_set),
    (complex, "$complex", lambda value: [encode(value.real), encode(value.imag)]),
    (slice, "$slice", lambda value: [encode(x) for x in (value.start, value.stop, value.step)]),
    (range, "$range", lambda value: [value.start, value.stop, value.step]),
    (type(Ellipsis), "$ellipsis", lambda value: None),
)


def same(one: Value, other: Value) -> bool:
    """Tell whether two values are stored as the same bytes: 1, 1.0 and True are three values."""
    return dumps(encode(one)) == dumps(encode(other))
