"""What Keras' own layers and optimizers keep, and where: `tables.json`, looked up."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kvcs.keras_files import NeedsKerasError
from kvcs.spec import Value


@dataclass(frozen=True, slots=True)
class Weight:
    """A variable of a class of layers.

    Attributes:
        name: its structural name, `cell/kernel`.
        path: its path in an HDF5 file, below that of the layer: `cell/vars/0`.
        trainable: its flag in a layer that is trainable.
        when_frozen: its flag in a layer that is not.
        integer: whether it is a counter, and not of the layer's dtype.
        shape: each size as the setting it equals (`units`, `4*units`, `input_shape/-1`), None
            where it is not known; None for any shape.
    """

    name: str
    path: str
    trainable: bool
    when_frozen: bool
    integer: bool
    shape: tuple[str | None, ...] | None


@dataclass(frozen=True, slots=True)
class LayerClass:
    """What a layer of some class and settings keeps.

    Attributes:
        type_name: the class's own name, from which Keras derives names and paths.
        weights: its own variables, in Keras' order.
        holds: attributes that hold layers which stand in its config, and where they stand.
        frozen: attribute paths of what is frozen with it.
        extra: attribute paths of the parts that store more than variables.
        built_on: what a layer that was called says it was built with: `nothing`, the
            `input_shape`, or something else.
    """

    type_name: str
    weights: tuple[Weight, ...] = ()
    holds: tuple[tuple[str, str], ...] = ()
    frozen: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    built_on: str = "other"


@cache
def _tables() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("tables.json").read_bytes())
    return found


def keras_version() -> tuple[int, int]:
    """Return the version of Keras that the tables were made from, as (major, minor)."""
    major, minor = _tables()["keras_version"].split(".")[:2]
    return int(major), int(minor)


def version_of(text: str) -> tuple[int, ...]:
    """Return what a text says of a version, as (major, minor); nothing where it says no such."""
    found = re.match(r"([0-9]{1,9})\.([0-9]{1,9})(?![0-9])", text)
    return (int(found[1]), int(found[2])) if found else ()


def layer_class(name: str, config: Mapping[str, Value]) -> LayerClass:
    """Look a class of `keras.layers` up.

    Raises:
        NeedsKerasError: it is not in the table, or not with these settings.
    """
    found = _tables()["layers"].get(name)
    if found is None:
        raise NeedsKerasError(f"layers of class {name} are read by Keras alone")
    variant = _fitting(found["variants"], config)
    if variant is None:
        raise NeedsKerasError(f"layers of class {name} with these settings are read by Keras alone")
    return LayerClass(
        type_name=found.get("type", name),
        weights=tuple(_weight(row) for row in variant["weights"]),
        holds=tuple((attribute, key) for attribute, key in found.get("holds", ())),
        frozen=tuple(variant.get("frozen", ())),
        extra=tuple(found.get("extra", ())),
        built_on=found["built_on"],
    )


def _fitting(variants: list[dict[str, Any]], config: Mapping[str, Value]) -> Any:
    for variant in variants:
        if all(_is(config.get(key), value) for key, value in variant["when"].items()):
            return variant
    return None


def _is(value: Value, wanted: bool | str) -> bool:
    return bool(value) == wanted if isinstance(wanted, bool) else value == wanted


def _weight(row: dict[str, Any]) -> Weight:
    trainable, when_frozen = row["trainable"]
    return Weight(
        name=row["name"],
        path=row["path"],
        trainable=trainable,
        when_frozen=when_frozen,
        integer=row["dtype"] == "int",
        shape=None if row["shape"] is None else tuple(row["shape"]),
    )


def sizes(weight: Weight, config: Value, build_config: Value) -> list[int | None] | None:
    """Return the sizes that a weight must have by what is set; None for a size that is open."""
    if weight.shape is None:
        return None
    return [None if one is None else _size(one, config, build_config) for one in weight.shape]


def _size(expression: str, config: Value, build_config: Value) -> int | None:
    factor, star, path = expression.rpartition("*")
    for place in (config, build_config):
        found = _followed(place, path.split("/"))
        if isinstance(found, int):
            return found * int(factor) if star else found
    return None


def _followed(value: Value, steps: list[str]) -> Value:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list | tuple) and _INDEX.fullmatch(step):
            value = value[int(step)] if -len(value) <= int(step) < len(value) else None
        else:
            return None
    return value


_INDEX = re.compile("-?[0-9]+")


@dataclass(frozen=True, slots=True)
class OptimizerClass:
    """The variables of an optimizer of some class and settings.

    Attributes:
        blocks: their order, each `{"once": names}`, or `{"each": names}` for each weight.
        trainable: the names of those that are flagged as trainable.
    """

    blocks: tuple[dict[str, list[str]], ...]
    trainable: frozenset[str]


def optimizer_class(name: str, config: Mapping[str, Value]) -> OptimizerClass:
    """Look a class of `keras.optimizers` up.

    Raises:
        NeedsKerasError: it is not in the table.
    """
    variant = _fitting(_tables()["optimizers"].get(name, []), config)
    if variant is None:
        raise NeedsKerasError(f"the variables of the optimizer {name} are read by Keras alone")
    return OptimizerClass(tuple(variant["blocks"]), frozenset(variant["trainable"]))
