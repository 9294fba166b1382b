"""The frozen values a stored model is made of.

`StoredModel` is a whole model as data: what `kvcs.tree` reads from and writes to files, what
`kvcs.keras_io` captures from and restores to a live Keras model, and what is compared,
verified and shown. Nothing here knows JSON, files, git or Keras.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

# What a Keras config can hold, once Keras' own objects are written as class references:
# None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, slice, range,
# Ellipsis, numpy.ndarray, numpy.generic, ClassRef, TensorRef and VariableRef. Recursive, which
# `Any` says less clumsily.
Value: TypeAlias = Any


class Missing(enum.Enum):
    """The type of `MISSING`: absence, where None is a value (Keras configs hold real nulls)."""

    MISSING = "missing"


MISSING = Missing.MISSING

Build: TypeAlias = Literal["graph", "sequence", "class"]


@dataclass(frozen=True, slots=True)
class ClassRef:
    """A class as Keras names it: public module and name, or the name it was registered under."""

    module: str | None
    name: str
    registered_name: str | None = None

    @property
    def builtin(self) -> bool:
        """Whether the class is one of Keras' own."""
        return self.module is not None and (
            self.module == "keras" or self.module.startswith("keras.")
        )


@dataclass(frozen=True, slots=True)
class TensorRef:
    """One output tensor of one call of a layer, written as in `model.summary()`: `lstm[0][2]`."""

    layer: str
    call: int
    output: int

    def __str__(self) -> str:
        return f"{self.layer}[{self.call}][{self.output}]"

    @classmethod
    def parse(cls, text: str) -> TensorRef:
        """Read `layer[call][output]`.

        Raises:
            ValueError: `text` has another form.
        """
        found = re.fullmatch(r"(.*)\[(0|[1-9]\d*)\]\[(0|[1-9]\d*)\]", text, re.DOTALL)
        if found is None:
            raise ValueError(f"expected layer[call][output], got {text!r}")
        return cls(found[1], int(found[2]), int(found[3]))


@dataclass(frozen=True, slots=True)
class VariableRef:
    """A weight of the model as the argument of a call: the place of its layer, and its name."""

    path: str

    def __str__(self) -> str:
        return self.path

    @classmethod
    def parse(cls, text: str) -> VariableRef:
        """Read what `str` writes.

        Raises:
            ValueError: `text` is no path.
        """
        if not isinstance(text, str) or not all(text.split("/")):
            raise ValueError(f"expected the path of a weight, got {text!r}")
        return cls(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolicTensor:
    """What is known of a tensor in the graph: its shape (None: any size) and dtype."""

    shape: tuple[int | None, ...] | None
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a layer: its arguments, with `TensorRef`s in them, and what came out."""

    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]
    outputs: tuple[SymbolicTensor, ...]

    def inputs(self) -> Iterator[TensorRef]:
        """Yield the tensors the call consumes, in the order of its arguments."""
        for ref in references([list(self.args), dict(self.kwargs)]):
            if isinstance(ref, TensorRef):
                yield ref


def references(value: Value) -> Iterator[TensorRef | VariableRef]:
    """Yield every reference inside a value, in order."""
    if isinstance(value, TensorRef | VariableRef):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One array of the model, stored as one `.npy` file.

    Attributes:
        file: path of the file, relative to the JSON file that lists it.
        dtype: the true dtype, by Keras' name for it (`bfloat16`), not the stored one (`<u2`).
        shape: sizes of the axes.
        trainable: the variable's own flag.
        sha256: hexadecimal SHA-256 of the whole `.npy` file; empty until it is written.
    """

    file: str
    dtype: str
    shape: tuple[int, ...]
    trainable: bool
    sha256: str = ""

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for axis in self.shape:
            size *= axis
        return size


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSpec:
    """A sub-layer that a custom layer builds itself; its weights are those of the layer.

    Attributes:
        cls: its class.
        config: what `get_config()` gave, without the name.
        build_config: what `get_build_config()` gave, or MISSING.
    """

    cls: ClassRef
    config: Mapping[str, Value]
    build_config: Value = MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """What belongs to one layer, whatever its name and its neighbours.

    Attributes:
        cls: the layer's class.
        config: what `get_config()` gave, without the name.
        build_config: what `get_build_config()` gave, or MISSING.
        tensors: weights by name; the name of a sub-layer's weight is its attribute path.
        tied: names of weights and sub-layers that are those of another layer, and their path.
        extra: arrays that a custom `save_own_variables` stores beside the variables; its
            keys with the name of the tensor that holds the value.
        frozen: attribute paths of sub-layers whose own `trainable` is false.
        parts: the sub-layers of a custom layer by attribute path, as far as they can tell.
        assets: files that `save_assets` wrote, with their SHA-256.
    """

    cls: ClassRef
    config: Mapping[str, Value]
    build_config: Value = MISSING
    tensors: Mapping[str, TensorSpec] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    parts: Mapping[str, PartSpec] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Number of elements of all weights."""
        return sum(tensor.size for tensor in self.tensors.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLayer:
    """A layer that stands elsewhere in the same model: `path` is where, from the model's root."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec(LayerSpec):
    """A layer that is made of layers.

    Attributes:
        build: how it comes back: `graph` (Functional: layers and calls), `sequence`
            (Sequential: layers in order) or `class` (its class builds the layers itself; they
            are described all the same, and hold the weights).
        layers: the layers in Keras' order.
        inputs: the structure of input tensors of a graph, with `TensorRef`s as leaves.
        outputs: the same for output tensors.
    """

    build: Build
    layers: tuple[LayerEntry, ...]
    inputs: Value = None
    outputs: Value = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEntry:
    """A layer's place in its model.

    Attributes:
        name: canonical name, unique in the model; `TensorRef.layer` refers to it.
        path: directory of the layer, relative to the model's.
        calls: how the layer is called in the graph, in order.
        layer: what stands there.
    """

    name: str
    path: str
    calls: tuple[Call, ...]
    layer: LayerSpec | ModelSpec | SharedLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSpec:
    """What training moves without changing the model.

    Attributes:
        seeds: the two counters of every seed generator, by path.
        tensors: other transient variables (the state of a stateful RNN), by path.
    """

    seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    tensors: Mapping[str, TensorSpec] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.seeds or self.tensors)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A whole model as data.

    Attributes:
        model: the model itself, with all its layers.
        name: its canonical name; empty for a nested model that is read by itself, whose name
            is its parent's to give.
        keras_version: the Keras that described it.
        training: the arguments of `compile()`, or MISSING for an uncompiled model.
        state: random seeds and other transient state.
        optimizer: the optimizer's variables, or MISSING when they are not saved.
        live_names: where the live model's automatic names differ from the canonical ones.
    """

    model: ModelSpec
    name: str = ""
    keras_version: str
    training: Mapping[str, Value] | Missing = MISSING
    state: StateSpec = field(default_factory=StateSpec)
    optimizer: Mapping[str, TensorSpec] | Missing = MISSING
    live_names: Mapping[str, str] = field(default_factory=dict)


def walk(model: ModelSpec, path: str = "") -> Iterator[tuple[str, LayerSpec]]:
    """Yield the model and every layer below it that is stored in it, with its path, parents first.

    The path of the model itself is `path`; a layer's is `<model's path>/<its own>`. Shared
    layers are met once, where they are stored.
    """
    yield path, model
    for entry in model.layers:
        below = f"{path}/{entry.path}" if path else entry.path
        if isinstance(entry.layer, ModelSpec):
            yield from walk(entry.layer, below)
        elif isinstance(entry.layer, LayerSpec):
            yield below, entry.layer
