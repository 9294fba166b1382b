"""`model.json`: the manifest of a model, and its checksum."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from kvcs import canon
from kvcs.checksum import sha256
from kvcs.errors import FormatError, NewerFormatError
from kvcs.spec import Build, Call, ModelSpec, SymbolicTensor
from kvcs.tree.fields import (
    Json,
    Object,
    arguments_from_json,
    check_written,
    dict_of,
    digest,
    expect,
    list_of,
    natural,
    or_null,
    path_from_json,
    string,
)
from kvcs.tree.layers import digests_by_path, layer_fields, layer_to_json

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """A layer's line in the manifest: its place, and the digest of its file or where it stands."""

    name: str
    path: str
    calls: tuple[Call, ...]
    sha256: str = ""
    shared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What `model.json` says.

    Attributes:
        model: the model without its layers.
        entries: a line for each layer.
        name: canonical name of the model; in the outermost manifest only.
        keras_version: the Keras that described the model; in the outermost manifest only.
        files: SHA-256 of the other JSON files beside it, by path.
        live_names: see `kvcs.spec.StoredModel`.
    """

    model: ModelSpec
    entries: tuple[EntryLine, ...]
    name: str = ""
    keras_version: str = ""
    files: Mapping[str, str]
    live_names: Mapping[str, str]


def manifest_to_json(manifest: Manifest) -> Json:
    """Return what `model.json` holds, its checksum included."""
    found = _body_to_json(manifest)
    return {**found, "checksum": checksum(found)}


def _body_to_json(manifest: Manifest) -> Json:
    model = manifest.model
    found = layer_to_json(model)
    found["format"] = FORMAT
    found["build"] = model.build
    found["layers"] = [_entry_to_json(entry) for entry in manifest.entries]
    if model.build == "graph" or model.inputs is not None or model.outputs is not None:
        found["inputs"] = canon.encode(model.inputs)
        found["outputs"] = canon.encode(model.outputs)
    if manifest.name:
        found["name"] = manifest.name
    if manifest.keras_version:
        found["keras_version"] = manifest.keras_version
    if manifest.files:
        found["files"] = dict(manifest.files)
    if manifest.live_names or manifest.name:  # always in the outermost: its loss must show
        names = dict(manifest.live_names)
        found["live_names"] = {"checksum": sha256([canon.dumps(names)]), "names": names}
    return found


def checksum(manifest: Json) -> str:
    """Return the SHA-256 of a manifest's canonical bytes without the digests in it.

    Digests are checked by what they are digests of; the rest needs a check of its own. Without
    them two branches that train different layers still merge; without the live names, which
    have their own check, a rebuilt model differs in nothing else.
    """
    kept = {key: item for key, item in manifest.items() if key not in ("checksum", "live_names")}
    kept["layers"] = [_without_digest(entry) for entry in manifest["layers"]]
    kept["tensors"] = {
        name: _without_digest(tensor) for name, tensor in manifest["tensors"].items()
    }
    for digests in ("files", "assets"):
        if digests in kept:
            kept[digests] = sorted(kept[digests])
    return sha256([canon.dumps(kept)])


def _without_digest(described: Json) -> Json:
    return {key: item for key, item in described.items() if key != "sha256"}


def _entry_to_json(entry: EntryLine) -> Json:
    found: Json = {
        "name": entry.name,
        "path": entry.path,
        "calls": [_call_to_json(call) for call in entry.calls],
    }
    found |= {"shared": entry.shared} if entry.shared else {"sha256": entry.sha256}
    return found


def _call_to_json(call: Call) -> Json:
    return {
        "args": [canon.encode(argument) for argument in call.args],
        "kwargs": canon.encode_schema(dict(call.kwargs)),
        "outputs": [
            {"shape": None if tensor.shape is None else list(tensor.shape), "dtype": tensor.dtype}
            for tensor in call.outputs
        ],
    }


def manifest_from_json(value: Any) -> Manifest:
    """Read `model.json`.

    Raises:
        FormatError: with the place.
        NewerFormatError: written in a later format.
    """
    found = Object(value)
    version = found.take("format", int)
    if version < FORMAT:
        raise FormatError(f"expected format {FORMAT}, got {version}", address="format")
    if version > FORMAT:
        if _is_of_this_format(value):
            raise FormatError("the manifest was altered: its format is 1", address="format")
        raise NewerFormatError(
            f"the model is stored in format {version}, this kvcs reads format {FORMAT}; "
            "upgrade kvcs"
        )
    if found.take("checksum", str) not in _checksums(value):
        raise FormatError("the manifest was altered: its content does not match its checksum")
    model = ModelSpec(
        **layer_fields(found),
        build=found.parse("build", _build),
        layers=(),
        inputs=found.parse("inputs", canon.decode, None),
        outputs=found.parse("outputs", canon.decode, None),
    )
    manifest = Manifest(
        model=model,
        entries=found.parse("layers", list_of(_entry)),
        name=found.parse("name", string, ""),
        keras_version=found.parse("keras_version", string, ""),
        files=found.parse("files", digests_by_path, {}),
        live_names=found.parse("live_names", _live_names, {}),
    )
    found.done()
    _check_places(manifest.entries)
    check_written(value, {**_body_to_json(manifest), "checksum": value["checksum"]})
    return manifest


def nested_from_json(value: Any) -> Manifest:
    """Read the `model.json` of a model inside another one."""
    for key in ("files", "keras_version", "live_names", "name"):
        if key in expect(value, dict) and value.get("format") == FORMAT:
            raise FormatError("stands in the outermost manifest only", address=key)
    return manifest_from_json(value)


def _is_of_this_format(value: Json) -> bool:
    """Tell whether only the format's number is another one: then that was altered."""
    try:
        return checksum({**value, "format": FORMAT}) == value.get("checksum")
    except (KeyError, TypeError, AttributeError):
        return False


def _checksums(value: Json) -> Container[str]:
    """Return the checksums that are right: any, where the readers below will complain."""
    try:
        return [checksum(value)]
    except (KeyError, TypeError, AttributeError):
        return [value["checksum"]]


def _check_places(entries: tuple[EntryLine, ...]) -> None:
    names = [entry.name for entry in entries]
    places = [entry.path.casefold() for entry in entries]
    for kind, given in (("name", names), ("path", places)):
        if len(set(given)) < len(given):
            twice = next(one for one in given if given.count(one) > 1)
            raise FormatError(f"two layers have the {kind} {twice!r}", address="layers")


def _build(value: Any) -> Build:
    if value not in ("graph", "sequence", "class"):
        raise FormatError(f"expected graph, sequence or class, got {value!r}")
    return value  # type: ignore[no-any-return]


def _live_names(value: Any) -> dict[str, str]:
    found = Object(value)
    names = found.parse("names", dict_of(string))
    if found.take("checksum", str) != sha256([canon.dumps(names)]):
        raise FormatError("the live names do not match their checksum")
    found.done()
    return names


def _entry(value: Any) -> EntryLine:
    found = Object(value)
    entry = EntryLine(
        name=found.take("name", str),
        path=found.parse("path", path_from_json),
        calls=found.parse("calls", list_of(_call)),
        sha256=found.parse("sha256", digest, ""),
        shared=found.parse("shared", path_from_json, ""),
    )
    found.done()
    if bool(entry.sha256) == bool(entry.shared):
        raise FormatError("expected one of the keys 'sha256' and 'shared'")
    return entry


def _call(value: Any) -> Call:
    found = Object(value)
    call = Call(
        args=found.parse("args", list_of(canon.decode)),
        kwargs=found.parse("kwargs", arguments_from_json),
        outputs=found.parse("outputs", list_of(_symbolic)),
    )
    found.done()
    return call


def _symbolic(value: Any) -> SymbolicTensor:
    found = Object(value)
    tensor = SymbolicTensor(
        shape=found.parse("shape", or_null(list_of(or_null(natural)))),
        dtype=found.take("dtype", str),
    )
    found.done()
    return tensor
