"""JSON as the values that were encoded."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kvcs.errors import FormatError
from kvcs.npy import array_from_values
from kvcs.spec import ClassRef, TensorRef, Value, VariableRef

if TYPE_CHECKING:
    import numpy as np


_NESTED = frozenset({dict, list})


def decode(encoded: Any) -> Value:
    """Return the value that `encode` wrote.

    Raises:
        FormatError: an object with a `$` key that `encode` does not write.
    """
    if isinstance(encoded, list):
        return [decode(item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    tags = [key for key in encoded if key.startswith("$")]
    if not tags:
        return {
            key: decode(item) if type(item) in _NESTED else item for key, item in encoded.items()
        }
    if len(encoded) > 1 or tags[0] not in _DECODERS:
        raise FormatError(f"expected a single known $ key, got {sorted(encoded)}")
    try:
        return _DECODERS[tags[0]](encoded[tags[0]])
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise FormatError(f"bad {tags[0]}: {error}") from None


def _decode_float(text: str) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise ValueError(f"expected nan, inf or -inf, got {text!r}")
    return float(text)


def _decode_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"expected base64, got {text!r:.40}") from None


def _decode_dict(pairs: list[Any]) -> dict[Any, Value]:
    found = {decode(key): decode(item) for key, item in pairs}
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _decode_array(content: dict[str, Any]) -> np.ndarray[Any, Any]:
    values = [decode(item) for item in content["values"]]
    return array_from_values(content["dtype"], tuple(content["shape"]), values)


def _decode_scalar(content: dict[str, Any]) -> np.generic[Any]:
    array: Any = array_from_values(content["dtype"], (), [decode(content["value"])])
    scalar: np.generic[Any] = array[()]
    return scalar


def _decode_class(content: dict[str, Any]) -> ClassRef:
    names = [content[key] for key in ("module", "class_name", "registered_name")]
    if not isinstance(names[1], str) or not all(isinstance(x, str | type(None)) for x in names):
        raise ValueError(f"expected the names of a class, got {names}")
    return ClassRef(*names)


def _decode_null(content: None) -> Any:
    if content is not None:
        raise ValueError("expected null")
    return Ellipsis


_DECODERS: dict[str, Callable[[Any], Value]] = {
    "$tuple": lambda content: tuple(decode(item) for item in content),
    "$dict": _decode_dict,
    "$float": _decode_float,
    "$complex": lambda content: complex(*(decode(part) for part in content)),
    "$bytes": _decode_bytes,
    "$set": lambda content: {decode(item) for item in content},
    "$frozenset": lambda content: frozenset(decode(item) for item in content),
    "$slice": lambda content: slice(*(decode(part) for part in content)),
    "$range": lambda content: range(*content),
    "$ellipsis": _decode_null,
    "$array": _decode_array,
    "$scalar": _decode_scalar,
    "$tensor": TensorRef.parse,
    "$variable": VariableRef.parse,
    "$class": _decode_class,
}

TAGS = frozenset(_DECODERS)
