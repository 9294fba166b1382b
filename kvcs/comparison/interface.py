"""What a model takes and gives: the names, shapes and dtypes of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kvcs.comparison.encoded import Json
from kvcs.comparison.graph import Graph, below, step
from kvcs.comparison.values import Change, Kind
from kvcs.names import is_automatic
from kvcs.spec import (
    MISSING,
    Call,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    StoredModel,
    SymbolicTensor,
    TensorRef,
    references,
)

SIDES = ("inputs", "outputs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or an output of a model.

    Attributes:
        layer: path of the layer, or of the model inside, that the tensor comes out of.
        described: what is known of it, as JSON: a `name` that a person chose, `shape`, `dtype`.
    """

    layer: str
    described: Json


def ports(stored: StoredModel, side: str) -> dict[str, Port] | None:
    """Return what a model takes (`inputs`) or gives (`outputs`), by key or number.

    None for a sequence that was never built: what it takes, it is told by its first call.
    """
    model = stored.model
    structure = model.inputs if side == "inputs" else model.outputs
    refs = [ref for ref in references(structure) if isinstance(ref, TensorRef)]
    if model.build == "sequence":
        end = model.layers[0 if side == "inputs" else -1] if model.layers else None
        if end is None or not end.calls:
            return None
        refs = [TensorRef(end.name, 0, 0)]
    keys = [str(index) for index in range(len(refs))]
    if isinstance(structure, dict) and len(structure) == len(refs):
        keys = [str(key) for key in structure]
    entries = {entry.name: entry for entry in model.layers}
    return {key: _port(entries, ref) for key, ref in zip(keys, refs, strict=True)}


def _port(entries: Mapping[str, LayerEntry], ref: TensorRef) -> Port:
    found: dict[str, Json] = {}
    entry = entries.get(ref.layer)
    if entry is not None and not is_automatic(ref.layer, _class_name(entry)):
        found["name"] = ref.layer
    tensor = _tensor(entry, ref)
    if tensor is not None:
        found["shape"] = None if tensor.shape is None else list(tensor.shape)
        found["dtype"] = tensor.dtype
    return Port(layer=below("", ref.layer), described=found)


def _class_name(entry: LayerEntry) -> str:
    return entry.layer.cls.name if isinstance(entry.layer, LayerSpec | ModelSpec) else ""


def _tensor(entry: LayerEntry | None, ref: TensorRef) -> SymbolicTensor | None:
    calls: tuple[Call, ...] = entry.calls if entry else ()
    outputs = calls[ref.call].outputs if ref.call < len(calls) else ()
    return outputs[ref.output] if ref.output < len(outputs) else None


def interface(stored: StoredModel, side: str) -> dict[str, Json] | None:
    """Return the same as JSON."""
    found = ports(stored, side)
    return None if found is None else {key: port.described for key, port in found.items()}


def interface_changes(old: Graph, new: Graph) -> Iterator[Change]:
    """Yield that a model takes or gives something else, each input and output on its own."""
    for side in SIDES:
        mine, yours = interface(old.stored, side), interface(new.stored, side)
        if mine is None or yours is None:
            if mine is not yours:
                yield _change("note", f":{side}", mine, yours)
            continue
        for key in dict.fromkeys([*mine, *yours]):
            one, other = mine.get(key, MISSING), yours.get(key, MISSING)
            if one != other:
                yield _change("interface", f":{side}/{step(key)}", one, other)


def _change(kind: Kind, at: str, old: Json, new: Json) -> Change:
    return Change(kind=kind, old_path="", new_path="", at=at, old=old, new=new)
