"""Where everything in a saved model stands: the tree of layers in its config, named anew.

As `kvcs.keras_io.survey` finds the places of a live model, so this finds them in a config, with
the path under which each layer's variables stand in the HDF5 file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.tables import layer_class
from kvcs.keras_files.values import class_of, plain
from kvcs.names import canonical_names, segments, snake_case
from kvcs.spec import MISSING, Build, ClassRef, SymbolicTensor, Value

FUNCTIONAL = ClassRef("keras.src.models.functional", "Functional", "Functional")
POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}
SEQUENTIAL = ClassRef("keras", "Sequential", None)


@dataclass(slots=True, kw_only=True)
class Place:
    """A layer of a saved model.

    Attributes:
        path: directory of the layer from the model's root.
        name: canonical name among its siblings.
        live_name: its name in the file.
        cls: its class.
        given: what Keras serialised of it.
        config: its config without the name and, in a container, without the layers.
        build: how it comes back when it is a container, else None.
        segment: directory of the layer, from that of its container.
        stored: where its variables stand in the HDF5 file; empty for the model itself.
        members: the layers of a container, in order.
        takes: the tensors a container was built on.
    """

    path: str
    name: str
    live_name: str
    cls: ClassRef
    given: Mapping[str, Any]
    config: dict[str, Value]
    build: Build | None
    segment: str = ""
    stored: str = ""
    members: list[Place] = field(default_factory=list)
    takes: tuple[SymbolicTensor, ...] = ()

    def below(self, name: str) -> str:
        """Return the path of something that belongs to this layer."""
        return f"{self.path}/{name}" if self.path else name

    @property
    def build_config(self) -> Value:
        """Return what the layer was built with, or MISSING."""
        found = self.given.get("build_config")
        return MISSING if found is None else plain(found)

    @property
    def is_operation(self) -> bool:
        """Tell whether it is an operation of `keras.ops`, which keeps nothing."""
        return str(self.cls.module).startswith("keras.src.ops.")


def surveyed(given: Mapping[str, Any]) -> Place:
    """Find the layers of a whole model.

    Raises:
        NeedsKerasError: a class in it is none that is known, or none of Keras' own.
    """
    root = _place(given, name="", path="")
    if root.build is None:
        raise NeedsKerasError(f"the model is a {root.cls.name}, which its class must build")
    root.name = canonical_names([(root.live_name, root.cls.name)])[0]
    _settle(root)
    shared = [one.given["shared_object_id"] for one in places(root) if _is_shared(one)]
    if len(set(shared)) < len(shared):
        raise NeedsKerasError("two models in it share a layer")
    return root


def _is_shared(place: Place) -> bool:
    return "shared_object_id" in place.given


def places(root: Place) -> Iterator[Place]:
    """Yield a place and all below it, parents first."""
    yield root
    for member in root.members:
        yield from places(member)


def _place(given: Mapping[str, Any], *, name: str, path: str) -> Place:
    cls = class_of(given)
    config = given["config"]
    live_name = given.get("name", config.get("name") if isinstance(config, dict) else None)
    if not isinstance(config, dict) or not isinstance(live_name, str):
        raise NeedsKerasError(f"a {cls.name} is serialised without a config or a name")
    build = build_of(cls)
    if build is None and not str(cls.module).startswith("keras.src.ops."):
        if cls.module != "keras.layers":
            raise NeedsKerasError(f"the class {cls.module}.{cls.name} is not known here")
        if cls.name != "InputLayer":
            layer_class(cls.name, config)  # or there is no need to go on
    place = Place(
        path=path, name=name, live_name=live_name, cls=cls, given=given,
        config=own_config(config, build), build=build,
    )  # fmt: skip
    if build is not None:
        _members(place, config["layers"])
    return place


def build_of(cls: ClassRef) -> Build | None:
    """Tell how a container comes back; None for a layer that is no model."""
    if cls == FUNCTIONAL:
        return "graph"
    return "sequence" if cls == SEQUENTIAL else None


def own_config(config: Mapping[str, Any], build: Build | None) -> dict[str, Value]:
    """Return the config of a layer without what is described on its own.

    Of a model, Keras restores less than it writes: a Sequential is always trainable, and either
    kind has the dtype policy of the process, which is Keras' own unless somebody sets another.
    """
    if build == "graph":
        return {"trainable": config.get("trainable", True), "dtype": plain(POLICY)}
    own = {
        key: plain(item)
        for key, item in config.items()
        if key not in ("name", *(("layers",) if build else ()))
    }
    if build == "sequence":
        own |= {"trainable": True, "dtype": plain(POLICY)}
    return own


def _members(place: Place, layers: list[Mapping[str, Any]]) -> None:
    found = [_place(given, name="", path="") for given in layers]
    names = canonical_names([(one.live_name, type_name(one)) for one in found])
    if len(set(names)) < len(names):
        raise NeedsKerasError("two layers in one model have the same name")
    stored = numbered([type_name(one) for one in found if _counts(place, one)])
    for one, name, plain_name in zip(found, names, segments(names), strict=True):
        one.name = name
        one.segment = f"layers/{plain_name}"
        one.stored = f"layers/{next(stored)}" if _counts(place, one) else ""
        place.members.append(one)


def _counts(container: Place, member: Place) -> bool:
    """Tell whether Keras lists a member among `container.layers` when it saves."""
    unlisted = container.build == "sequence" and member.cls.name == "InputLayer"
    return not (member.is_operation or unlisted)


def type_name(place: Place) -> str:
    """Return the class's own name, which is not always the public one."""
    if place.build is not None or place.is_operation or place.cls.name == "InputLayer":
        return place.cls.name
    return layer_class(place.cls.name, place.config).type_name


def numbered(type_names: list[str]) -> Iterator[str]:
    """Yield how Keras names the members of a list in a file: `dense`, `dense_1`, ..."""
    counts: dict[str, int] = {}
    for one in type_names:
        stem = snake_case(one)
        counts[stem] = counts.get(stem, -1) + 1
        yield f"{stem}_{counts[stem]}" if counts[stem] else stem


def _settle(place: Place, path: str = "", stored: str = "") -> None:
    """Give every place below its full path, in the directory and in the file."""
    for member in place.members:
        member.path = f"{path}/{member.segment}" if path else member.segment
        if member.stored:
            member.stored = f"{stored}/{member.stored}" if stored else member.stored
        _settle(member, member.path, member.stored)
