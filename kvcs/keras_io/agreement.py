"""Does a restored model agree with its description? Whatever does not is named."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

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


def check_agreement(stored: StoredModel, live: StoredModel, *, compiled: bool) -> None:
    """Compare a restored model, described again, with its description.

    Keras adds settings from one version to the next, and now and then writes one in another
    way. So with another Keras than the one that described the model, settings it adds are passed
    over, and other differences are a warning.

    Args:
        stored: what was stored.
        live: the description of what was built.
        compiled: also compare the arguments of `compile()`.

    Raises:
        RestoreError: they differ; the text names the layers and the first differences.
    """
    same_keras = stored.keras_version == live.keras_version
    found = list(islice(_differences(stored, live, compiled, same_keras), MAX_NAMED + 1))
    if not found:
        return
    more = "; and more" if len(found) > MAX_NAMED else ""
    text = "; ".join(found[:MAX_NAMED]) + more
    if not same_keras:
        warnings.warn(
            f"the model was stored by Keras {stored.keras_version}, and Keras "
            f"{keras.__version__} builds it with differences: {text}",
            RestoreWarning,
            stacklevel=4,
        )
        return
    raise RestoreError(
        f"the built model is not the stored one: {text}. Is a custom class not the one that it "
        "was, or does its get_config() not give what its constructor takes?"
    )


def _differences(
    stored: StoredModel, live: StoredModel, compiled: bool, exact: bool
) -> Iterator[str]:
    one, other = dict(walk(stored.model)), dict(walk(live.model))
    for path in one:
        place = f"layer {path!r}" if path else "the model"
        if path not in other:
            yield f"{place} was not built"
        else:
            for text in _layer(one[path], other[path], exact):
                yield f"{place}: {text}"
    for path in other:
        if path not in one:
            yield f"layer {path!r} was built in addition"
    if not compiled or stored.training is MISSING:
        return
    if live.training is MISSING:
        yield "it is not compiled, and was"
    else:
        for text in _settings(stored.training, live.training, "", exact):
            yield f"compile(): {text}"


def _layer(one: LayerSpec, other: LayerSpec, exact: bool) -> Iterator[str]:
    # A custom class may have moved to another module.
    if one.cls.name != other.cls.name or (exact and one.cls.builtin and one.cls != other.cls):
        yield f"its class is {_word(other.cls.name)}, stored is {_word(one.cls.name)}"
    yield from _settings(one.config, other.config, "", exact)
    for key, part in one.parts.items():
        if key in other.parts:
            yield from _settings(part.config, other.parts[key].config, f"{key}/", exact)
    yield from _tensors(one.tensors, other.tensors)
    if one.frozen != other.frozen:
        yield f"frozen are {_names(other.frozen)}, stored are {_names(one.frozen)}"
    if one.extra != other.extra:
        yield "save_own_variables() gives other keys than the stored ones"
    if one.assets.keys() != other.assets.keys():
        yield f"assets are {_names(other.assets)}, stored are {_names(one.assets)}"
    if isinstance(one, ModelSpec) and isinstance(other, ModelSpec):
        yield from _graph(one, other, exact)


def _settings(
    one: Mapping[str, Value], other: Mapping[str, Value], at: str, exact: bool
) -> Iterator[str]:
    """Compare settings, and those inside settings one by one."""
    for key in sorted(one.keys() | other.keys(), key=str):
        mine, its = one.get(key, MISSING), other.get(key, MISSING)
        if isinstance(mine, dict) and isinstance(its, dict):
            yield from _settings(mine, its, f"{at}{key}.", exact)
        elif mine is MISSING:
            if exact:
                yield f"{at}{key} is {_word(its)}, and stored is none"
        elif its is MISSING:
            yield f"{at}{key} is gone, stored is {_word(mine)}"
        elif not same(mine, its):
            yield f"{at}{key} is {_word(its)}, stored is {_word(mine)}"


def _tensors(one: Mapping[str, TensorSpec], other: Mapping[str, TensorSpec]) -> Iterator[str]:
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            yield f"variable {name} is {'new' if name in other else 'gone'}"
        elif one[name].trainable != other[name].trainable:
            yield f"variable {name} is {'' if other[name].trainable else 'not '}trainable"


def _graph(one: ModelSpec, other: ModelSpec, exact: bool) -> Iterator[str]:
    if one.build != other.build:
        yield f"it is built as a {other.build}, stored is a {one.build}"
    for what in ("inputs", "outputs"):
        if not same(getattr(one, what), getattr(other, what)):
            yield f"its {what} are {getattr(other, what)}, stored are {getattr(one, what)}"
    members = {entry.path: entry for entry in other.layers}
    if [entry.path for entry in one.layers] != list(members):
        yield "its layers stand in another order"
    for entry in one.layers:
        built = members.get(entry.path)
        if built is not None and not _same_calls(entry, built):
            yield f"layer {entry.name!r} is called in another way, or gives another dtype or rank"


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
    return tensor.dtype, -1 if tensor.shape is None else len(tensor.shape)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _word(value: Value) -> str:
    return "nothing" if value is None else f"{value!r:.60}"
