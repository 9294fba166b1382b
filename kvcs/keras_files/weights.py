"""What each layer of a saved model keeps: its variables by structural name, in Keras' order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.hdf5 import Arrays
from kvcs.keras_files.place import build_of, numbered
from kvcs.keras_files.tables import LayerClass, Weight, layer_class, sizes
from kvcs.keras_files.values import class_of, policy
from kvcs.names import canonical_names, segments
from kvcs.spec import TensorSpec, Value

_INTEGERS = ("int32", "int64", "uint32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A layer, or a layer inside of it.

    Attributes:
        key: its attribute path, from the layer; empty for the layer itself.
        stored: where its variables stand in the file.
        config: its config.
        build_config: what it was built with, or None.
        what: what its class keeps.
    """

    key: str
    stored: str
    config: Mapping[str, Value]
    build_config: Value
    what: LayerClass

    @property
    def trainable(self) -> bool:
        """Its own flag."""
        return bool(self.config.get("trainable", True))

    def below(self, name: str) -> str:
        """Return the attribute path of something that belongs to this part."""
        return f"{self.key}/{name}" if self.key else name


def parts(given: Mapping[str, Any], key: str, stored: str) -> Iterator[Part]:
    """Yield a layer and all layers that stand in its config, in Keras' order.

    Raises:
        NeedsKerasError: the class of one is not known.
    """
    cls, config = class_of(given), given["config"]
    build = build_of(cls)
    if build is not None:
        if build == "sequence" and not config.get("trainable", True):
            raise NeedsKerasError("a frozen Sequential stands inside a layer")
        below = [one for one in config["layers"] if not _is_operation(one)]
        yield from _listed(below, f"{key}/layers", f"{stored}/layers", build == "sequence")
        return
    if cls.name == "InputLayer":
        return
    if cls.module != "keras.layers":
        raise NeedsKerasError(f"the class {cls.module}.{cls.name} is not known here")
    if config.get("lora_rank") or config.get("quantization_config"):
        raise NeedsKerasError(f"a {cls.name} has LoRA factors, or is quantised")
    policy(config)
    part = Part(
        key=key, stored=stored, config=config, build_config=given.get("build_config"),
        what=layer_class(cls.name, config),
    )  # fmt: skip
    yield part
    for attribute, where in part.what.holds:
        held = config.get(where)
        if isinstance(held, list):
            for index, (one, number) in enumerate(zip(held, _numbers(held), strict=True)):
                yield from parts(
                    one, part.below(f"{attribute}/{index}"), f"{stored}/{attribute}/{number}"
                )
        elif isinstance(held, dict):
            yield from parts(held, part.below(attribute), f"{stored}/{attribute}")


def _is_operation(given: Mapping[str, Any]) -> bool:
    return str(given.get("module")).startswith("keras.src.ops.")


def _listed(
    layers: list[Mapping[str, Any]], key: str, stored: str, sequence: bool
) -> Iterator[Part]:
    names = [(one["config"]["name"], _type_name(one)) for one in layers]
    saved = [one for one in layers if not (sequence and one["class_name"] == "InputLayer")]
    numbers = dict(zip(map(id, saved), _numbers(saved), strict=True))
    for one, name in zip(layers, segments(canonical_names(names)), strict=True):
        if id(one) in numbers:
            yield from parts(one, f"{key}/{name}", f"{stored}/{numbers[id(one)]}")


def _numbers(layers: list[Mapping[str, Any]]) -> list[str]:
    return list(numbered([_type_name(one) for one in layers]))


def _type_name(given: Mapping[str, Any]) -> str:
    cls = class_of(given)
    if cls.module != "keras.layers" or cls.name == "InputLayer":
        return cls.name
    return layer_class(cls.name, given["config"]).type_name


def tensors(part: Part, arrays: Arrays) -> Iterator[tuple[str, str, TensorSpec]]:
    """Yield name, path in the file, and description of each variable that a part itself has.

    Raises:
        NeedsKerasError: the file holds something else than what Keras would save.
    """
    for weight in part.what.weights:
        path = f"{part.stored}/{weight.path}"
        dtype, shape = arrays.describe(path)
        _check(weight, part, path, dtype, shape)
        name = part.below(weight.name)
        yield (
            name,
            path,
            TensorSpec(
                file=f"{name}.npy",
                dtype=dtype,
                shape=shape,
                trainable=weight.trainable if part.trainable else weight.when_frozen,
            ),
        )


def _check(weight: Weight, part: Part, path: str, dtype: str, shape: tuple[int, ...]) -> None:
    kept = policy(part.config)[1]
    if not (dtype in _INTEGERS if weight.integer else dtype == kept):
        raise NeedsKerasError(f"{path} is of dtype {dtype}, and the layer of {kept}")
    expected = sizes(weight, part.config, part.build_config)
    if expected is None:
        return
    fits = len(expected) == len(shape) and all(
        size is None or size == found for size, found in zip(expected, shape, strict=True)
    )
    if not fits:
        raise NeedsKerasError(f"{path} is of shape {list(shape)}, where its layer wants {expected}")
