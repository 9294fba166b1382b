"""Which models a set of changed files belongs to, by what stands in the index.

No model is read but the manifests around a changed file, and what must be imported to read them
is imported only when there is one: a commit that touches no model pays nothing for this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvcs.repo import Repository

# As `kvcs.tree.writer` has them, which would import NumPy.
_MANIFEST, _LAYER = "model.json", "layer.json"


@dataclass(frozen=True, slots=True)
class Touched:
    """Models, by their directories from the root of the repository.

    Attributes:
        models: each with the paths of its changed files, from there; all of them for a new one.
        headless: directories with layers and no manifest.
    """

    models: dict[str, frozenset[str]]
    headless: tuple[str, ...]


def touched(repository: Repository, changed: Iterable[str]) -> Touched:
    """Return the models of the index that changed paths are part of."""
    paths = list(changed)
    if not paths:
        return Touched({}, ())
    from kvcs.repo.place import places_above

    models = _Models(repository)
    found: dict[str, set[str]] = {}
    headless: set[str] = set()
    for path in paths:
        place = next((above for above in places_above(path) if models.has(above)), None)
        if place is not None:
            found.setdefault(place, set()).add(path[len(place) + 1 if place else 0 :])
        else:
            above = _of_layers(path)
            headless |= {above} & models.with_layers
    ordered = {place: frozenset(found[place]) for place in sorted(found)}
    return Touched(ordered, tuple(sorted(headless)))


def all_models(repository: Repository) -> list[str]:
    """Return the directory of each model in the index."""
    from kvcs.repo import changes

    return list(touched(repository, changes.indexed(repository.git, _MANIFEST)).models)


class _Models:
    """Where models stand in the index, as one listing tells; manifests are read when asked for."""

    def __init__(self, repository: Repository) -> None:
        from kvcs.repo import changes

        self._repository = repository
        listed = changes.indexed(repository.git, _MANIFEST, _LAYER)
        parts = [path.rsplit("/", 3) for path in listed if path.endswith(f"/{_LAYER}")]
        self.with_layers = {
            part[0] if len(part) == 4 else "" for part in parts if part[-3:-2] == ["layers"]
        }
        self._known = {
            place: True if place in self.with_layers else None
            for place in (_above(path) for path in listed if f"/{path}".endswith(f"/{_MANIFEST}"))
        }

    def has(self, place: str) -> bool:
        """Tell whether a model stands in a directory, and not somebody else's `model.json`."""
        if place not in self._known:
            return False
        known = self._known[place]
        if known is None:
            known = self._known[place] = self._is_manifest(place)
        return known

    def _is_manifest(self, place: str) -> bool:
        from kvcs.commands.operand import is_manifest
        from kvcs.errors import KvcsError

        try:
            return is_manifest(self._repository.revision(f":{place}")[_MANIFEST])
        except KvcsError:
            return True  # what is wrong with it is said when it is looked at


def _of_layers(path: str) -> str:
    """Return the directory whose layers a path is among, or else the one it is in."""
    head, mark, _ = f"/{path}".partition("/layers/")
    return head[1:] if mark else _above(path)


def _above(path: str) -> str:
    return path.rpartition("/")[0]
