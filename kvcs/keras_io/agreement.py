"""Does a restored model agree with its description? Whatever does not is named."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import keras

from kvcs.canon import same
from kvcs.errors import RestoreError, RestoreWarning
from kvcs.spec import (
    MISSING,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    StoredModel,
    SymbolicTensor,
    TensorSpec,
    Value,
    walk,
)

MAX_NAMED = 3
_HALVED = {
    "float64": "float32",
    "int64": "int32",
    "uint64": "uint32",
    "complex128": "complex64",
}


def check_agreement(stored: StoredModel, live: StoredModel, *, compiled: bool) -> None:
    """Compare a restored model, described again, with its description.

    What is there in addition and holds no weights is a warning: a class that gained an argument
    has a default for it, which is meant to change nothing. With another Keras than the one that
    described the model everything is, for Keras writes a setting in another way now and then; and
    the settings that Keras added since are passed over.

    Args:
        stored: what was stored.
        live: the description of what was built.
        compiled: also compare the arguments of `compile()`.

    Raises:
        RestoreError: they differ; the text names the layers and the first differences.
    """
    same_keras = stored.keras_version == live.keras_version
    found = list(_differences(stored, live, compiled))
    changed = [one.text for one in found if not one.added]
    if changed and same_keras:
        raise RestoreError(
            f"the built model is not the stored one: {_first(changed)}. Is a custom class not the "
            "one that it was, or does its get_config() not give what its constructor takes?"
        )
    if changed:
        _warn(
            f"the model was stored by Keras {stored.keras_version}, and Keras "
            f"{keras.__version__} builds it with differences: {_first(changed)}"
        )
    elif found and same_keras:
        _warn(
            "the built model has more than the stored one, as classes changed since: "
            f"{_first([one.text for one in found])}"
        )


def _first(texts: list[str]) -> str:
    return "; ".join(texts[:MAX_NAMED]) + ("; and more" if len(texts) > MAX_NAMED else "")


def _warn(text: str) -> None:
    warnings.warn(text, RestoreWarning, stacklevel=5)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a built model is not the stored one; `added`: it has more."""

    text: str
    added: bool = False

    def at(self, place: str) -> Difference:
        """Return the same with the place it was found at."""
        return Difference(f"{place}: {self.text}", self.added)


def _differences(stored: StoredModel, live: StoredModel, compiled: bool) -> Iterator[Difference]:
    one, other = dict(walk(stored.model)), dict(walk(live.model))
    for path in one:
        place = f"layer {path!r}" if path else "the model"
        if path not in other:
            yield Difference(f"{place} was not built")
        else:
            for found in _layer(one[path], other[path]):
                yield found.at(place)
    for path in other:
        if path not in one:
            text = f"layer {path!r} was built in addition"
            yield Difference(text, added=not other[path].tensors)
    if not compiled or stored.training is MISSING:
        return
    if live.training is MISSING:
        yield Difference("it is not compiled, and was")
    else:
        for found in _settings(stored.training, live.training, ""):
            yield found.at("compile()")


def _layer(one: LayerSpec, other: LayerSpec) -> Iterator[Difference]:
    if one.cls.name != other.cls.name:
        yield Difference(f"its class is {_word(other.cls.name)}, stored is {_word(one.cls.name)}")
    elif one.cls.builtin and one.cls.module != other.cls.module:  # a custom class may move
        modules = f"{_word(other.cls.module)}, stored is {_word(one.cls.module)}"
        yield Difference(f"its class is of {modules}", added=True)
    yield from _settings(one.config, other.config, "")
    for key, part in one.parts.items():
        if key in other.parts:
            yield from _settings(part.config, other.parts[key].config, f"{key}/")
    yield from _tensors(one.tensors, other.tensors)
    if one.frozen != other.frozen:
        yield Difference(f"frozen are {_names(other.frozen)}, stored are {_names(one.frozen)}")
    if one.extra != other.extra:
        yield Difference("save_own_variables() gives other keys than the stored ones")
    if one.assets.keys() != other.assets.keys():
        yield Difference(f"assets are {_names(other.assets)}, stored are {_names(one.assets)}")
    if isinstance(one, ModelSpec) and isinstance(other, ModelSpec):
        yield from _graph(one, other)


def _settings(
    one: Mapping[str, Value], other: Mapping[str, Value], at: str
) -> Iterator[Difference]:
    """Compare settings, and those inside settings one by one."""
    for key in sorted(one.keys() | other.keys(), key=str):
        mine, its = one.get(key, MISSING), other.get(key, MISSING)
        if isinstance(mine, dict) and isinstance(its, dict):
            yield from _settings(mine, its, f"{at}{key}.")
        elif mine is MISSING:
            yield Difference(f"{at}{key} is {_word(its)}, and stored is none", added=True)
        elif its is MISSING:
            yield Difference(f"{at}{key} is gone, stored is {_word(mine)}")
        elif not same(mine, its):
            yield Difference(f"{at}{key} is {_word(its)}, stored is {_word(mine)}")


def _tensors(
    one: Mapping[str, TensorSpec], other: Mapping[str, TensorSpec]
) -> Iterator[Difference]:
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            yield Difference(f"variable {name} is {'new' if name in other else 'gone'}")
        elif one[name].trainable != other[name].trainable:
            flag = "" if other[name].trainable else "not "
            yield Difference(f"variable {name} is {flag}trainable")


def _graph(one: ModelSpec, other: ModelSpec) -> Iterator[Difference]:
    if one.build != other.build:
        yield Difference(f"it is built as a {other.build}, stored is a {one.build}")
    for what in ("inputs", "outputs"):
        mine, its = getattr(one, what), getattr(other, what)
        if not same(mine, its):
            yield Difference(f"its {what} are {its}, stored are {mine}")
    members = {entry.path: entry for entry in other.layers}
    known = [entry.path for entry in one.layers]
    if [path for path in known if path in members] != [path for path in members if path in known]:
        yield Difference("its layers stand in another order")
    for entry in one.layers:
        built = members.get(entry.path)
        if built is not None and not _same_calls(entry, built):
            yield Difference(
                f"layer {entry.name!r} is called in another way, or gives another dtype or rank"
            )


def _same_calls(one: LayerEntry, other: LayerEntry) -> bool:
    """Compare calls as they are stored, for NaN and arrays have no equality of their own.

    Of what comes out, the dtypes and the numbers of axes: a lookup layer that was adapted after
    it was called has the size of its vocabulary in the shape only when it is called again.
    """
    return len(one.calls) == len(other.calls) and all(
        list(map(_kind, mine.outputs)) == list(map(_kind, its.outputs))
        and same(list(mine.args), list(its.args))
        and same(_sorted(mine.kwargs), _sorted(its.kwargs))
        for mine, its in zip(one.calls, other.calls, strict=True)
    )


def _sorted(kwargs: Mapping[str, Value]) -> Value:
    return dict(sorted(kwargs.items()))


def _kind(tensor: SymbolicTensor) -> tuple[str, int]:
    """Return dtype and rank. Whether a double stays one in a graph depends on the backend."""
    dtype = _HALVED.get(tensor.dtype, tensor.dtype)
    return dtype, -1 if tensor.shape is None else len(tensor.shape)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _word(value: Value) -> str:
    return "nothing" if value is None else f"{value!r:.60}"
