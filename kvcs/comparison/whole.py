"""What differs between two models as wholes: training, state, interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kvcs.comparison.encoded import Json, encoded
from kvcs.comparison.graph import Graph, relocated
from kvcs.comparison.settings import differences
from kvcs.comparison.spelling import Spelling
from kvcs.comparison.values import Change
from kvcs.spec import MISSING, Call, LayerEntry, StoredModel, SymbolicTensor, TensorRef, references


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
    yield from _interface(old.stored, new.stored)
    yield from _training(old.stored, new.stored, spelling)
    yield from _state(old, new, places)
    if old.stored.keras_version != new.stored.keras_version:
        versions = old.stored.keras_version, new.stored.keras_version
        yield _of_model("note", ":keras_version", *versions)


def _of_model(kind: Any, at: str, old: Json, new: Json) -> Change:
    return Change(kind=kind, old_path="", new_path="", at=at, old=old, new=new)


def _interface(old: StoredModel, new: StoredModel) -> Iterator[Change]:
    """Yield that a model takes or gives something else."""
    for side in ("inputs", "outputs"):
        mine, yours = interface(old, side), interface(new, side)
        if mine != yours:
            yield _of_model("interface", f":{side}", mine, yours)


def interface(stored: StoredModel, side: str) -> list[Json]:
    """Return names in dicts, shapes and dtypes of what a model takes (`inputs`) or gives."""
    model = stored.model
    structure = model.inputs if side == "inputs" else model.outputs
    refs = [ref for ref in references(structure) if isinstance(ref, TensorRef)]
    if model.build == "sequence" and model.layers:
        end = model.layers[0 if side == "inputs" else -1]
        refs = [TensorRef(end.name, 0, 0)] if end.calls else []
    names: list[str | None] = [None] * len(refs)
    if isinstance(structure, dict) and len(structure) == len(refs):
        names = [str(key) for key in structure]
    entries = {entry.name: entry for entry in model.layers}
    return [_port(name, _tensor(entries, ref)) for name, ref in zip(names, refs, strict=True)]


def _tensor(entries: Mapping[str, LayerEntry], ref: TensorRef) -> SymbolicTensor | None:
    calls: tuple[Call, ...] = entries[ref.layer].calls if ref.layer in entries else ()
    outputs = calls[ref.call].outputs if ref.call < len(calls) else ()
    return outputs[ref.output] if ref.output < len(outputs) else None


def _port(name: str | None, tensor: SymbolicTensor | None) -> Json:
    found: dict[str, Json] = {} if name is None else {"name": name}
    if tensor is not None:
        found["shape"] = None if tensor.shape is None else list(tensor.shape)
        found["dtype"] = tensor.dtype
    return found


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
