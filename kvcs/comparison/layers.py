"""What differs between two layers that are a pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kvcs.comparison.encoded import Json, encoded
from kvcs.comparison.graph import Container, Node, relocated
from kvcs.comparison.settings import Difference, differences
from kvcs.comparison.spelling import Spelling
from kvcs.comparison.values import CONTENTS, NEWER_KERAS, NO_WEIGHTS, Change
from kvcs.names import is_automatic
from kvcs.spec import MISSING, ClassRef, LayerSpec, TensorSpec

# Averages that a layer gathers while a model is trained, whether or not it learns.
AVERAGES = ("moving_mean", "moving_variance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the two models when two of their layers are compared.

    Attributes:
        scopes: for each model in the old model, its partner.
        places: for each place in the old model, that of its partner.
        spelling: what the versions of Keras that wrote them write differently.
    """

    scopes: Mapping[str, str]
    places: Mapping[str, str]
    spelling: Spelling


def layer_changes(old: Node, new: Node, known: Known) -> Iterator[Change]:
    """Yield what differs between two layers."""
    yield from name_changes(old, new, known)
    if old.spec.cls != new.spec.cls:
        yield _change("replaced", old, new, old=identity(old), new=identity(new))
        return
    yield from _config(old, new, known)
    yield from _constants(old, new)
    yield from _ties(old, new, known)
    yield from _trainable(old, new)
    yield from tensor_changes(old, new)


def container_changes(old: Container, new: Container, known: Known) -> Iterator[Change]:
    """Yield what differs between two models, apart from what stands in them."""
    yield from name_changes(old, new, known)
    if old.spec.cls != new.spec.cls:
        yield _change("replaced", old, new, old=identity(old), new=identity(new))
        return
    for found in differences(old.config, new.config):
        yield _container_setting(old, new, found, known)
    yield from tensor_changes(old, new)


def _container_setting(old: Container, new: Container, found: Difference, known: Known) -> Change:
    key = str(found.at[0])
    if known.spelling.is_all(found, old.spec.cls.name):
        return _setting("note", old, new, found, reason=NEWER_KERAS)
    parts = {entry.path.split("/")[1] for entry in new.spec.layers if "/" in entry.path}
    if key in ("trainable", "dtype") or key in parts:
        return _setting("note", old, new, found, reason=CONTENTS)
    return _setting("config", old, new, found)


def identity(one: Node | Container) -> Json:
    """Return class and settings of a layer as JSON."""
    return {"class": class_json(one.spec.cls), "config": dict(one.config)}


def class_json(cls: ClassRef) -> Json:
    """Return a class as JSON."""
    return {"module": cls.module, "name": cls.name, "registered_name": cls.registered_name}


def name_changes(old: Node | Container, new: Node | Container, known: Known) -> Iterator[Change]:
    """Yield that a layer stands in another model, or has another name."""
    if old.path and known.scopes.get(old.scope) != new.scope:
        yield _change("rescoped", old, new, old=old.scope, new=new.scope)
    chosen = not (_automatic(old) and _automatic(new))
    if old.name != new.name:
        kind = "renamed" if chosen else "renumbered"
        yield _change(kind, old, new, old=old.name, new=new.name)
    elif old.live != new.live:
        yield _change("renumbered", old, new, old=old.live, new=new.live)


def _automatic(one: Node | Container) -> bool:
    return not one.name or is_automatic(one.name, one.spec.cls.name)


def _config(old: Node, new: Node, known: Known) -> Iterator[Change]:
    count = 0
    for found in differences(old.config, new.config):
        if found.at == ("trainable",):
            continue
        if known.spelling.is_all(found, old.spec.cls.name):
            yield _setting("note", old, new, found, reason=NEWER_KERAS)
        else:
            count += 1
            yield _setting("config", old, new, found)
    yield from _parts(old, new, follows=bool(count))


def _parts(old: Node, new: Node, *, follows: bool) -> Iterator[Change]:
    """Yield settings of what a layer of one's own is made of."""
    mine, yours = old.spec.parts, new.spec.parts
    for key in sorted(mine.keys() & yours.keys()):
        ours = {"class": class_json(mine[key].cls), **encoded(mine[key].config)}
        theirs = {"class": class_json(yours[key].cls), **encoded(yours[key].config)}
        for found in differences(ours, theirs):
            kind = "note" if follows or found.at[0] in ("trainable", "dtype") else "config"
            at = f"part:{key}/{found.path}"
            reason = CONTENTS if kind == "note" else ""
            yield _change(kind, old, new, at=at, old=found.old, new=found.new, reason=reason)


def _constants(old: Node, new: Node) -> Iterator[Change]:
    for index, (mine, yours) in enumerate(zip(old.constants, new.constants, strict=False)):
        for found in differences(mine, yours):
            at = f"call:{index}/{found.path.replace('~1', '/')}"
            yield _change("config", old, new, at=at, old=found.old, new=found.new)


def _ties(old: Node, new: Node, known: Known) -> Iterator[Change]:
    mine = {name: relocated(path, known.places) for name, path in old.spec.tied.items()}
    for found in differences(mine, dict(new.spec.tied)):
        yield _change("config", old, new, at=f"tied:{found.path}", old=found.old, new=found.new)


def _trainable(old: Node, new: Node) -> Iterator[Change]:
    mine, yours = old.config.get("trainable", MISSING), new.config.get("trainable", MISSING)
    flags = [_flags(node.spec) for node in (old, new)]
    common = flags[0].keys() & flags[1].keys()
    turned = sorted(name for name in common if flags[0][name] != flags[1][name])
    frozen = [{"frozen": list(node.spec.frozen)} for node in (old, new)]
    # Without weights of its own, a layer that is frozen is the same as before.
    kind, reason = ("trainable", "") if flags[1] else ("note", NO_WEIGHTS)
    if mine != yours:
        yield _change(kind, old, new, at="trainable", old=mine, new=yours, reason=reason)
    elif turned:
        before, after = ({name: flag[name] for name in turned} for flag in flags)
        yield _change(kind, old, new, old=before, new=after)
    elif frozen[0] != frozen[1]:
        yield _change(kind, old, new, at=":frozen", old=frozen[0], new=frozen[1], reason=reason)


def _flags(spec: LayerSpec) -> dict[str, bool]:
    return {name: tensor.trainable for name, tensor in spec.tensors.items()}


def tensor_changes(old: Node | Container, new: Node | Container) -> Iterator[Change]:
    """Yield that the weights of a layer have other shapes or values."""
    mine, yours = old.spec.tensors, new.spec.tensors
    shapes = [
        {name: list(tensor.shape) for name, tensor in tensors.items()} for tensors in (mine, yours)
    ]
    if shapes[0] != shapes[1]:
        names = [n for n in sorted({*mine, *yours}) if shapes[0].get(n) != shapes[1].get(n)]
        before, after = ({n: shape[n] for n in names if n in shape} for shape in shapes)
        yield _change("shape", old, new, old=before, new=after)
        return
    changed = [name for name in sorted(mine) if _bits(mine[name]) != _bits(yours[name])]
    averages = [name for name in changed if name.rpartition("/")[2] in AVERAGES]
    weights = [name for name in changed if name not in averages]
    digests = [{name: _bits(tensors[name]) for name in weights} for tensors in (mine, yours)]
    for one, other in ((0, 1), (1, 0)):
        assets = (old.spec.assets, new.spec.assets)
        for name in sorted(assets[one]):
            if assets[one][name] != assets[other].get(name):
                digests[one][f"assets/{name}"] = assets[one][name]
    if digests[0] or digests[1]:
        yield _change("weights", old, new, old=digests[0], new=digests[1])
    if averages:
        bits = [{name: _bits(tensors[name]) for name in averages} for tensors in (mine, yours)]
        yield _change("state", old, new, at="averages", old=bits[0], new=bits[1])


def _bits(tensor: TensorSpec) -> str:
    # The file tells bits; which of the 8-bit floats they are stands in its description.
    return f"{tensor.dtype}:{tensor.sha256}"


def _setting(
    kind: Any, old: Node | Container, new: Node | Container, found: Difference, reason: str = ""
) -> Change:
    return _change(kind, old, new, at=found.path, old=found.old, new=found.new, reason=reason)


def _change(kind: Any, one: Node | Container, other: Node | Container, **fields: Any) -> Change:
    return Change(kind=kind, old_path=one.path, new_path=other.path, **fields)
