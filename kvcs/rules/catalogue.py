"""Which rules there are, what each of them wants, and what it can be told."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

# Turns what a file says into a value, or raises a ValueError that says what it wants.
Reader: TypeAlias = Callable[[Any], Any]

LARGEST = 1 << 63  # of anything that is counted; Python would not print a number of any length
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of rule.

    Attributes:
        wants: what must hold, in a sentence.
        layers: whether it can be for some layers alone.
        options: what else it can be told, each with what reads it.
        least: how many of the options must be given.
        needs_layers: whether it must be told for which layers it is.
        level: which level of a diff it is about; empty for none.
    """

    wants: str
    layers: bool = False
    options: Mapping[str, Reader] = field(default_factory=dict)
    least: int = 0
    needs_layers: bool = False
    level: str = ""


def percent(value: Any) -> float:
    """Read a share: a number, or a text such as `10 %`."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value, re.ASCII)
        value = float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LARGEST:
        raise ValueError('a number of percent, such as 10 or "10 %"')
    return float(value)


def share(value: Any) -> float:
    """Read a share of a whole."""
    try:
        found = percent(value)
    except ValueError:
        found = math.inf
    if found > 100:
        raise ValueError('a number of percent up to 100, such as 90 or "90 %"')
    return found


def count(value: Any) -> int:
    """Read a number of things."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LARGEST:
        raise ValueError("a whole number that is not negative")
    return value


def size(value: Any) -> int:
    """Read a number of bytes, or a text such as `100 MB`, in powers of 1000."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGT]?B)", value, re.ASCII)
        product = float(found[1]) * _SIZES[found[2]] if found else math.inf
        value = round(product) if product < LARGEST else None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LARGEST:
        raise ValueError('a number of bytes, or a text such as "100 MB" (B, kB, MB, GB, TB)')
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Read a list of texts, of which none is empty."""
    texts = value if isinstance(value, list) else None
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError('a list of texts, such as ["encoder/*"]')
    return tuple(texts)


KINDS: Mapping[str, Kind] = {
    "same-interface": Kind(
        wants="Inputs and outputs of the model stay as they are.", level="interface"
    ),
    "same-architecture": Kind(
        wants="Layers and connections stay as they are.", level="architecture", layers=True
    ),
    "same-config": Kind(wants="Settings of layers stay as they are.", level="config", layers=True),
    "same-training": Kind(
        wants="What compile() was given stays as it is: optimizer, loss, metrics.",
        level="training",
    ),
    "same-weights": Kind(
        wants="Weights keep their values, their shapes and whether they are trained.",
        level="weights",
        layers=True,
    ),
    "kept-weights": Kind(
        wants="A share of the old weights is in the new version to the bit.",
        options={"min": share},
        least=1,
    ),
    "frozen-layers": Kind(
        wants="Layers are frozen, and their weights are the same.", layers=True, needs_layers=True
    ),
    "parameters": Kind(
        wants="The number of parameters stays within a limit.",
        options={"growth": percent, "max": count},
        least=1,
    ),
    "size": Kind(
        wants="The weights on disk stay within a limit.",
        options={"tensor": size, "model": size},
        least=1,
    ),
    "finite-weights": Kind(wants="No weight that changed holds NaN or an infinity.", layers=True),
    "safe-loading": Kind(
        wants="The model loads without safe_mode=False: it holds no Lambda, and names nothing that "
        "is unknown.",
        options={"allow": texts},
    ),
    "kept-models": Kind(wants="No model is removed."),
}
