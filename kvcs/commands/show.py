"""`kvcs show`: a summary of a stored model, like `model.summary()`, without Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kvcs import npy
from kvcs.commands.operand import Model, described
from kvcs.spec import (
    MISSING,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StoredModel,
    SymbolicTensor,
    TensorSpec,
    walk,
)
from kvcs.tree.digests import Digests, digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One layer in a summary.

    Attributes:
        depth: how many models stand around it.
        name: canonical name.
        path: directory of the layer, from the model's root.
        class_name: its class.
        shapes: shapes of its outputs; None where they are not known.
        parameters: number of elements of its weights, those of the layers in it included.
        trainable: how many of them training moves.
        inputs: the layers it is connected to, as `layer[call][output]`.
        shared: where the layer stands, when it stands elsewhere.
    """

    depth: int
    name: str
    path: str
    class_name: str
    shapes: tuple[tuple[int | None, ...] | None, ...]
    parameters: int
    trainable: int
    inputs: tuple[str, ...]
    shared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `kvcs show` shows.

    Attributes:
        name: the operand.
        class_name: class of the model.
        build: `graph`, `sequence` or `class`.
        keras_version: the Keras that described it.
        rows: its layers.
        parameters: number of elements of all weights, each counted once.
        trainable: how many of them training moves.
        size: bytes of all weights.
        compiled: whether it holds what `compile()` was given.
        optimizer: number of elements of the optimizer's variables.
        digests: the four digests.
        has_weights: false of JSON, which describes a model without its weights: what is said of
            weights is then zero.
    """

    name: str
    class_name: str
    build: str
    keras_version: str
    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    size: int
    compiled: bool
    optimizer: int
    digests: Digests
    has_weights: bool = True


def show(operand: Model) -> Summary:
    """Summarise a model.

    Raises:
        OperandError: there is no such model.
        DamageError: its description is not whole; tensors are not read.
    """
    with described(operand) as stored:
        found = summary(stored.model(), stored.name)
        return replace(found, has_weights=stored.has_weights)


def page(operand: Model) -> str:
    """Return a model as a page for a browser, which asks for nothing from anywhere.

    Raises:
        KvcsError: as for `show`.
    """
    from kvcs.render.html import model_page

    with described(operand) as stored:
        model = stored.model()
        found = replace(summary(model, stored.name), has_weights=stored.has_weights)
        return model_page(found, model)


def summary(stored: StoredModel, name: str) -> Summary:
    """Summarise a stored model."""
    tensors = _tensors(stored.model)
    slots = [] if stored.optimizer is MISSING else list(stored.optimizer.values())
    return Summary(
        name=name,
        class_name=stored.model.cls.name,
        build=stored.model.build,
        keras_version=stored.keras_version,
        rows=tuple(_rows(stored.model, "", 0)),
        parameters=sum(tensor.size for tensor in tensors),
        trainable=sum(tensor.size for tensor in tensors if tensor.trainable),
        size=sum(tensor.size * npy.true_dtype(tensor.dtype).itemsize for tensor in tensors),
        compiled=stored.training is not MISSING,
        optimizer=sum(tensor.size for tensor in slots),
        digests=digests(stored),
    )


def _tensors(layer: LayerSpec | SharedLayer) -> list[TensorSpec]:
    if isinstance(layer, ModelSpec):
        return [tensor for _, part in walk(layer) for tensor in part.tensors.values()]
    return list(layer.tensors.values()) if isinstance(layer, LayerSpec) else []


def _rows(model: ModelSpec, prefix: str, depth: int) -> Iterator[Row]:
    for entry in model.layers:
        path = f"{prefix}{entry.path}"
        yield _row(entry, path, depth)
        if isinstance(entry.layer, ModelSpec):
            yield from _rows(entry.layer, f"{path}/", depth + 1)


def _row(entry: LayerEntry, path: str, depth: int) -> Row:
    layer = entry.layer
    tensors = _tensors(layer)
    first: tuple[SymbolicTensor, ...] = entry.calls[0].outputs if entry.calls else ()
    return Row(
        depth=depth,
        name=entry.name,
        path=path,
        class_name=layer.cls.name if isinstance(layer, LayerSpec) else "(shared)",
        shapes=tuple(tensor.shape for tensor in first),
        parameters=sum(tensor.size for tensor in tensors),
        trainable=sum(tensor.size for tensor in tensors if tensor.trainable),
        inputs=tuple(str(ref) for call in entry.calls for ref in call.inputs()),
        shared="" if isinstance(layer, LayerSpec) else layer.path,
    )
