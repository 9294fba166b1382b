"""Stored values and live variables: each finds the other, or it is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras

from kvcs.errors import RestoreError
from kvcs.npy import Array

Contents: TypeAlias = Mapping[str, Callable[[], Array | bytes]]


def check_same(what: str, stored: set[str], live: set[str]) -> None:
    """Compare the names of stored and live values.

    Raises:
        RestoreError: they differ; the text names the first of them.
    """
    if stored == live:
        return
    without = sorted(live - stored)[:5]
    beyond = sorted(stored - live)[:5]
    parts = [f"the built model has {', '.join(without)} in addition"] if without else []
    parts += [f"the stored one has {', '.join(beyond)} in addition"] if beyond else []
    raise RestoreError(
        f"the {what} differ: {'; '.join(parts)}. Does a custom class build something else now?"
    )


def assign(variable: Any, value: Any, path: str) -> None:
    """Give a variable a stored value, exactly.

    Raises:
        RestoreError: another shape or dtype.
    """
    dtype = keras.backend.standardize_dtype(variable.dtype)
    if tuple(variable.shape) != value.shape:
        raise RestoreError(
            f"{path} has shape {list(value.shape)}, the built model wants {list(variable.shape)}"
        )
    if value.dtype.name != dtype and not _interchangeable(value.dtype.name, dtype):
        raise RestoreError(f"{path} has dtype {value.dtype.name}, the built model wants {dtype}")
    variable.assign(value)


def _interchangeable(stored: str, live: str) -> bool:
    """Tell whether two dtypes are the same counter on two backends: int64 and int32."""
    return {stored, live} <= {"int32", "int64", "uint32"}
