"""Networks made without Keras: built, edited and stored, each layer known by a number of its own.

So a test knows which layer of one network is which of the other, whatever they are called.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from strategies import describe

from kvcs.names import canonical_names, snake_case
from kvcs.spec import (
    Call,
    ClassRef,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    StateSpec,
    StoredModel,
    SymbolicTensor,
    TensorRef,
    TensorSpec,
)

KERNELS = {"Dense": 2, "Conv": 3}
POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "InputLayer": {"batch_shape": [None, 8], "sparse": False, "ragged": False},
    "Dense": {"units": 8, "activation": "relu", "use_bias": True, "kernel_initializer": {
        "module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": None},
        "registered_name": None}, "kernel_regularizer": None, "bias_constraint": None},
    "Conv": {"filters": 8, "kernel_size": [3], "activation": "linear", "padding": "same",
             "strides": [1], "use_bias": True, "dilation_rate": [1]},
    "BatchNormalization": {"axis": -1, "momentum": 0.99, "epsilon": 0.001, "center": True,
                           "scale": True},
    "LayerNormalization": {"axis": -1, "epsilon": 0.001, "center": True, "scale": True},
    "Dropout": {"rate": 0.3, "seed": None, "noise_shape": None},
    "Activation": {"activation": "relu"},
    "ReLU": {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    "LeakyReLU": {"negative_slope": 0.3},
    "Add": {},
    "Concatenate": {"axis": -1},
}  # fmt: skip


@dataclass
class Layer:
    """A layer: `inputs` are the numbers of those it is called on, one list for each call."""

    cls: str
    config: dict[str, Any]
    inputs: list[list[int]]
    name: str | None = None
    scope: int = 0
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    trainable: bool = True


@dataclass
class Network:
    """Layers by number, in the order in which they are built; models inside by negative number."""

    layers: dict[int, Layer] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)
    names: dict[int, str | None] = field(default_factory=dict)
    training: Any = None
    keras_version: str = "3.15.1"
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    number: int = 0

    def copy(self) -> Network:
        return copy.deepcopy(self)

    # --- building --------------------------------------------------------------------------------

    def add(self, cls: str, *inputs: int, name: str | None = None, **settings: Any) -> int:
        """Add a layer, called once, after all others; it becomes the only output."""
        self.number += 1
        config = {**copy.deepcopy(SETTINGS[cls]), **settings}
        self.layers[self.number] = Layer(cls, config, [list(inputs)] if inputs else [[]], name)
        self.outputs = [self.number]
        self.initialize(self.number)
        return self.number

    def chain(self, *steps: str | tuple[str, dict[str, Any]], on: int | None = None) -> list[int]:
        """Add layers, each called on the one before."""
        found = []
        for step in steps:
            cls, settings = (step, {}) if isinstance(step, str) else step
            on = self.add(cls, *([] if on is None else [on]), **settings)
            found.append(on)
        return found

    def width(self, number: int) -> int:
        layer = self.layers[number]
        if layer.cls == "InputLayer":
            return int(layer.config["batch_shape"][-1])
        if layer.cls in KERNELS:
            return int(layer.config["units" if layer.cls == "Dense" else "filters"])
        widths = [self.width(source) for source in layer.inputs[0]]
        return sum(widths) if layer.cls == "Concatenate" else widths[0]

    def initialize(self, number: int, random: np.random.Generator | None = None) -> None:
        """Give a layer new weights: of its kernel at random, of all else as Keras does."""
        layer = self.layers[number]
        layer.weights = {}
        if layer.cls in ("BatchNormalization", "LayerNormalization"):
            width = self.width(number)
            names = {"gamma": np.ones, "beta": np.zeros}
            if layer.cls == "BatchNormalization":
                names |= {"moving_mean": np.zeros, "moving_variance": np.ones}
            layer.weights = {name: make(width, "float32") for name, make in names.items()}
        elif layer.cls in KERNELS:
            width, units = self.width(layer.inputs[0][0]), self.width(number)
            shape = (width, units) if layer.cls == "Dense" else (3, width, units)
            kernel = (random or self.random).normal(size=shape).astype("float32")
            layer.weights = {"kernel": kernel}
            if layer.config["use_bias"]:
                layer.weights["bias"] = np.zeros(units, "float32")

    # --- editing ---------------------------------------------------------------------------------

    def insert(self, after: int, cls: str, before: Iterable[int] | None = None, **settings: Any
               ) -> int:  # fmt: skip
        """Put a layer between one and its consumers, all of them unless some are named."""
        outputs = list(self.outputs)
        consumers = self.consumers(after) if before is None else list(before)
        number = self.add(cls, after, **settings)
        self.layers[number].scope = self.layers[after].scope
        self.outputs = [number if o == after and before is None else o for o in outputs]
        for consumer in consumers:
            self.rewire(consumer, after, number)
        self.reshape()
        return number

    def delete(self, number: int) -> None:
        """Take out a layer, and let its consumers consume what it consumed."""
        source = self.layers[number].inputs[0][0]
        for consumer in self.consumers(number):
            self.rewire(consumer, number, source)
        self.outputs = [source if output == number else output for output in self.outputs]
        del self.layers[number]
        self.reshape()

    def rewire(self, consumer: int, old: int, new: int) -> None:
        layer = self.layers[consumer]
        layer.inputs = [[new if one == old else one for one in call] for call in layer.inputs]

    def consumers(self, number: int) -> list[int]:
        return [
            other
            for other, layer in self.layers.items()
            if any(number in call for call in layer.inputs)
        ]

    def reshape(self) -> None:
        """Give weights that no longer fit new values."""
        for number, layer in self.layers.items():
            if "kernel" not in layer.weights:
                if layer.weights and layer.weights["gamma"].size != self.width(number):
                    self.initialize(number)
                continue
            axes = self.width(layer.inputs[0][0]), self.width(number)
            if layer.weights["kernel"].shape[-2:] != axes:
                self.initialize(number)

    def nudge(self, numbers: Iterable[int] | None = None, by: float = 0.01) -> None:
        """Train all weights a little."""
        for number in self.layers if numbers is None else numbers:
            weights = self.layers[number].weights
            for name, value in weights.items():
                noise = self.random.normal(size=value.shape)
                weights[name] = (value + by * noise).astype("float32")

    def scratch(self) -> None:
        """Train all weights from new initial values."""
        for number in self.layers:
            self.initialize(number)
        self.nudge(by=0.1)

    def wrap(self, numbers: Iterable[int], name: str | None = None) -> int:
        """Put layers that follow each other into a model inside."""
        inside = -len(self.names) - 1
        self.names[inside] = name
        for number in numbers:
            self.layers[number].scope = inside
        return inside

    # --- storing ---------------------------------------------------------------------------------

    def order(self) -> list[int]:
        """Return the layers so that what is consumed comes first, else as they were built."""
        found: list[int] = []
        left = dict(self.layers)
        while left:
            number = next(
                n
                for n, layer in left.items()
                if not any(one in left for call in layer.inputs for one in call if one != n)
            )
            found.append(number)
            del left[number]
        return found

    def stored(self) -> StoredModel:
        return _Storing(self).model()

    def paths(self) -> dict[int, str]:
        """Return where each layer stands when the network is stored."""
        storing = _Storing(self)
        storing.model()
        return storing.paths

    def contents(self) -> dict[str, Callable[[], np.ndarray]]:
        storing = _Storing(self)
        storing.model()
        return storing.contents


@dataclass
class _Storing:
    network: Network
    paths: dict[int, str] = field(default_factory=dict)
    contents: dict[str, Callable[[], np.ndarray]] = field(default_factory=dict)
    taken: dict[tuple[int, int], int] = field(default_factory=dict)

    def model(self) -> StoredModel:
        training = {} if self.network.training is None else {"training": self.network.training}
        return StoredModel(
            model=self.graph(0),
            name="functional",
            keras_version=self.network.keras_version,
            state=StateSpec(),
            **training,
        )

    def graph(self, scope: int, place: str = "", path: str = "") -> ModelSpec:
        network = self.network
        members: list[int] = []
        for number in network.order():
            layer = network.layers[number]
            member = number if layer.scope == scope else layer.scope
            if (layer.scope == scope or scope == 0) and member not in members:
                members.append(member)
        classes = {m: network.layers[m].cls if m > 0 else "Functional" for m in members}
        given = {m: self._given(m) for m in members}
        named = [(given[m] or snake_case(classes[m]), classes[m]) for m in members]
        if scope:
            named.insert(0, ("input_layer", "InputLayer"))
        names = canonical_names(named)
        entries = []
        if scope:
            entries.append(_port(names.pop(0), network.width(self.source(scope))))
        by_member = dict(zip(members, names, strict=True))
        for member, name in by_member.items():
            below = f"{place}layers/{name}"
            at = f"{path}{name}"
            layer = self.layer(member, below, at) if member > 0 else self.graph(
                member, f"{below}/", f"{at}/"
            )  # fmt: skip
            calls = tuple(self.calls(member, scope, by_member))
            entries.append(LayerEntry(name=name, path=f"layers/{name}", calls=calls, layer=layer))
        outputs = [self.exit(scope)] if scope else network.outputs
        inputs = ["input_layer"] if scope else [
            name for member, name in by_member.items() if classes[member] == "InputLayer"
        ]  # fmt: skip
        return ModelSpec(
            cls=ClassRef("keras", "Functional"),
            config={"trainable": True},
            build="graph",
            layers=tuple(entries),
            inputs=[TensorRef(name, 0, 0) for name in inputs],
            outputs=[self.ref(number, scope, by_member) for number in outputs],
        )

    def _given(self, member: int) -> str | None:
        return self.network.layers[member].name if member > 0 else self.network.names[member]

    def source(self, scope: int) -> int:
        """Return the layer outside that a model inside is called on."""
        return next(
            one
            for number in self.network.order()
            if self.network.layers[number].scope == scope
            for call in self.network.layers[number].inputs
            for one in call
            if self.network.layers[one].scope != scope
        )

    def exit(self, scope: int) -> int:
        """Return the layer inside that is consumed outside."""
        network = self.network
        inside = [n for n in network.order() if network.layers[n].scope == scope]
        return next(
            n
            for n in inside
            if n in network.outputs
            or any(network.layers[user].scope != scope for user in network.consumers(n))
        )

    def ref(self, number: int, scope: int, names: dict[int, str], call: int = 0) -> TensorRef:
        layer = self.network.layers[number]
        if layer.scope == scope:
            return TensorRef(names[number], call, 0)
        return TensorRef(names[layer.scope] if scope == 0 else "input_layer", 0, 0)

    def calls(self, member: int, scope: int, names: dict[int, str]) -> Iterable[Call]:
        network = self.network
        if member < 0:
            source = self.source(member)
            yield _call([self.ref(source, scope, names)], network.width(self.exit(member)))
            return
        layer = network.layers[member]
        for inputs in layer.inputs:
            refs = [self.ref(one, scope, names, self._which(one, member)) for one in inputs]
            yield _call(refs, network.width(member))

    def _which(self, source: int, consumer: int) -> int:
        """Return which call of a shared layer a consumer takes: each time the next one."""
        calls = self.network.layers[source].inputs
        taken = self.taken[source, consumer] = self.taken.get((source, consumer), -1) + 1
        return taken % len(calls) if len(calls) > 1 else 0

    def layer(self, number: int, place: str, path: str) -> LayerSpec:
        layer = self.network.layers[number]
        self.paths[number] = path
        tensors: dict[str, TensorSpec] = {}
        for name, value in layer.weights.items():
            trainable = layer.trainable and not name.startswith("moving")
            tensors[name] = describe(value, f"{name}.npy", trainable)
            self.contents[f"{place}/{name}.npy"] = lambda value=value: value
        config = {**layer.config, "trainable": layer.trainable, "dtype": POLICY}
        return LayerSpec(cls=ClassRef("keras.layers", layer.cls), config=config, tensors=tensors)


def _call(refs: list[TensorRef], width: int) -> Call:
    args = () if not refs else (refs[0],) if len(refs) == 1 else (refs,)
    outputs = (SymbolicTensor(shape=(None, width), dtype="float32"),)
    return Call(args=args, kwargs={}, outputs=outputs)


def _port(name: str, width: int) -> LayerEntry:
    config = {**SETTINGS["InputLayer"], "batch_shape": [None, width], "dtype": "float32"}
    layer = LayerSpec(cls=ClassRef("keras.layers", "InputLayer"), config=config)
    return LayerEntry(name=name, path=f"layers/{name}", calls=(_call([], width),), layer=layer)


def at_version(model: StoredModel, version: str) -> StoredModel:
    """Return a model as another Keras would have described it."""
    return replace(model, keras_version=version)
