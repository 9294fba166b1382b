"""An optimizer's variables: numbered in a file, named by the weight they belong to in kvcs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.tables import optimizer_blocks
from kvcs.spec import TensorSpec, Value

Trained = Sequence[tuple[str, TensorSpec]]


def slot_names(optimizer: Value, trained: Trained, count: int) -> list[tuple[str, str | None]]:
    """Return the name of each of an optimizer's variables, in the order of a file.

    Args:
        optimizer: the optimizer as Keras serialises it.
        trained: place and description of each trained weight, in Keras' order.
        count: how many variables the file holds.

    Returns:
        Pairs of a name and the place of the weight it belongs to, None for no weight.

    Raises:
        NeedsKerasError: the optimizer is not known, or has another number of variables.
    """
    config = optimizer.get("config") if isinstance(optimizer, dict) else None
    if not isinstance(config, dict) or optimizer.get("module") != "keras.optimizers":
        raise NeedsKerasError("its optimizer is not one of Keras' own")
    names: list[tuple[str, str | None]] = []
    unbuilt = 0
    for block in optimizer_blocks(optimizer["class_name"], config):
        once = [one for one in block.get("once", ()) if not _is_schedule(one, config)]
        names += [(one, None) for one in once]
        unbuilt = unbuilt or len(names)
        for place, _ in trained:
            names += [(f"{slot}/{place}", place) for slot in block.get("each", ())]
    if count == unbuilt:  # compiled, and never trained
        return names[:unbuilt]
    if count != len(names):
        raise NeedsKerasError(
            f"it has {count} variables of the optimizer, where {len(names)} are expected"
        )
    return names


def _is_schedule(name: str, config: Mapping[str, Value]) -> bool:
    return name == "learning_rate" and isinstance(config.get("learning_rate"), dict)
