"""Which models a set of changed files belongs to, by what stands in the index.

No model is read but the manifests around a changed file, and what must be imported to read them
is imported only when there is one: a commit that touches no model pays nothing for this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvcs.repo import Repository

_MANIFEST = "model.json"  # as `kvcs.tree.writer` has it, which would import NumPy


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
    if not any(map(_may_be_of_a_model, paths)):
        return Touched({}, ())
    from kvcs.repo import changes

    with_manifest = {_above(path) for path in changes.indexed(repository.git, _MANIFEST)}
    is_model: dict[str, bool] = {}
    models: dict[str, set[str]] = {}
    headless: dict[str, None] = {}
    for path in paths:
        place = _model_around(repository, path, with_manifest, is_model)
        if place is not None:
            models.setdefault(place, set()).add(path[len(place) + 1 if place else 0 :])
        elif _MANIFEST in path or "layer.json" in path:
            headless.update(dict.fromkeys(_headless(repository, path)))
    return Touched(
        {place: frozenset(models[place]) for place in sorted(models)}, tuple(sorted(headless))
    )


def _may_be_of_a_model(path: str) -> bool:
    return path.endswith((".json", ".npy")) or "/assets/" in f"/{path}"


def _model_around(
    repository: Repository, path: str, with_manifest: set[str], is_model: dict[str, bool]
) -> str | None:
    """Return the outermost model that a path belongs to."""
    for place in _places_above(path):
        if place in with_manifest:
            if place not in is_model:
                is_model[place] = _is_model(repository, place)
            if is_model[place]:
                return place
    return None


def _places_above(path: str) -> Iterator[str]:
    yield ""
    for at, letter in enumerate(path):
        if letter == "/":
            yield path[:at]


def _is_model(repository: Repository, place: str) -> bool:
    from kvcs.commands.operand import is_manifest
    from kvcs.errors import KvcsError
    from kvcs.repo import changes

    below = f"{place}/" if place else ""
    if changes.holds(repository.git, f"{_escaped(below)}layers/*/layer.json"):
        return True
    try:
        return is_manifest(repository.revision(f":{place}")[_MANIFEST])
    except KvcsError:
        return True  # what is wrong with it is said when it is looked at


def _headless(repository: Repository, path: str) -> Iterator[str]:
    """Yield the directory whose layers a path is among, or was the manifest of."""
    from kvcs.repo import changes

    head, mark, _ = f"/{path}".partition("/layers/")
    place = head[1:] if mark else _above(path)
    below = _escaped(f"{place}/" if place else "")
    if changes.holds(repository.git, f"{below}layers/*/layer.json"):
        yield place


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def _escaped(path: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\*?[" else letter for letter in path)
