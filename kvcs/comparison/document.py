"""A diff as JSON, in the form of the schema `kvcs/comparison/schema.json`, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from kvcs.comparison.encoded import Json
from kvcs.comparison.values import FORMAT, KINDS, Change, Diff, Model, Pair
from kvcs.errors import FormatError
from kvcs.spec import MISSING


def to_dict(diff: Diff) -> dict[str, Json]:
    """Return a diff as JSON: the same for the same two models, to the byte."""
    return {
        "format": FORMAT,
        "differs": bool(diff),
        "related": diff.related,
        "old": _model_to_dict(diff.old),
        "new": _model_to_dict(diff.new),
        "kept": diff.kept,
        "left_out": diff.left_out,
        "pairs": [asdict(pair) for pair in diff.pairs],
        "containers": [asdict(pair) for pair in diff.containers],
        "changes": [_change_to_dict(change) for change in diff.changes],
        "groups": [_group(name, changes) for name, changes in sorted(diff.groups.items())],
        "summary": diff.summary,
    }


def _model_to_dict(model: Model) -> dict[str, Json]:
    connections = {path: list(sources) for path, sources in model.connections.items()}
    return {**asdict(model), "layers": list(model.layers), "connections": connections}


def _model_from_dict(document: Mapping[str, Json]) -> Model:
    connections = {path: tuple(sources) for path, sources in document["connections"].items()}
    return Model(**{**document, "layers": tuple(document["layers"]), "connections": connections})


def _change_to_dict(change: Change) -> dict[str, Json]:
    found: dict[str, Json] = {
        "id": change.id,
        "kind": change.kind,
        "old_path": change.old_path,
        "new_path": change.new_path,
    }
    for key in ("at", "reason", "group", "consequence_of"):
        if getattr(change, key):
            found[key] = getattr(change, key)
    for key in ("old", "new", "details"):
        if getattr(change, key) is not MISSING:
            found[key] = getattr(change, key)
    return found


def _group(name: str, changes: list[Change]) -> dict[str, Json]:
    return {"group": name, "kind": changes[0].kind, "at": changes[0].at, "count": len(changes)}


def from_dict(document: Mapping[str, Json]) -> Diff:
    """Read what `to_dict` wrote.

    Raises:
        FormatError: it is of another form, or of a later format.
    """
    if document.get("format") != FORMAT:
        raise FormatError(f"expected {FORMAT}, got {document.get('format')!r}", address="format")
    try:
        return Diff(
            old=_model_from_dict(document["old"]),
            new=_model_from_dict(document["new"]),
            pairs=tuple(Pair(**pair) for pair in document["pairs"]),
            containers=tuple(Pair(**pair) for pair in document["containers"]),
            changes=tuple(_change_from_dict(change) for change in document["changes"]),
            related=document["related"],
            kept=document["kept"],
            left_out=document["left_out"],
        )
    except (KeyError, TypeError) as error:
        raise FormatError(f"not a diff: {error}") from None


def _change_from_dict(document: Mapping[str, Json]) -> Change:
    fields: dict[str, Any] = {key: item for key, item in document.items() if key != "id"}
    if fields["kind"] not in KINDS:
        raise FormatError(f"unknown kind of change {fields['kind']!r}")
    return Change(**fields)


def schema() -> dict[str, Json]:
    """Return the JSON schema of `to_dict`."""
    text = files("kvcs.comparison").joinpath("schema.json").read_text(encoding="utf-8")
    found: dict[str, Json] = json.loads(text)
    return found
