"""What differs between two models as wholes: training, state, interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kvcs.comparison.encoded import Json, encoded
from kvcs.comparison.graph import Graph, relocated
from kvcs.comparison.interface import interface_changes
from kvcs.comparison.settings import differences
from kvcs.comparison.spelling import Spelling
from kvcs.comparison.values import Change
from kvcs.spec import MISSING, StoredModel


def whole_changes(
    old: Graph, new: Graph, places: Mapping[str, str], spelling: Spelling
) -> Iterator[Change]:
    """Yield what differs beside layers and connections.

    Args:
        old: the one model.
        new: the other.
        places: for each place of a layer in the old model, that of its partner.
        spelling: what the versions of Keras that wrote them write differently.
    """
    yield from interface_changes(old, new)
    yield from _training(old.stored, new.stored, spelling)
    yield from _state(old, new, places)
    versions = old.stored.keras_version, new.stored.keras_version
    if all(versions) and versions[0] != versions[1]:
        yield _of_model("note", ":keras_version", *versions)


def _of_model(kind: Any, at: str, old: Json, new: Json) -> Change:
    return Change(kind=kind, old_path="", new_path="", at=at, old=old, new=new)


def _training(old: StoredModel, new: StoredModel, spelling: Spelling) -> Iterator[Change]:
    if old.training is MISSING or new.training is MISSING:
        if old.training is not new.training:
            mine, yours = (
                MISSING if side is MISSING else encoded(side)
                for side in (old.training, new.training)
            )
            yield _of_model("training", "", mine, yours)
        return
    for found in differences(encoded(old.training), encoded(new.training)):
        if spelling.is_all(found, ""):
            yield _of_model("note", f"training:{found.path}", found.old, found.new)
        else:
            yield _of_model("training", found.path, found.old, found.new)


def _state(old: Graph, new: Graph, places: Mapping[str, str]) -> Iterator[Change]:
    """Yield what training moves without changing the model, a change for each kind of it."""
    mine = {relocated(key, places): list(value) for key, value in old.stored.state.seeds.items()}
    yours = {key: list(value) for key, value in new.stored.state.seeds.items()}
    yield from _moved_state(":seeds", mine, yours)
    for at, one, other in (
        (":tensors", old.stored.state.tensors, new.stored.state.tensors),
        (":optimizer", _slots(old.stored), _slots(new.stored)),
    ):
        ours = {relocated(key, places): tensor.sha256 for key, tensor in one.items()}
        yield from _moved_state(at, ours, {key: tensor.sha256 for key, tensor in other.items()})


def _slots(stored: StoredModel) -> Mapping[str, Any]:
    return {} if stored.optimizer is MISSING else stored.optimizer


def _moved_state(at: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    if keys:
        before, after = ({key: side[key] for key in keys if key in side} for side in (old, new))
        yield _of_model("state", at, before, after)
