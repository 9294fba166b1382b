"""An optimizer's variables: numbered in a file, named by the weight they belong to in kvcs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.tables import optimizer_class
from kvcs.spec import TensorSpec, Value

Trained = Sequence[tuple[str, TensorSpec]]


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable of an optimizer.

    Attributes:
        name: its name in kvcs, `momentums/layers/dense/kernel`.
        shape: that of the weight it belongs to; a slot of no weight has no axes.
        trainable: its own flag, which means nothing.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool


def slots(optimizer: Value, trained: Trained, count: int) -> list[Slot]:
    """Return an optimizer's variables, in the order of a file.

    Args:
        optimizer: the optimizer as Keras serialises it.
        trained: place and description of each trained weight, in Keras' order.
        count: how many variables there are.

    Raises:
        NeedsKerasError: the optimizer is not known, or has another number of variables.
    """
    config = optimizer.get("config") if isinstance(optimizer, dict) else None
    if not isinstance(config, dict) or optimizer.get("module") != "keras.optimizers":
        raise NeedsKerasError("its optimizer is not one of Keras' own")
    what = optimizer_class(optimizer["class_name"], config)
    found: list[Slot] = []
    unbuilt = 0
    for block in what.blocks:
        once = [one for one in block.get("once", ()) if not _is_schedule(one, config)]
        found += [Slot(name, (), name in what.trainable) for name in once]
        unbuilt = unbuilt or len(found)
        found += [
            Slot(f"{name}/{place}", weight.shape, name in what.trainable)
            for place, weight in trained
            for name in block.get("each", ())
        ]
    if count == unbuilt:  # compiled, and never trained
        return found[:unbuilt]
    if count != len(found):
        raise NeedsKerasError(
            f"it has {count} variables of the optimizer, where {len(found)} are expected"
        )
    return found


def _is_schedule(name: str, config: Mapping[str, Value]) -> bool:
    return name == "learning_rate" and isinstance(config.get("learning_rate"), dict)
