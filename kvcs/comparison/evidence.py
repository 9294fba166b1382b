"""What can be known of a layer without its name: settings, shapes, and what its weights tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np

from kvcs import npy
from kvcs.checksum import sha256
from kvcs.comparison.encoded import Json, signature, text
from kvcs.comparison.graph import Graph, Node
from kvcs.comparison.spelling import Spelling
from kvcs.names import is_automatic
from kvcs.spec import TensorSpec

# How alike the weights of two layers are, from -1 to 1; None where that cannot be told.
Likeness: TypeAlias = Callable[[Node, Node], "float | None"]

# What training or a policy sets for a whole model tells no layer from another.
GLOBAL_SETTINGS = ("trainable", "dtype")

COMMUTATIVE = frozenset({"Add", "Multiply", "Average", "Maximum", "Minimum"})

# Larger tensors than this are not made only to see whether one of them is all zeros.
MAX_CONSTANT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the matcher compares of one layer.

    Attributes:
        cls: name of its class.
        settings: text of each setting, those of a whole model left out.
        config: one name for class and settings.
        shapes: one name for the shapes of its weights.
        weights: digests of its informative weights, by name.
        digest: one name for those; None when no weight tells anything.
        chosen: whether a person chose its name.
    """

    cls: str
    settings: Mapping[str, str]
    config: str
    shapes: str
    weights: Mapping[str, str]
    digest: str | None
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two models, as the matcher sees it."""

    graph: Graph
    traits: Mapping[str, Traits]

    @cached_property
    def by_digest(self) -> dict[str, list[str]]:
        """The layers by the digest of their weights."""
        found: dict[str, list[str]] = {}
        for path, traits in self.traits.items():
            if traits.digest is not None:
                found.setdefault(traits.digest, []).append(path)
        return found

    @cached_property
    def upward(self) -> dict[str, str]:
        """A name for each layer and all it depends on."""
        found: dict[str, str] = {}
        for path, sources in self.graph.before.items():
            above = [found[source] for source in sources]
            if self.traits[path].cls in COMMUTATIVE:
                above.sort()
            found[path] = signature(self.traits[path].config, above)
        return found

    @cached_property
    def downward(self) -> dict[str, str]:
        """A name for each layer and all that depends on it."""
        found: dict[str, str] = {}
        for path in reversed(list(self.graph.nodes)):
            below = sorted(self._use(path, user, found) for user in self.graph.after[path])
            end = path in self.graph.ends
            found[path] = signature(self.traits[path].config, below, end)
        return found

    def _use(self, path: str, user: str, found: Mapping[str, str]) -> str:
        if self.traits[user].cls in COMMUTATIVE:
            return found[user]
        return f"{found[user]} {self.graph.before[user].index(path)}"


def sides(graphs: tuple[Graph, Graph], spelling: Spelling) -> tuple[Side, Side]:
    """Gather what is known of the layers of two graphs."""
    settings = _Settings(spelling)
    old, new = (
        Side(
            graph=graph,
            traits={path: _traits(node, settings) for path, node in graph.nodes.items()},
        )
        for graph in graphs
    )
    return old, new


class _Settings:
    """The settings of layers as text; of layers that share a config, made once."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        # With the config itself, or another one could have its id later.
        self._known: dict[tuple[int, str], tuple[Mapping[str, Json], dict[str, str]]] = {}

    def of(self, node: Node) -> dict[str, str]:
        key = id(node.config), node.spec.cls.name
        if key not in self._known:
            self._known[key] = node.config, self._of_config(node)
        settings = self._known[key][1]
        if not node.constants:
            return settings
        return settings | {f"calls/{i}": text(dict(c)) for i, c in enumerate(node.constants)}

    def _of_config(self, node: Node) -> dict[str, str]:
        skipped = {*GLOBAL_SETTINGS, *self._spelling.one_sided.get(node.spec.cls.name, ())}
        return {
            key: self._spelling.text(item)
            for key, item in node.config.items()
            if key not in skipped
        }


def _traits(node: Node, known: _Settings) -> Traits:
    spec = node.spec
    settings = known.of(node)
    weights = {
        name: tensor.sha256 for name, tensor in spec.tensors.items() if is_informative(tensor)
    }
    weights |= {f"assets/{name}": digest for name, digest in spec.assets.items()}
    shapes = sorted([name, list(tensor.shape)] for name, tensor in spec.tensors.items())
    return Traits(
        cls=spec.cls.name,
        settings=settings,
        config=signature([spec.cls.module, spec.cls.name, spec.cls.registered_name], settings),
        shapes=signature(shapes),
        weights=weights,
        digest=signature(spec.cls.name, weights) if weights else None,
        chosen=not is_automatic(node.name, spec.cls.name),
    )


def is_informative(tensor: TensorSpec) -> bool:
    """Tell whether a tensor can tell its layer from others: a single value or zeros cannot."""
    return tensor.size > 1 and tensor.sha256 not in _constants(tensor.dtype, tensor.shape)


@lru_cache(maxsize=4096)
def _constants(dtype: str, shape: tuple[int, ...]) -> frozenset[str]:
    """Return the digests of tensors that are all zeros or all ones."""
    if int(np.prod(shape, dtype=np.int64)) > MAX_CONSTANT:
        return frozenset()
    made = (np.full(shape, value, npy.true_dtype(dtype)) for value in (0, 1))
    return frozenset(sha256(npy.encode(array)) for array in made)
