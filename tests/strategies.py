"""Random values, tensors and whole stored models, and what it means that two are the same.

Importing this module makes hypothesis repeatable: the same examples in every run, no clock.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from kvcs import npy
from kvcs.canon import is_object
from kvcs.names import segments
from kvcs.spec import (
    MISSING,
    Call,
    ClassRef,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    PartSpec,
    SharedLayer,
    StateSpec,
    StoredModel,
    SymbolicTensor,
    TensorRef,
    TensorSpec,
    VariableRef,
)

settings.register_profile(
    "kvcs",
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("kvcs")


# --- text ----------------------------------------------------------------------------------------

# Controls, bidirectional and zero-width marks, line ends, the byte order mark, lone surrogates,
# letters outside the first plane, two spellings of é, and what means something in JSON, in paths
# and in kvcs itself.
AWKWARD = [
    "\0", "\t", "\n", "\r", "\x1f", "\x7f", "\x85", "\x9f", "\xa0", "\u061c", "\u200b", "\u200f",
    "\u2028", "\u202e", "\u2066", "\ufeff", "\ud800", "\udcff", "\udfff", "\U0001f409",
    "\U000e0041", "é", "e\u0301", "ß", "İ", "\\", "/", '"', "$", "$tuple", "[", "[\n", "]", "{",
    "~", "~1", "%", "..", ".", " ",
]  # fmt: skip

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # to JSON, one character: see test_canon


def texts(max_size: int = 6) -> st.SearchStrategy[str]:
    """Any text that can be stored."""
    pieces = st.characters() | st.sampled_from(AWKWARD)
    joined = st.lists(pieces, max_size=max_size).map("".join)
    return joined.filter(lambda text: not _PAIR.search(text))


words = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)


# --- tensors -------------------------------------------------------------------------------------

DTYPES = sorted(npy.STORED)
NATIVE = [name for name in DTYPES if np.dtype(npy.STORED[name]).name == name]

shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)

LAYOUTS: dict[str, Callable[[npy.Array], npy.Array]] = {
    "C": lambda array: array,
    "Fortran": lambda array: np.array(array, order="F"),
    "every other": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "backwards": lambda array: np.flip(np.flip(array).copy()),
    "broadcast": lambda array: np.broadcast_to(array[..., :1], array.shape),
}  # fmt: skip


def of_bits(dtype: str, shape: tuple[int, ...], data: bytes) -> npy.Array:
    """Return an array with these very bits, NaNs with a payload included."""
    if dtype == "bool":
        data = bytes(byte & 1 for byte in data)
    flat = np.frombuffer(bytearray(data), npy.STORED[dtype])
    return flat.reshape(shape).view(npy.true_dtype(dtype))


@st.composite
def tensors(draw: st.DrawFn, dtypes: Iterable[str] = DTYPES) -> npy.Array:
    """An array of any dtype that can be stored, with any bits, laid out anyhow in memory."""
    dtype, shape = draw(st.sampled_from(list(dtypes))), draw(shapes)
    size = math.prod(shape) * np.dtype(npy.STORED[dtype]).itemsize
    array = of_bits(dtype, shape, draw(st.binary(min_size=size, max_size=size)))
    if array.size and array.ndim:
        array = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](array)
    if dtype in NATIVE and draw(st.booleans()):
        array = array.astype(array.dtype.newbyteorder(">"))
    return array


def plain(array: npy.Array) -> npy.Array:
    """Return the array with NaNs as JSON has them: without a sign, without a payload."""
    name = array.dtype.name
    if name.startswith("complex"):
        values = [complex(*(_plain_nan(x) for x in (z.real, z.imag))) for z in array.ravel()]
        return np.array(values, name).reshape(array.shape)
    if "int" in name or name == "bool":
        return array.astype(np.uint64 if name == "uint64" else np.int64).astype(array.dtype)
    values = [_plain_nan(float(x)) for x in array.ravel()]
    return np.array(values, np.float64).astype(array.dtype).reshape(array.shape)


def _plain_nan(number: float) -> float:
    return math.nan if math.isnan(number) else float(number)


@st.composite
def arrays_of_text(draw: st.DrawFn) -> npy.Array:
    items = texts(3).map(lambda text: text.rstrip("\0"))  # NumPy pads with NULs
    return np.array(draw(st.lists(items, max_size=4)), dtype=np.str_)


@st.composite
def numpy_scalars(draw: st.DrawFn) -> Any:
    """A number of any dtype, as indexing an array gives it."""
    dtype = draw(st.sampled_from(DTYPES))
    size = np.dtype(npy.STORED[dtype]).itemsize
    return plain(of_bits(dtype, (), draw(st.binary(min_size=size, max_size=size))))[()]


numpy_texts = texts(3).map(lambda text: np.str_(text.rstrip("\0")))


# --- values --------------------------------------------------------------------------------------

integers = st.integers() | st.integers(-(2**200), 2**200) | st.sampled_from([0, 1, -1, 2**53 + 1])
numbers = st.booleans() | integers | st.floats() | st.complex_numbers()
steps = st.integers(-5, 5).filter(bool)
tensor_refs = st.builds(TensorRef, texts(), st.integers(0, 99), st.integers(0, 9))
_classes = st.builds(ClassRef, st.none() | texts(), texts(), st.none() | texts())
steps_of_paths = texts().filter(lambda text: text and "/" not in text)
variable_refs = st.builds(
    lambda parts: VariableRef("/".join(parts)), st.lists(steps_of_paths, min_size=1, max_size=3)
)

scalars = (
    st.none()
    | numbers
    | texts()
    | st.binary(max_size=8)
    | st.just(...)
    | tensor_refs
    | variable_refs
    | _classes
    | numpy_scalars()
    | st.builds(range, st.integers(), st.integers(), steps)
)

# What can be in a set, or a key.
hashable = st.recursive(
    scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=3
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(texts(), inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.builds(slice, inner, inner, inner)
        | keras_objects(inner)
    )


def keras_objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A class reference with its config, as Keras serialises objects; in any order of keys."""
    required = {
        "class_name": st.sampled_from(["Dense", "GlorotUniform", "My>Layer"]),
        "config": st.dictionaries(words | texts(), inner, max_size=3) | st.none() | inner,
    }
    optional = {
        "module": st.none() | st.just("keras.layers"),
        "registered_name": st.none() | words,
        "build_config": inner,
        "name": words,
    }
    made = st.fixed_dictionaries(required, optional=optional)
    return made.flatmap(lambda given: st.permutations(list(given.items())).map(dict))


def values(max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Anything that can stand in a config."""
    leaves = (
        scalars
        | st.sets(hashable, max_size=4)
        | st.frozensets(hashable, max_size=4)
        | tensors().map(plain)
        | arrays_of_text()
        | numpy_texts
    )
    return st.recursive(leaves, _containers, max_leaves=max_leaves) | nested()


@st.composite
def nested(draw: st.DrawFn) -> Any:
    """Something small, wrapped often."""
    wraps: list[Callable[[Any], Any]] = [
        lambda value: [value],
        lambda value: (value,),
        lambda value: {"only": value},
        lambda value: {"b": None, "a": value},
        lambda value: {"class_name": "Dense", "config": {"layer": value}},
    ]
    value = draw(scalars)
    for wrap in draw(st.lists(st.sampled_from(wraps), max_size=20)):
        value = wrap(value)
    return value


configs = st.dictionaries(words | texts(), values(4), max_size=3)


# --- whole models --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Example:
    """A stored model, and what stands at the path of every tensor and asset."""

    model: StoredModel
    contents: dict[str, Callable[[], npy.Array | bytes]]


@st.composite
def stored_models(draw: st.DrawFn) -> Example:
    """A whole model with all the format can hold, digests included."""
    work = _Making(draw)
    model = work.model("", depth=2)
    return Example(
        StoredModel(
            model=model,
            name=draw(texts()),
            keras_version=draw(texts()),
            training=draw(configs | st.just(MISSING)),
            state=StateSpec(
                seeds=draw(st.dictionaries(texts(), _counters, max_size=2)),
                tensors=work.tensors("", "state/"),
            ),
            optimizer=work.tensors("optimizer/", "") if draw(st.booleans()) else MISSING,
            live_names=draw(st.dictionaries(texts(), texts(), max_size=2)),
        ),
        work.contents,
    )


_counters = st.lists(st.integers(0, 2**32 - 1), max_size=2).map(tuple)
_tensor_names = st.lists(
    st.sampled_from(["kernel", "bias", "attention/query/kernel", "variables/0", "%2Estart", "a.b"]),
    unique=True,
    max_size=2,
)
_asset_names = st.lists(
    st.sampled_from(["vocabulary.json", "Ünïcode", "lookup/vocabulary.txt"]),
    unique=True,
    max_size=2,
)
_parts_inside = st.dictionaries(
    st.sampled_from(["dense", "blocks/0", "blocks/0/%61ux"]),
    st.builds(
        PartSpec,
        cls=_classes,
        config=configs,
        build_config=st.deferred(lambda: values(2)) | st.just(MISSING),
    ),
    max_size=2,
)
_symbolic = st.builds(
    SymbolicTensor,
    shape=st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3).map(tuple),
    dtype=texts(),
)
_calls = st.builds(
    Call,
    args=st.lists(tensor_refs | values(2), max_size=2).map(tuple),
    kwargs=st.dictionaries(words, tensor_refs | values(2), max_size=2),
    outputs=st.lists(_symbolic, max_size=2).map(tuple),
)


@dataclass(slots=True)
class _Making:
    """The making of one model; `placed` are the layers that later ones can share."""

    draw: st.DrawFn
    contents: dict[str, Callable[[], npy.Array | bytes]] = field(default_factory=dict)
    placed: list[str] = field(default_factory=list)

    def model(self, path: str, depth: int) -> ModelSpec:
        draw, prefix = self.draw, f"{path}/" if path else ""
        build = draw(st.sampled_from(["graph", "sequence", "class"]))
        names = draw(st.lists(texts(), unique=True, max_size=3))
        entries = []
        for name, plain_name in zip(names, segments(names), strict=True):
            place = f"layers/{plain_name}"
            layer = self.member(prefix + place, depth)
            calls = tuple(draw(st.lists(_calls, max_size=1)))
            entries.append(LayerEntry(name=name, path=place, calls=calls, layer=layer))
        has_graph = build == "graph" or draw(st.booleans())
        return ModelSpec(
            **self.own(prefix),
            build=build,
            layers=tuple(entries),
            inputs=draw(st.none() | values(2)) if has_graph else None,
            outputs=draw(st.none() | values(2)) if has_graph else None,
        )

    def member(self, path: str, depth: int) -> LayerSpec | ModelSpec | SharedLayer:
        kind = self.draw(st.sampled_from(["layer", "layer", "model", "shared"]))
        if kind == "shared" and self.placed:
            return SharedLayer(path=self.draw(st.sampled_from(self.placed)))
        self.placed.append(path)
        if kind == "model" and depth:
            return self.model(path, depth - 1)
        return LayerSpec(**self.own(f"{path}/"))

    def own(self, prefix: str) -> dict[str, Any]:
        draw = self.draw
        tensors = self.tensors(prefix, "")
        keys = st.dictionaries(texts(), st.sampled_from(sorted(tensors) or [""]), max_size=2)
        return {
            "cls": draw(_classes),
            "config": draw(configs),
            "build_config": draw(values(2) | st.just(MISSING)),
            "tensors": tensors,
            "tied": dict.fromkeys(draw(st.lists(words, max_size=1)), "layers/a/kernel"),
            "extra": draw(st.dictionaries(texts(), keys, max_size=1)) if tensors else {},
            "frozen": tuple(draw(st.lists(texts(), max_size=2))),
            "parts": draw(_parts_inside),
            "assets": {name: self.asset(f"{prefix}assets/{name}") for name in draw(_asset_names)},
        }

    def tensors(self, prefix: str, below: str) -> dict[str, TensorSpec]:
        found = {}
        for name in self.draw(_tensor_names):
            array, trainable = self.draw(tensors()), self.draw(st.booleans())
            found[name] = describe(array, f"{below}{name}.npy", trainable)
            self.contents[prefix + found[name].file] = partial(np.asarray, array)
        return found

    def asset(self, path: str) -> str:
        data = self.draw(st.binary(max_size=9))
        self.contents[path] = partial(bytes, data)
        return hashlib.sha256(data).hexdigest()


def describe(array: npy.Array, file: str, trainable: bool = True) -> TensorSpec:
    """Describe an array as it is stored."""
    return TensorSpec(
        file=file,
        dtype=array.dtype.name,
        shape=array.shape,
        trainable=trainable,
        sha256=hashlib.sha256(b"".join(npy.encode(array))).hexdigest(),
    )


# --- the same ------------------------------------------------------------------------------------


def assert_same(one: Any, other: Any) -> None:
    """Assert that two values are the same to the last bit: types, order, signs of zeros, NaNs.

    1, 1.0 and True are three values; a tuple is no list. Order counts in a dict, but not among
    the arguments of a constructor: the fields of a spec, a class reference and its config.
    """
    assert difference(one, other) == ""


def difference(one: Any, other: Any, at: str = "value") -> str:
    """Say where two values first differ; empty when they are the same."""
    if type(one) is not type(other):
        return f"{at}: {type(one).__name__} {one!r} is not {type(other).__name__} {other!r}"
    if isinstance(one, np.generic):
        one, other = np.asarray(one), np.asarray(other)
    if isinstance(one, float):
        same = (math.isnan(one) and math.isnan(other)) or one.hex() == other.hex()
        return "" if same else f"{at}: {one!r} is not {other!r}"
    if isinstance(one, np.ndarray):
        return "" if _bits(one) == _bits(other) else f"{at}: {one!r} is not {other!r}"
    if isinstance(one, set | frozenset):
        return _unordered(list(one), list(other), at)
    if isinstance(one, dict) and is_object(one):
        return _objects(one, other, at)
    parts, others = _parts(one), _parts(other)
    if parts is None or others is None:
        return "" if one == other else f"{at}: {one!r} is not {other!r}"
    if len(parts) != len(others):
        return f"{at}: {len(parts)} items are not {len(others)}: {one!r}, {other!r}"
    pairs = enumerate(zip(parts, others, strict=True))
    return next(filter(None, (difference(a, b, f"{at}[{index}]") for index, (a, b) in pairs)), "")


def _parts(value: Any) -> list[Any] | None:
    """Take a value apart; None when it has no parts."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, complex):
        return [value.real, value.imag]
    if isinstance(value, slice | range):
        return [value.start, value.stop, value.step]
    if isinstance(value, _Schema):
        return [part for pair in sorted(value.content.items()) for part in pair]
    if dataclasses.is_dataclass(value):
        return [_field(part.name, getattr(value, part.name)) for part in dataclasses.fields(value)]
    return None


def _field(name: str, value: Any) -> Any:
    if name == "extra":
        return _Schema({key: _Schema(item) for key, item in value.items()})
    ordered = name in ("build_config", "inputs", "outputs")
    return _Schema(value) if isinstance(value, Mapping) and not ordered else value


@dataclass(frozen=True, slots=True, eq=False)
class _Schema:
    content: Mapping[str, Any]


def _objects(one: dict[str, Any], other: dict[str, Any], at: str) -> str:
    if one.keys() != other.keys():
        return f"{at}: keys {sorted(one)} are not {sorted(other)}"
    configs = [one["config"], other["config"]]
    if all(isinstance(config, dict) for config in configs):
        one, other = {**one, "config": None}, {**other, "config": None}
        if found := _unordered(*(list(config.items()) for config in configs), f"{at}['config']"):
            return found
    parts = (difference(one[key], other[key], f"{at}[{key!r}]") for key in one)
    return next(filter(None, parts), "")


def _unordered(ones: list[Any], others: list[Any], at: str) -> str:
    left = list(others)
    for one in ones:
        found = next((i for i, other in enumerate(left) if not difference(one, other)), None)
        if found is None:
            return f"{at}: {one!r} is not among {left!r}"
        del left[found]
    return f"{at}: {left!r} are left over" if left else ""


def _bits(array: npy.Array) -> tuple[Any, ...]:
    if array.dtype.kind == "U":
        return "str", array.shape, array.tolist()
    stored = array.astype(array.dtype.newbyteorder("<"), order="C")
    return array.dtype.name, array.shape, stored.tobytes()
