"""Where each tensor and asset of a model as data stands in a file that Keras reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kvcs.keras_files import NeedsKerasError, vocabulary
from kvcs.keras_files.optimizer import Slot, slots
from kvcs.keras_files.place import Place, surveyed
from kvcs.keras_files.weights import Part, parts
from kvcs.spec import LayerSpec, ModelSpec, StoredModel, TensorSpec


@dataclass(slots=True)
class Plan:
    """What goes into a file: paths in it, and what stands there.

    Attributes:
        names: the name of the layer that each group belongs to.
        arrays: datasets, with the keys of `contents`.
        tensors: the same, with their descriptions.
        vocabularies: files, with the keys of `contents`.
        trained: the trained weights, in Keras' order.
    """

    names: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, TensorSpec] = field(default_factory=dict)
    vocabularies: dict[str, str] = field(default_factory=dict)
    trained: list[tuple[str, TensorSpec]] = field(default_factory=list)


def planned(stored: StoredModel, config: Mapping[str, Any]) -> Plan:
    """Plan everything but the optimizer.

    Args:
        stored: the model.
        config: the same as Keras serialises it.

    Raises:
        NeedsKerasError: it keeps more than its classes do.
    """
    root = surveyed(config)
    plan = Plan()
    for place, layer, path in _walk(root, stored.model, ""):
        plan.names[place.stored] = place.live_name
        inside = list(_parts(place))
        _plan_tensors(plan, inside, layer, path)
        _plan_assets(plan, inside, layer, path)
    return plan


def _walk(place: Place, layer: LayerSpec, path: str) -> Iterator[tuple[Place, LayerSpec, str]]:
    yield place, layer, path
    if isinstance(layer, ModelSpec):
        for member, entry in zip(place.members, layer.layers, strict=True):
            assert isinstance(entry.layer, LayerSpec)
            below = f"{path}/{entry.path}" if path else entry.path
            if member.stored:
                yield from _walk(member, entry.layer, below)


def _parts(place: Place) -> Iterator[Part]:
    if place.build is None and not place.is_operation and place.cls.name != "InputLayer":
        yield from parts(place.given, "", place.stored)


def _plan_tensors(plan: Plan, inside: list[Part], layer: LayerSpec, path: str) -> None:
    found = set()
    for part in inside:
        for weight in part.what.weights:
            name = part.below(weight.name)
            if name not in layer.tensors:
                raise NeedsKerasError(f"{path} has no {name}, which its class has")
            found.add(name)
            key = f"{path}/{layer.tensors[name].file}"
            stored = f"{part.stored}/{weight.path}"
            plan.arrays[stored] = key
            plan.tensors[stored] = layer.tensors[name]
            if weight.trainable if part.trainable else weight.when_frozen:
                plan.trained.append((f"{path}/{name}", layer.tensors[name]))
    beyond = (layer.tensors.keys() - found) | layer.tied.keys() | layer.parts.keys()
    if beyond or any(layer.extra.values()):
        raise NeedsKerasError(f"{path or 'the model'} keeps more than its class does")


def _plan_assets(plan: Plan, inside: list[Part], layer: LayerSpec, path: str) -> None:
    left = set(layer.assets)
    for part in inside:
        where = vocabulary.places(part)
        if where is not None and where[0] in left:
            left.discard(where[0])
            plan.vocabularies |= dict.fromkeys(where[1], f"{path}/assets/{where[0]}")
    if left:
        raise NeedsKerasError(f"{path or 'the model'} has assets that its class does not save")


def plan_optimizer(
    plan: Plan, stored: StoredModel, kept: Mapping[str, TensorSpec], config: Mapping[str, Any]
) -> None:
    """Plan the optimizer's variables.

    Raises:
        NeedsKerasError: they are others than Keras would make.
    """
    found = slots_of(plan, stored, config, len(kept))
    if {slot.name for slot in found} != kept.keys():
        raise NeedsKerasError("its optimizer has other variables than Keras would make")
    for index, slot in enumerate(found):
        plan.arrays[f"optimizer/vars/{index}"] = f"optimizer/{kept[slot.name].file}"


def slots_of(plan: Plan, stored: StoredModel, config: Mapping[str, Any], count: int) -> list[Slot]:
    """Return the optimizer's variables in the order of a file that holds so many of them."""
    trained = plan.trained if stored.model.config.get("trainable", True) else []
    return slots(config["compile_config"].get("optimizer"), trained, count)
