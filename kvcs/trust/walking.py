"""The walk over all that a model names; whatever is refused is refused with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kvcs.errors import RefusedError
from kvcs.spec import MISSING, ClassRef, LayerSpec, ModelSpec, StoredModel, Value
from kvcs.trust.judging import Trust, judge_class, judge_function, judge_settings
from kvcs.trust.known import CODE_TAGS, DATA_TAGS, UNSAFE
from kvcs.trust.loops import check_graph


def check_model(stored: StoredModel, trust: Trust, *, compiled: bool = True) -> None:
    """Admit all that restoring a stored model would build or call, or refuse the model.

    What the class of a layer builds by itself is not asked for: that class is known or trusted.

    Args:
        stored: the model.
        trust: what the caller trusts.
        compiled: also admit what `compile()` was given.

    Raises:
        RefusedError: something is neither known nor trusted; the text says where, and what to do.
    """
    _check_layer(stored.model, "", trust)
    if compiled and stored.training is not MISSING:
        _Walk(trust, "the model cannot be compiled as it was").value(dict(stored.training), ())


def _check_layer(layer: LayerSpec, path: str, trust: Trust) -> None:
    walk = _Walk(trust, _cannot_be_built(path, layer.cls.name))
    walk.judged((), judge_class, layer.cls, trust)
    walk.judged((), judge_settings, layer.cls, layer.config, trust)
    walk.value(dict(layer.config), ("config",))
    walk.value(layer.build_config, ("build_config",))
    if isinstance(layer, ModelSpec) and layer.build != "class":
        walk.value(layer.inputs, ("inputs",))
        walk.value(layer.outputs, ("outputs",))
        for entry in layer.layers:
            if layer.build == "graph" and not entry.calls:
                continue  # beside the graph, and built by the model's class
            below = f"{path}/{entry.path}" if path else entry.path
            for number, call in enumerate(entry.calls):
                called = _Walk(trust, f"layer {below!r} cannot be called")
                called.value(list(call.args), ("calls", number, "args"))
                called.value(dict(call.kwargs), ("calls", number, "kwargs"))
            if isinstance(entry.layer, LayerSpec):
                _check_layer(entry.layer, below, trust)


def check_value(value: Value, trust: Trust, path: str, cls: str) -> None:
    """Admit all that a part of a stored config names.

    Args:
        value: a setting of a layer.
        trust: what the caller trusts.
        path: the layer.
        cls: its class.

    Raises:
        RefusedError: something in it is neither known nor trusted.
    """
    _Walk(trust, _cannot_be_built(path, cls)).value(value, ("config",))


def check_config(config: Value, trust: Trust, what: str = "the model") -> None:
    """Admit all that a config as Keras writes it names, or refuse it.

    Args:
        config: the config of a whole model, or what `compile()` was given.
        trust: what the caller trusts.
        what: what to call it where nothing in it has a name.

    Raises:
        RefusedError: something is neither known nor trusted; the text says where, and what to do.
    """
    _Walk(trust, f"{what} cannot be built").value(config, ())


def _cannot_be_built(path: str, cls: str) -> str:
    what = f"layer {path!r}" if path else "the model"
    return f"{what} ({cls}) cannot be built"


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk over one config, which says of a refusal what cannot be done, and why.

    Attributes:
        trust: what the caller trusts.
        spot: what cannot be done.
        path: the layer in a config as Keras writes it, where layers stand in layers.
    """

    trust: Trust
    spot: str
    path: str = ""

    def judged(self, keys: tuple[Any, ...], judge: Callable[..., None], *given: Any) -> None:
        """Let something be judged, and give a refusal its place."""
        try:
            judge(*given)
        except RefusedError as error:
            raise RefusedError(f"{self.spot}: {_at(keys)}{error}") from None

    def value(self, value: Value, keys: tuple[Any, ...]) -> None:
        """Walk over a value and all in it."""
        if isinstance(value, dict):
            self._dict(value, keys)
        elif isinstance(value, ClassRef):
            self.judged(keys, judge_class, value, self.trust)
        elif isinstance(value, list | tuple | set | frozenset):
            self._items(enumerate(value), keys)
        elif isinstance(value, slice):
            self._items(zip(_SLICE, (value.start, value.stop, value.step), strict=True), keys)

    def _items(self, items: Iterable[tuple[Any, Value]], keys: tuple[Any, ...]) -> None:
        for key, item in items:
            if isinstance(item, _HOLDERS):
                self.value(item, (*keys, key))

    def _dict(self, value: dict[Any, Value], keys: tuple[Any, ...]) -> None:
        name = value.get("class_name")
        if not isinstance(name, str | None) and "config" in value:
            raise RefusedError(f"{self.spot}: {_at(keys)}a class in it has no name. {UNSAFE}")
        if isinstance(name, str):
            if name in CODE_TAGS:
                raise RefusedError(f"{self.spot}: {_at(keys)}{CODE_TAGS[name]}. {UNSAFE}")
            if "config" in value and name not in DATA_TAGS:
                self._object(name, value, keys)
                return
        self._items(((key, item) for key, item in value.items()), keys)
        self._items(((key, key) for key in value), keys)  # a key can be a tuple of classes

    def _object(self, name: str, value: dict[Any, Value], keys: tuple[Any, ...]) -> None:
        """Walk over a class reference: the layer itself, or something in its config."""
        walk, keys = self._inner(name, value, keys)
        if name == "function":
            walk.judged(keys, judge_function, value, self.trust)
            return
        ref = ClassRef(_text(value.get("module")), name, _text(value.get("registered_name", name)))
        walk.judged(keys, judge_class, ref, self.trust, "module" not in value)
        if isinstance(value["config"], dict):
            walk.judged(keys, judge_settings, ref, value["config"], self.trust)
            walk.judged(keys, check_graph, value["config"])
        walk._items(value.items(), keys)

    def _inner(
        self, name: str, value: dict[Any, Value], keys: tuple[Any, ...]
    ) -> tuple[_Walk, tuple[Any, ...]]:
        """Begin a place of its own for the whole, and for each layer in a list of layers."""
        if not keys:
            return _Walk(self.trust, f"the model ({name}) cannot be built"), ()
        if len(keys) < 2 or keys[-2] != "layers":
            return self, keys
        config = value["config"]
        given = value.get("name", config.get("name") if isinstance(config, dict) else None)
        path = "/".join(part for part in (self.path, str(given or keys[-1])) if part)
        return _Walk(self.trust, _cannot_be_built(path, name), path), ()


_SLICE = ("start", "stop", "step")
_HOLDERS = (dict, ClassRef, list, tuple, set, frozenset, slice)


def _text(value: Value) -> str | None:
    """Return a name; what is none becomes one that nothing has."""
    return value if value is None or isinstance(value, str) else repr(value)


def _at(keys: tuple[Any, ...]) -> str:
    """Return the place in a config, unless it is the config itself."""
    parts = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    path = "".join(parts).lstrip(".")
    return "" if path in ("", "config") else f"at {path:.200}, "
