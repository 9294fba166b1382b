"""What two versions of Keras write differently of one and the same model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kvcs.canon import is_object
from kvcs.comparison.encoded import Json, text
from kvcs.comparison.graph import Graph
from kvcs.comparison.settings import Difference
from kvcs.spec import MISSING

# Keras 3.6 writes OrthogonalInitializer where 3.15 writes Orthogonal, another name of the class.
SUFFIX = "Initializer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How to read settings that were written by one version of Keras or by two.

    Attributes:
        two: whether two versions wrote them.
        one_sided: settings that only one of the two writes, by class.
    """

    two: bool = False
    one_sided: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def text(self, value: Json) -> str:
        """Return a setting as text that is equal where the two versions mean the same.

        Of an object in it, only the class is compared, if two versions wrote it.
        """
        return text(_classes(value) if self.two else value)

    def is_all(self, found: Difference, cls: str) -> bool:
        """Tell whether a difference is one of spelling, which says nothing about the model."""
        if found.at == ("dtype",) and _policy(found.old) == _policy(found.new) is not None:
            return True
        if not self.two:
            return False
        if MISSING in (found.old, found.new):
            inside = len(found.at) > 1 and found.at[-2] == "config"
            return inside or found.at[0] in self.one_sided.get(cls, ())
        return _renamed(found.old, found.new)


def spelling(old: Graph, new: Graph) -> Spelling:
    """Find out what the versions of Keras that described two models write differently."""
    if old.stored.keras_version == new.stored.keras_version:
        return Spelling()
    keys = [_keys_by_class(graph) for graph in (old, new)]
    return Spelling(
        two=True,
        one_sided={
            cls: frozenset(keys[0][cls] ^ keys[1][cls]) for cls in keys[0].keys() & keys[1].keys()
        },
    )


def _keys_by_class(graph: Graph) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for part in graph.parts():
        if part.spec.cls.builtin:
            found.setdefault(part.spec.cls.name, set()).update(part.config)
    return found


def _classes(value: Json) -> Json:
    if is_object(value):
        return value["class_name"].removesuffix(SUFFIX)
    if isinstance(value, dict):
        return {key: _classes(item) for key, item in value.items()}
    return [_classes(item) for item in value] if isinstance(value, list) else value


def _policy(value: Json) -> str | None:
    """Return the name of a dtype policy, which older versions write alone."""
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        value = value["config"].get("name")
    return value if isinstance(value, str) else None


def _renamed(old: Json, new: Json) -> bool:
    if not (is_object(old) and is_object(new)) or old["class_name"] == new["class_name"]:
        return False
    names = [side["class_name"].removesuffix(SUFFIX) for side in (old, new)]
    rest = [{**side, "class_name": ""} for side in (old, new)]
    return names[0] == names[1] and text(rest[0]) == text(rest[1])
