"""One model that is judged: its two versions, what differs, and where its layers stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from kvcs.comparison import Diff
from kvcs.comparison.flatten import flatten
from kvcs.comparison.graph import Container, Graph, Node
from kvcs.npy import Array
from kvcs.spec import StoredModel, TensorSpec
from kvcs.tree.reader import tensors
from kvcs.tree.writer import LAYER, MANIFEST

Contents: TypeAlias = Mapping[str, Callable[[], "Array | bytes"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One array of the new version.

    Attributes:
        path: of its file, from the model's root.
        layer: path of its layer; empty for what belongs to the model, such as an optimizer's slot.
        name: what it is called there.
        spec: its description.
    """

    path: str
    layer: str
    name: str
    spec: TensorSpec


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model that changed.

    Attributes:
        name: its directory.
        old, new: its two versions; None where it is not there.
        diff: what differs; None where one version is missing.
        contents: the tensors of the new version by path, read when they are called.
        has_weights: false where JSON describes a version, of which weights are not known.
        home: where the new version stands in the repository; None where it does not.
    """

    name: str
    old: StoredModel | None = None
    new: StoredModel | None = None
    diff: Diff | None = None
    contents: Contents = field(default_factory=dict)
    has_weights: bool = True
    home: str | None = None

    @cached_property
    def graph(self) -> Graph | None:
        """The new version as one graph of layers."""
        return None if self.new is None else flatten(self.new)

    def parts(self) -> Iterator[Node | Container]:
        """Yield the layers and models inside of the new version."""
        return iter(()) if self.graph is None else self.graph.parts()

    @cached_property
    def _places(self) -> dict[str, str]:
        return {part.place: part.path for part in self.parts()}

    @cached_property
    def _files(self) -> dict[str, str]:
        found = {}
        for part in self.parts():
            name = MANIFEST if isinstance(part, Container) else LAYER
            found[part.path] = f"{part.place}/{name}" if part.place else name
        return found

    @cached_property
    def before(self) -> dict[str, str]:
        """The path that each layer had in the old version, by that in the new one."""
        pairs = () if self.diff is None else (*self.diff.pairs, *self.diff.containers)
        return {pair.new: pair.old for pair in pairs}

    def file(self, layer: str) -> str:
        """Return the file that describes a layer; the manifest for what is no more."""
        if self.home is None:
            return ""
        path = self._files.get(layer, MANIFEST)
        return path if self.home in ("", ".") else f"{self.home}/{path}"

    def tensors(self) -> list[Tensor]:
        """Return all arrays of the new version: weights, state and the optimizer's."""
        if self.new is None:
            return []
        found = []
        for path, (place, spec) in tensors(self.new):
            name = path.removeprefix(f"{place}/") if place else path
            layer = self._places.get(place, "")
            found.append(Tensor(path=path, layer=layer, name=name.removesuffix(".npy"), spec=spec))
        return found

    def changed(self) -> list[Tensor]:
        """Return the arrays that the old version has nowhere."""
        old = () if self.old is None else tensors(self.old)
        known = {(spec.dtype, spec.sha256) for _, (_, spec) in old}
        return [one for one in self.tensors() if (one.spec.dtype, one.spec.sha256) not in known]
