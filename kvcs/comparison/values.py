"""A diff as data: pairs of layers, and sorted changes in a fixed vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from kvcs.comparison.encoded import Json
from kvcs.spec import MISSING

FORMAT = "kvcs.diff/1"

Kind: TypeAlias = Literal[
    "added",
    "removed",
    "replaced",
    "moved",
    "rescoped",
    "renamed",
    "connection_added",
    "connection_removed",
    "inputs_reordered",
    "container_added",
    "container_removed",
    "config",
    "shape",
    "trainable",
    "training",
    "weights",
    "renumbered",
    "state",
    "interface",
    "note",
    "calls",
    "structure",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

# The keys of a summary, with the kinds of changes that each counts.
COUNTED: Mapping[str, tuple[Kind, ...]] = {
    "added": ("added",),
    "removed": ("removed",),
    "replaced": ("replaced",),
    "moved": ("moved",),
    "rescoped": ("rescoped",),
    "renamed": ("renamed",),
    "connections_added": ("connection_added",),
    "connections_removed": ("connection_removed",),
    "inputs_reordered": ("inputs_reordered",),
    "containers_added": ("container_added",),
    "containers_removed": ("container_removed",),
    "config": ("config",),
    "shapes": ("shape",),
    "trainable": ("trainable",),
    "training": ("training",),
    "weights": ("weights",),
    "interface": ("interface",),
}
NOTED: Mapping[str, tuple[Kind, ...]] = {
    "renumbered": ("renumbered",),
    "state": ("state",),
    "notes": ("note",),
}

# Reasons that a change can have.
RUN = "run of equal layers"
NEWER_KERAS = "written by one version of Keras only"
NO_WEIGHTS = "has no weights"
CONTENTS = "follows from the layers in it"
NOT_COMPARED = "JSON describes no weights: not compared"

# Why weights could not be read.
ABSENT = "absent"  # a pointer of Git LFS stands in their place
DAMAGED = "damaged"

ORDER = {kind: index for index, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two layers that are the same one.

    Attributes:
        old, new: paths in the old and the new model.
        strategy: by which phase of the matcher it was found.
        score: how sure that is, from 0 to 1.
    """

    old: str
    new: str
    strategy: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference.

    Attributes:
        kind: what kind of difference.
        old_path, new_path: the layer in either model; None where it has none there. Empty is the
            model itself.
        at: what of the layer: a setting as path of keys (`kernel_initializer/config/seed`), the
            layer a connection comes from; empty where nothing is to be said.
        old, new: the values, as JSON; MISSING where there is none.
        consequence_of: the `id` of the change that this one follows from; empty for none.
        reason: one of the constants of this module, or empty.
        group: the same for changes that are one and the same in many layers; empty for none.
        details: more about the change: statistics of weights, the layers on a connection's way.
    """

    kind: Kind
    old_path: str | None
    new_path: str | None
    at: str = ""
    old: Json = MISSING
    new: Json = MISSING
    consequence_of: str = ""
    reason: str = ""
    group: str = ""
    details: Json = MISSING

    @property
    def path(self) -> str:
        """The path in the new model, or in the old one for what is no more."""
        found = self.old_path if self.new_path is None else self.new_path
        return found or ""

    @property
    def id(self) -> str:
        """A name for the change, unique in its diff."""
        return f"{self.kind} {self.path or '.'}{f' {self.at}' if self.at else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is said of either side as a whole.

    Attributes:
        name: canonical name.
        cls: name of its class.
        layers: paths of its layers, in an order in which what is consumed comes first; models
            inside are left out, but not what is in them.
        parameters: number of elements of all weights; None where they are not known.
        tensors: number of weights; None likewise.
        keras_version: the Keras that described it; empty where that is not known.
        inputs, outputs: names, shapes and dtypes of what it takes and gives, by key or number;
            None where they are not known.
        training: what `compile()` was given, as JSON; None for an uncompiled model.
        connections: for each layer that consumes others, those it consumes, in order; under the
            empty path the layers whose outputs the model gives out.
    """

    name: str
    cls: str
    layers: tuple[str, ...]
    parameters: int | None
    tensors: int | None
    keras_version: str
    inputs: Mapping[str, Json] | None = None
    outputs: Mapping[str, Json] | None = None
    training: Json = None
    connections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """All differences between two models.

    Attributes:
        old, new: the two.
        pairs: the layers that are in both, sorted by their old path.
        containers: the same for models inside.
        changes: sorted by kind, then by path.
        related: False where so little is the same that the changes say little.
        kept: number of weights of the old model that are the same, to the bit, in the new one;
            None where they are not known.
        left_out: number of changes that a filter left out.
    """

    old: Model
    new: Model
    pairs: tuple[Pair, ...]
    containers: tuple[Pair, ...]
    changes: tuple[Change, ...]
    related: bool
    kept: int | None
    left_out: int = 0

    def __bool__(self) -> bool:
        """Whether the two differ in anything that counts."""
        return any(self.summary[key] for key in COUNTED)

    @property
    def summary(self) -> dict[str, int]:
        """How many changes of each kind there are.

        An input or output that is another one because of another change, which counts, is a note.
        """
        counts: dict[str, int] = {}
        following = self._following()
        for change in self.changes:
            kind: Kind = "note" if change.id in following else change.kind
            counts[kind] = counts.get(kind, 0) + 1
        return {
            key: sum(counts.get(kind, 0) for kind in kinds)
            for key, kinds in {**COUNTED, **NOTED}.items()
        }

    def _following(self) -> set[str]:
        """Return the changes of the interface that follow from others that are here too."""
        caused = {c.id: c.consequence_of for c in self.of("interface") if c.consequence_of}
        causes = set(caused.values())
        here = {change.id for change in self.changes if change.id in causes} if causes else set()
        return {one for one, cause in caused.items() if cause in here}

    @property
    def groups(self) -> dict[str, list[Change]]:
        """The changes that are one and the same in many layers, by group."""
        found: dict[str, list[Change]] = {}
        for change in self.changes:
            if change.group:
                found.setdefault(change.group, []).append(change)
        return found

    def unread(self, *reasons: str) -> list[str]:
        """Return why weights that changed could not be read, so that it is not known how much.

        Args:
            reasons: `ABSENT`, `DAMAGED`; none for both.
        """
        found: dict[str, None] = {}
        for change in self.of("weights", "shape"):
            if isinstance(change.details, dict):
                for each in change.details.get("unread", {}).values():
                    if not reasons or each["reason"] in reasons:
                        found[each["message"]] = None
        return list(found)

    def of(self, *kinds: Kind) -> Iterator[Change]:
        """Yield the changes of some kinds."""
        return (change for change in self.changes if change.kind in kinds)
