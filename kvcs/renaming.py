"""Canonical names inside a config: wrapped layers, sub-layers and whole models have names too.

`TimeDistributed(Dense(4))` holds a config that names the inner layer `dense_7`, because seven were
built before it in the process. Such names are replaced by canonical ones, and a JSON Pointer
(RFC 6901) to each replaced string says what stood there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kvcs.canon import is_object, same
from kvcs.names import canonical_names, is_automatic
from kvcs.spec import Value

Pointer = tuple[str | int, ...]


def canonical_config(config: dict[str, Value]) -> tuple[dict[str, Value], dict[str, str]]:
    """Return a config with canonical names inside, and the names that stood there, by pointer.

    Where putting them back would not give the config again, nothing is replaced.
    """
    if not _has_automatic_name(config):  # as nearly always, and seen soon
        return config, {}
    renamed: dict[Pointer, str] = {}
    canonical = _copy(config)
    _rename(canonical, (), renamed)
    if not renamed:
        return config, {}
    names = {_pointer(pointer): name for pointer, name in renamed.items()}
    return (canonical, names) if _gives_back(canonical, names, config) else (config, {})


def _has_automatic_name(value: Value) -> bool:
    """Tell whether a name that Keras may have made up stands somewhere inside."""
    if isinstance(value, dict):
        class_name, inside = value.get("class_name"), value.get("config")
        if isinstance(inside, dict) and isinstance(class_name, str):
            name = inside.get("name")
            if isinstance(name, str) and is_automatic(name, class_name):
                return True
        return any(map(_has_automatic_name, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_automatic_name, value))


def _gives_back(canonical: dict[str, Value], names: dict[str, str], config: Value) -> bool:
    try:
        return same(live_config(canonical, names), config)
    except (LookupError, TypeError, ValueError):  # a pointer has no words for keys such as 1
        return False


def live_config(config: dict[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    """Return a config with the names put back that `canonical_config` replaced.

    Raises:
        LookupError, TypeError, ValueError: a pointer leads nowhere.
    """
    live = _copy(config) if names else config
    for pointer, name in names.items():
        *parents, last = [_unescape(step) for step in pointer.split("/")[1:]]
        place: Any = live
        for step in parents:
            place = place[int(step)] if isinstance(place, list | tuple) else place[step]
        place[int(last) if isinstance(place, list) else last] = name
    return live


def _copy(value: Value) -> Any:
    """Copy containers, and one that stands in two places twice: as it will come out of a file."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_copy(item) for item in value])
    return value


def names_by_place(live_names: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Sort out the live names that stand inside configs, written `place#pointer`, by place."""
    found: dict[str, dict[str, str]] = {}
    for key, name in live_names.items():
        place, mark, pointer = key.partition("#")
        if mark:
            found.setdefault(place, {})[pointer] = name
    return found


def _pointer(steps: Pointer) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _unescape(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def _rename(value: Value, at: Pointer, renamed: dict[Pointer, str]) -> None:
    """Rename the objects that stand directly in `value`, one container, then look inside each."""
    inside = list(_objects(value, at))
    named = [(where, thing) for where, thing in inside if isinstance(_name(thing), str)]
    names = [_name(thing) for _, thing in named]
    if len(set(names)) == len(names):
        pairs = [(_name(thing), thing["class_name"]) for _, thing in named]
        for (where, thing), name in zip(named, canonical_names(pairs), strict=True):
            _put(thing["config"], "name", name, (*where, "config"), renamed)
    for where, thing in inside:
        _rename(thing["config"], (*where, "config"), renamed)
        for key in ("build_config", "compile_config"):
            _rename(thing.get(key), (*where, key), renamed)
    if _is_graph(value):
        _rename_references(value, at, renamed, _translation(names, named))


def _translation(before: list[str], named: list[tuple[Pointer, Any]]) -> dict[str, str]:
    return {old: _name(thing) for old, (_, thing) in zip(before, named, strict=True)}


def _name(thing: Any) -> Any:
    config = thing["config"]
    return config.get("name") if isinstance(config, dict) else None


def _put(holder: Any, key: str | int, name: str, at: Pointer, renamed: dict[Pointer, str]) -> None:
    if holder[key] != name:
        where = (*at, key)
        renamed[where] = holder[key]
        holder[key] = name


def _objects(value: Value, at: Pointer) -> Iterator[tuple[Pointer, Any]]:
    if isinstance(value, dict):
        if is_object(value) and at:
            yield at, value
            return
        for key, item in value.items():
            if isinstance(key, str):
                yield from _objects(item, (*at, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _objects(item, (*at, index))


def _is_graph(value: Value) -> bool:
    if not isinstance(value, dict) or not {"input_layers", "output_layers"} <= value.keys():
        return False
    layers = value.get("layers")
    return isinstance(layers, list) and all(isinstance(layer, dict) for layer in layers)


def _rename_references(
    graph: dict[str, Any], at: Pointer, renamed: dict[Pointer, str], names: dict[str, str]
) -> None:
    for index, layer in enumerate(graph["layers"]):
        where = (*at, "layers", index)
        if isinstance(layer.get("name"), str):
            _put(layer, "name", names.get(layer["name"], layer["name"]), where, renamed)
        _rename_history(layer.get("inbound_nodes"), (*where, "inbound_nodes"), renamed, names)
    for key in ("input_layers", "output_layers"):
        _rename_leaves(graph[key], (*at, key), renamed, names)


def _rename_history(
    value: Any, at: Pointer, renamed: dict[Pointer, str], names: dict[str, str]
) -> None:
    if isinstance(value, dict):
        history: Any = value.get("keras_history")
        if isinstance(history, list) and history and isinstance(history[0], str):
            name = history[0]
            _put(history, 0, names.get(name, name), (*at, "keras_history"), renamed)
            return
        for key, item in value.items():
            _rename_history(item, (*at, key), renamed, names)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _rename_history(item, (*at, index), renamed, names)


def _rename_leaves(
    value: Any, at: Pointer, renamed: dict[Pointer, str], names: dict[str, str]
) -> None:
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        _put(value, 0, names.get(value[0], value[0]), at, renamed)
    elif isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            _rename_leaves(item, (*at, key), renamed, names)
