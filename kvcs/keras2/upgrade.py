"""Models of Keras 2 as Keras 3 describes them: sequences, graphs, and the layers in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras2.configs import name_of, upgraded_config
from kvcs.keras2.fields import Known, Object, a_list, a_shape, a_text, an_object, described, keras3
from kvcs.keras2.nodes import Arguments, Callee, arguments, check_order, ends, numbers
from kvcs.keras2.objects import custom, dtype
from kvcs.keras2.operations import OPERATIONS, upgraded_operation
from kvcs.keras2.rules import ALIASES, LAYERS, RECURRENT

GRAPHS = ("Functional", "Model")
MODELS = ("Sequential", *GRAPHS)


def upgraded_model(description: Any, known: Known) -> Object:
    """Return the description of a model of Keras 2 as Keras 3 reads it.

    Raises:
        RestoreError: it is no model, or something in it has no equivalent; the text names the
            layer, its class, and what to do.
    """
    cls, config = described(description, "this JSON", "the model")
    if cls not in MODELS:
        raise RestoreError(f"this JSON describes a {cls}, which is no model: a model is expected")
    _check_sharing(description)
    return _model(cls, config, "", known)


def _model(cls: str, config: Any, path: str, known: Known) -> Object:
    place = f"model {path!r}" if path else "the model"
    if cls == "Sequential":
        return keras3("keras", "Sequential", _sequence(config, path, place, known))
    return keras3("keras", "Model", _graph(config, path, place, known))


def _layer(description: Any, path: str, known: Known) -> Object:
    """Return the description of a layer; `path` is that of the layer it stands in."""
    outer = f"model {path!r}" if path else "the model"
    cls, name = name_of(description, outer)
    config = description["config"]
    below = f"{path}/{name}" if path else name
    if cls in MODELS:
        return _model(cls, config, below, known)
    cls = ALIASES.get(cls, cls)
    place = f"layer {below!r} ({cls})" if name else f"a layer ({cls}) of {outer}"
    return _single(cls, an_object(config, "its config", place), description, place, known)


def _single(cls: str, config: Object, description: Object, place: str, known: Known) -> Object:
    if cls == "InputLayer":
        return keras3("keras.layers", cls, _input_config(config, place))
    if cls in OPERATIONS:
        raise RestoreError(f"{place} stands outside of a graph, where nothing calls it")
    if _is_keras3(config) and not known(cls):
        kept = {k: v for k, v in config.items() if k not in ("batch_input_shape", "input_shape")}
        return keras3("keras.layers", cls, kept)
    if cls not in LAYERS or known(cls):
        return custom({**description, "config": _custom_config(config, place)}, "it", place, known)
    rule = LAYERS[cls]
    if rule.refused:
        raise RestoreError(f"{place} has no equivalent in Keras 3: {rule.refused}")

    def nested(inner: Any, where: str) -> Object:
        inner_cls, _ = name_of(inner, where)
        if inner_cls in MODELS:
            return _model(inner_cls, inner["config"], where, known)
        found = ALIASES.get(inner_cls, inner_cls)
        there = f"{where} ({found})"
        return _single(found, an_object(inner["config"], "its config", there), inner, there, known)

    found = upgraded_config(config, rule, place, known, nested)
    return keras3("keras.layers", rule.name or cls, found)


def _is_keras3(config: Object) -> bool:
    """Tell a config that Keras 3 wrote, which people put into the plain form."""
    policy = config.get("dtype")
    return isinstance(policy, dict) and policy.get("class_name") == "DTypePolicy"


def _custom_config(config: Object, place: str) -> Object:
    found = {key: value for key, value in config.items() if key != "batch_input_shape"}
    return {**found, "dtype": dtype(found["dtype"], place)} if "dtype" in found else found


def _input_config(config: Object, place: str) -> Object:
    kept = {"name", "dtype", "sparse", "batch_input_shape", "batch_shape", "input_shape"}
    unknown = sorted(config.keys() - kept - {"ragged", "optional", "batch_size", "trainable"})
    if unknown:
        raise RestoreError(f"{place}: {unknown[0]!r} is no setting of this layer in Keras 3")
    for key in ("ragged", "optional"):
        if config.get(key):
            raise RestoreError(f"{place}: inputs that are {key} have no equivalent in Keras 3")
    found: Object = {key: config[key] for key in ("name", "dtype", "sparse") if key in config}
    shape = input_shape(config, place)
    if shape is None:
        raise RestoreError(f"{place} says no shape: add 'batch_input_shape'")
    return {**found, "dtype": dtype(config.get("dtype"), place), "batch_shape": shape}


def input_shape(config: Object, place: str) -> list[int | None] | None:
    """Return the shape of the input that a layer's config tells, with the axis of the batch."""
    for key in ("batch_input_shape", "batch_shape"):
        if config.get(key) is not None:
            return a_shape(config[key], key, place)
    if config.get("input_shape") is not None:
        return [config.get("batch_size"), *a_shape(config["input_shape"], "input_shape", place)]
    return None


def _sequence(config: Any, path: str, place: str, known: Known) -> Object:
    if isinstance(config, list):  # Keras 1, and Keras 2 up to 2.2.2
        config = {"name": "sequential", "layers": config}
    config = an_object(config, "its config", place)
    layers = a_list(config.get("layers"), "'layers'", place)
    found: Object = {"name": a_text(config.get("name", "sequential"), "its name", place)}
    found["layers"] = [
        *_input_of(layers, path, place), *[_layer(each, path, known) for each in layers]
    ]  # fmt: skip
    _check_keys(config, {"name", "layers", "build_input_shape", "trainable"}, place)
    shape = config.get("build_input_shape")
    if shape is not None and len(found["layers"]) == len(layers) and not _starts(layers):
        found["build_input_shape"] = a_shape(shape, "build_input_shape", place)
    return found


def _starts(layers: Sequence[Any]) -> bool:
    return bool(layers) and layers[0]["class_name"] == "InputLayer"


def _input_of(layers: Sequence[Any], path: str, place: str) -> list[Object]:
    """Return the input that the first layer of a sequence implies.

    Keras 3 takes no `batch_input_shape` of a layer. Its reader of old files would take it for the
    shape without the batch (3.15), and build a model of the wrong shape.
    """
    if not layers:
        return []
    cls, name = name_of(layers[0], place)
    config = layers[0]["config"]
    if cls == "InputLayer" or cls in MODELS or not isinstance(config, dict):
        return []
    where = f"layer {name!r} ({cls})"
    shape = input_shape(config, where)
    if shape is None and cls != "Embedding" and type(config.get("input_dim")) is int:
        shape = [None, config["input_dim"]]
    if shape is None:
        return []
    kind = config.get("dtype") if isinstance(config.get("dtype"), str) else "float32"
    if str(kind).startswith("mixed_"):
        kind = "float32"
    entry = {"dtype": kind, "batch_shape": shape}
    entry |= {"name": f"{name}_input"} if name else {}
    return [keras3("keras.layers", "InputLayer", entry)]


def _graph(config: Any, path: str, place: str, known: Known) -> Object:
    config = an_object(config, "its config", place)
    _check_keys(config, {"name", "layers", "input_layers", "output_layers", "trainable"}, place)
    layers = a_list(config.get("layers"), "'layers'", place)
    callees = _callees(layers, config, place)
    found: Object = {"trainable": config.get("trainable", True)}
    if config.get("name") is not None:
        found["name"] = a_text(config["name"], "its name", place)
    found["layers"] = [_member(each, callees, path, known) for each in layers]
    check_order(found["layers"], place)
    for key in ("input_layers", "output_layers"):
        found[key] = ends(config.get(key), callees, f"{place}, {key}")
    return found


def _check_keys(config: Object, known: set[str], place: str) -> None:
    unknown = sorted(config.keys() - known)
    if unknown:
        raise RestoreError(f"{place}: {unknown[0]!r} is no setting of a model in Keras 3")


def _callees(layers: Sequence[Any], config: Object, place: str) -> dict[str, Callee]:
    used: dict[str, set[int]] = {}
    for holder in (*[each for each in layers if isinstance(each, dict)], config):
        for key in ("inbound_nodes", "input_layers", "output_layers"):
            for name, number in numbers(holder.get(key)):
                used.setdefault(name, set()).add(number)
    found = {}
    for each in layers:
        cls, name = name_of(each, place)
        if not name or name in found:
            raise RestoreError(f"{place}: two layers have the name {name!r}" if name else
                               f"{place}: a layer ({cls}) has no name")  # fmt: skip
        calls = len(_nodes(each, place)) or int(cls == "InputLayer")
        first = _first_call(cls, calls, used.get(name, set()))
        found[name] = Callee(calls=calls, first=first, is_graph=cls in GRAPHS)
    return found


def _first_call(cls: str, calls: int, used: set[int]) -> int:
    """Tell from which number on the calls of a layer are counted, where the file shows it."""
    if cls not in MODELS or 0 in used:
        return 0
    # A Sequential model counts from 1 if it was built with an input, and from 0 otherwise.
    return int(cls in GRAPHS or calls in used)


def _nodes(description: Object, place: str) -> list[Any]:
    return a_list(description.get("inbound_nodes", []), "'inbound_nodes'", place)


def _member(description: Object, callees: dict[str, Callee], path: str, known: Known) -> Object:
    """Return the description of a layer of a graph, with its calls."""
    cls, name = name_of(description, path)
    cls = ALIASES.get(cls, cls)
    place = f"layer {f'{path}/{name}' if path else name!r} ({cls})"
    calls = [arguments(node, callees, place) for node in _nodes(description, place)]
    if cls in OPERATIONS:
        config = an_object(description["config"], "its config", place)
        found = upgraded_operation(config, calls, place)
        return {**found, "config": {"name": name, **found["config"]}, "name": name}
    nodes = [_node(cls, call) for call in calls]
    return {**_layer(description, path, known), "name": name, "inbound_nodes": nodes}


def _node(cls: str, call: Arguments) -> Object:
    # None is the default of whatever has it, and not everything that Keras 2 passes is taken.
    first, others = call.first, {key: v for key, v in call.others.items() if v is not None}
    if cls in RECURRENT and isinstance(first, list) and first:
        first, *states = first
        others["initial_state"] = states
    return {"args": [first], "kwargs": others}


def _check_sharing(description: Any) -> None:
    """Refuse a layer that stands in two models: Keras 3 would make two of it.

    Keras 2.5 to 2.12 gave the same number to both.
    """
    seen: dict[int, str] = {}
    for model in _models(description):
        for layer in model:
            number = layer.get("shared_object_id")
            name = str(layer.get("name") or "")
            if type(number) is int and number in seen:
                raise RestoreError(
                    f"layer {name!r} stands in two models, which share its weights: Keras 3 would "
                    "make two layers of it. Build the model in Keras 3, and load the weights only"
                )
            if type(number) is int:
                seen[number] = name


def _models(value: Any) -> Iterator[list[Object]]:
    """Yield the layers of every model inside."""
    if isinstance(value, dict):
        layers = value.get("layers")
        if isinstance(layers, list):
            yield [each for each in layers if isinstance(each, dict)]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _models(each)
