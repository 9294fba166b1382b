"""Where everything in a live model stands: layers, variables and seed generators by path.

A path is made of what stays the same when a model is built again: canonical names in a graph or a
sequence, attribute names in whatever a class builds. Keras' own `variable.path` is neither unique
nor stable. Saving and loading both survey the live model, so that both speak of the same places.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras.src.backend import Variable  # keras.Variable is another class up to Keras 3.6
from keras.src.models.functional import Functional, functional_like_constructor

from kvcs.errors import SaveError
from kvcs.keras_io.attributes import SeedGenerator, held_by
from kvcs.names import canonical_names, segments
from kvcs.npy import Array, true_dtype
from kvcs.spec import Build


@dataclass(slots=True, kw_only=True)
class Place:
    """A layer of a live model, where it stands, and what it owns.

    Attributes:
        path: directory of the layer from the model's root.
        name: canonical name among its siblings.
        layer: the live layer or operation.
        build: how it comes back when it is a container, else None.
        members: the layers of a container, in order.
        variables: variables by name, each owned by one place only.
        tied: names of variables and parts that are those of another place, with the path there.
        seeds: seed generators by attribute path.
        states: variables that are transient state, by attribute path.
        parts: what the layer is made of, itself first, by attribute path.
    """

    path: str
    name: str
    layer: Any
    build: Build | None = None
    members: list[Member] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, Any] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)

    def below(self, name: str) -> str:
        """Return the path of something that belongs to this layer."""
        return f"{self.path}/{name}" if self.path else name


@dataclass(slots=True, kw_only=True)
class Member:
    """A layer in a container: the place itself, or the path where the shared layer stands."""

    name: str
    segment: str
    layer: Any
    place: Place | None
    shared: str = ""


def survey(model: Any) -> Place:
    """Find every layer, variable and seed generator of a live model.

    Raises:
        SaveError: Keras counts a variable to the model that none of its layers leads to, or a
            set holds layers.
    """
    walk = _Survey()
    root = walk.visit("", canonical_names([(model.name, class_name(model))])[0], model)
    for variable in model.variables:
        if id(variable) not in walk.owners:
            raise SaveError(_lost(model, variable))
    return root


def _lost(model: Any, variable: Any) -> str:
    for layer in [model, *model._flatten_layers(include_self=False)]:
        if isinstance(layer, Functional) and build_of(layer) == "graph":
            for key, child in held_by(layer).items():
                if child is variable or _has(child, variable):
                    return (
                        f"{key!r} is an attribute of the functional model {layer.name!r} beside "
                        "its graph, and nothing would build it again: make it part of the "
                        "graph, or write a class with a get_config() and a from_config()"
                    )
    return (
        f"variable {variable.path} belongs to no layer that can be found: make what holds it an "
        "attribute of a layer, or of a list or dict that is one"
    )


def _has(holder: Any, variable: Any) -> bool:
    return any(each is variable for each in getattr(holder, "variables", ()))


def survey_layer(layer: Any, path: str) -> Place:
    """Find what one layer holds, as if it stood at `path`."""
    return _Survey().visit(path, path.rpartition("/")[2], layer)


def places(root: Place) -> Iterator[Place]:
    """Yield a place and all below it, parents first."""
    yield root
    for member in root.members:
        if member.place is not None:
            yield from places(member.place)


def weights(root: Place) -> dict[str, Any]:
    """Return every weight by its path."""
    return {
        place.below(name): variable
        for place in places(root)
        for name, variable in place.variables.items()
    }


def weight_paths(root: Place) -> dict[int, str]:
    """Return the path of every weight, by the identity of its variable."""
    return {id(variable): path for path, variable in weights(root).items()}


def is_layer(part: Any) -> bool:
    """Tell layers and operations from the other things a layer is made of."""
    return isinstance(part, keras.Operation)


def to_numpy(variable: Any) -> Array:
    """Return the value of a variable, in the dtype that it says it has.

    JAX holds doubles in 32 bits unless it is told otherwise; the variable says float64 all the
    same, and would be that elsewhere.
    """
    if keras.backend.backend() == "jax":
        array = np.asarray(keras.ops.convert_to_numpy(variable))
    elif hasattr(variable.value, "read_value"):  # of TensorFlow, whose value() copies nothing
        array = np.asarray(variable.value.value())
    else:
        array = np.asarray(variable)
    return array.astype(true_dtype(keras.backend.standardize_dtype(variable.dtype)), copy=False)


def class_name(layer: Any) -> str:
    """Return the name Keras derives automatic names from."""
    return type(layer).__name__


def build_of(layer: Any) -> Build | None:
    """Tell how a container comes back; None for a layer that is no model."""
    if isinstance(layer, keras.Sequential):
        return "sequence" if _inherits(layer, keras.Sequential) else "class"
    if isinstance(layer, Functional):
        return "graph" if _takes_graph(type(layer)) and _from_config_is_keras(layer) else "class"
    return "class" if isinstance(layer, keras.Model) else None


def _inherits(layer: Any, base: type) -> bool:
    methods = ("__init__", "from_config", "get_config")
    return all(
        getattr(getattr(type(layer), name), "__func__", getattr(type(layer), name))
        is getattr(getattr(base, name), "__func__", getattr(base, name))
        for name in methods
    )


def _takes_graph(cls: type) -> bool:
    """Tell whether a class is constructed from the inputs and outputs of a graph."""
    named = {"inputs", "outputs"} <= inspect.signature(cls).parameters.keys()
    return bool(named or functional_like_constructor(cls))


def _from_config_is_keras(layer: Any) -> bool:
    return bool(type(layer).from_config.__func__ is keras.Model.from_config.__func__)


class _Survey:
    """One walk over a model; remembers where each layer and variable was first met."""

    def __init__(self) -> None:
        self.homes: dict[int, str] = {}
        self.part_homes: dict[int, str] = {}
        self.owners: dict[int, str] = {}

    def visit(self, path: str, name: str, layer: Any) -> Place:
        """Find all that a layer holds.

        First the layers that have places of their own, for another layer may hold one as a part.
        """
        root = self._place(path, name, layer)
        for place in places(root):
            if place.build is None:
                self._part(place, "", place.layer)
            else:
                self._container(place)
        return root

    def _place(self, path: str, name: str, layer: Any) -> Place:
        place = Place(path=path, name=name, layer=layer, build=build_of(layer))
        self.homes[id(layer)] = path
        if place.build is not None:
            self._members(place)
        return place

    def _members(self, place: Place) -> None:
        children = _children(place)
        names = _unique(canonical_names([(child.name, class_name(child)) for _, child in children]))
        under = segments(names)
        for (key, child), name, plain in zip(children, names, under, strict=True):
            home = self.homes.get(id(child))
            if home is not None and key is not None:
                continue  # the class that builds it shares it by itself
            where = "layers/" + (plain if key is None else key)
            member = Member(name=name, segment=where, layer=child, place=None, shared=home or "")
            if home is None:
                member.place = self._place(place.below(where), name, child)
            place.members.append(member)

    def _container(self, place: Place) -> None:
        """Visit what a model holds beside its layers."""
        place.parts[""] = place.layer
        held = held_by(place.layer)
        self._own(place, "", place.layer, held)
        for key, child in held.items():
            if not isinstance(child, keras.layers.Layer):
                self._part(place, key, child)

    def _part(self, place: Place, key: str, part: Any) -> None:
        """Visit a part of a layer: the layer itself, a sub-layer, a seed generator."""
        if isinstance(part, Variable):
            return  # whoever holds a variable names it
        home = self.homes.get(id(part)) or self.part_homes.get(id(part))
        if key and home is not None:
            self._tie(place, key, home)
            return
        if key:
            self.part_homes[id(part)] = place.below(key)
        if isinstance(part, SeedGenerator):
            self.owners[id(part.state)] = place.below(key)
            place.seeds[key] = part
            return
        place.parts[key] = part
        held = held_by(part)
        self._own(place, key, part, held)
        for below, child in held.items():
            self._part(place, f"{key}/{below}" if key else below, child)
        listed = _listed(part) or _left_over(part, held)
        named = canonical_names([(child.name, class_name(child)) for child in listed])
        prefix = f"{key}/layers" if key else "layers"
        for plain, child in zip(segments(_unique(named)), listed, strict=True):
            self._part(place, f"{prefix}/{plain}", child)

    def _own(self, place: Place, key: str, part: Any, held: Mapping[str, Any]) -> None:
        """Name the variables of one part: by attribute, else by their place in Keras' own list."""
        prefix = f"{key}/" if key else ""
        transient = _transient(part)
        for name, child in held.items():
            if not isinstance(child, Variable):
                continue
            if name.partition("/")[0] in transient:
                self.owners[id(child)] = place.below(prefix + name)
                place.states[prefix + name] = child
            else:
                self._variable(place, prefix + name, child)
        for index, variable in enumerate(_tracked(part)):
            if id(variable) not in self.owners:
                self._variable(place, f"{prefix}variables/{index}", variable)

    def _variable(self, place: Place, name: str, variable: Any) -> None:
        path = place.below(name)
        owner = self.owners.setdefault(id(variable), path)
        if owner == path:
            place.variables[name] = variable
        else:
            self._tie(place, name, owner)

    def _tie(self, place: Place, name: str, owner: str) -> None:
        if place.path and owner != place.path and not owner.startswith(f"{place.path}/"):
            place.tied[name] = owner  # else the class that builds it shares it by itself


def _children(place: Place) -> list[tuple[str | None, Any]]:
    """Return the layers of a container, with the attribute that leads to one its class built."""
    listed = _listed(place.layer)
    children: list[tuple[str | None, Any]] = [(None, layer) for layer in listed or ()]
    if listed is not None and (place.build == "sequence" or type(place.layer) is Functional):
        return children
    held = held_by(place.layer)
    inside = {id(layer) for layer in listed or ()}
    children += [
        (key, child)
        for key, child in held.items()
        if isinstance(child, keras.layers.Layer) and id(child) not in inside
    ]
    if listed is None:
        children += [(None, layer) for layer in _left_over(place.layer, held)]
    return children


def _unique(names: list[str]) -> list[str]:
    """Tell apart equal names, which a class may give to its layers."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return found


def _listed(model: Any) -> list[Any] | None:
    """Return the layers of a container in Keras' order; None where a class keeps them."""
    if isinstance(model, Functional):
        return list(model.operations)
    if isinstance(model, keras.Sequential):
        return [layer for layer in model._layers if isinstance(layer, keras.layers.Layer)]
    return None


def _tracked(part: Any) -> list[Any]:
    own = getattr(part, "_trainable_variables", []), getattr(part, "_non_trainable_variables", [])
    return [*own[0], *own[1]]


def _transient(part: Any) -> frozenset[str]:
    return frozenset({"states"}) if isinstance(part, keras.layers.RNN) else frozenset()


def _left_over(part: Any, held: Mapping[str, Any]) -> list[Any]:
    """Return the layers that Keras tracks in a part and that no attribute leads to."""
    inside = {id(child) for child in held.values()}
    return [layer for layer in getattr(part, "_layers", []) if id(layer) not in inside]


def held_optimizers(place: Place) -> dict[str, Any]:
    """Return the optimizers that a layer holds, by attribute path."""
    return {
        f"{key}/{name}" if key else name: optimizer
        for key, part in place.parts.items()
        for name, optimizer in held_by(part, keras.optimizers.Optimizer).items()
    }
