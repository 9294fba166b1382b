"""The stored format: what is written is read, the golden model keeps its bytes, nothing else goes.

A stored model is a dict from path to bytes here; on disk and in git it is the same mapping.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from golden import make
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import NATIVE, Example, assert_same, describe, stored_models, texts

from kvcs import canon, npy
from kvcs.errors import (
    DamageError,
    FormatError,
    KvcsError,
    NewerFormatError,
    NotAModelError,
    SaveError,
)
from kvcs.spec import (
    MISSING,
    ClassRef,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StateSpec,
    StoredModel,
    TensorSpec,
)
from kvcs.tree import fields, reader, writer
from kvcs.tree.manifest import checksum
from kvcs.tree.skeletons import Parser
from kvcs.tree.verify import verify

GOLDEN = make.files()


def files(stored: StoredModel, contents: writer.Contents) -> dict[str, bytes]:
    return {path: b"".join(parts) for path, parts in writer.files(stored, contents)}


# --- laws ----------------------------------------------------------------------------------------


@given(stored_models())
@settings(max_examples=40)
def test_what_is_written_is_read(example: Example) -> None:
    written = files(example.model, example.contents)
    stored = reader.read(written, "a model")
    assert_same(stored, example.model)

    contents = reader.Contents(written, stored, "a model")
    assert contents.keys() == example.contents.keys()
    assert len(contents) == len(example.contents)
    for path, get in contents.items():
        assert_same(get(), example.contents[path]())

    assert files(stored, contents) == written


@given(stored_models())
@settings(max_examples=20)
def test_what_is_written_is_whole(example: Example) -> None:
    written = files(example.model, example.contents)
    report = verify(written, "a model")
    assert report
    assert report.files == len(written) == len(set(reader.Walk(written, print).known) | {*written})


@given(stored_models())
@settings(max_examples=20)
def test_every_tensor_has_the_digest_of_its_file(example: Example) -> None:
    written = files(example.model, example.contents)
    for path, (_, tensor) in reader.tensors(example.model):
        assert hashlib.sha256(written[path]).hexdigest() == tensor.sha256


def test_digests_that_are_given_are_not_believed() -> None:
    lying = replace(
        make.DENSE, tensors={"bias": replace(make.DENSE.tensors["bias"], sha256="0" * 64)}
    )
    entry = LayerEntry(name="dense", path="layers/dense", calls=(), layer=lying)
    written = files(replace(make.STORED, model=replace(make.ROOT, layers=(entry,))), make.CONTENTS)
    digest = hashlib.sha256(written["layers/dense/bias.npy"]).hexdigest()
    assert json.loads(written["layers/dense/layer.json"])["tensors"]["bias"]["sha256"] == digest


def test_each_array_is_asked_for_once_and_one_at_a_time() -> None:
    """So that a save needs the memory of the model and one tensor."""
    asked: list[str] = []

    def asking(path: str) -> Callable[[], npy.Array | bytes]:
        def get() -> npy.Array | bytes:
            asked.append(path)
            return make.CONTENTS[path]()

        return get

    written = []
    for path, _ in writer.files(make.STORED, {path: asking(path) for path in make.CONTENTS}):
        written.append(path)
        assert [path for path in written if not make.is_json(path)] == asked
    assert sorted(asked) == sorted(make.CONTENTS)


# --- the golden model ----------------------------------------------------------------------------

UPDATE = (
    "{path} is not what is checked in: the format has changed, and every committed model with it. "
    "If that is meant, run `python tests/golden/make.py`, review `git diff tests/golden` and say "
    "so in docs/format.md."
)


def test_the_golden_model_has_the_files_that_are_checked_in() -> None:
    assert sorted(GOLDEN) == sorted(make.checked_in()), UPDATE.format(path="a path")


@pytest.mark.parametrize("path", sorted(GOLDEN))
def test_the_golden_model_keeps_its_bytes(path: str) -> None:
    checked_in = make.checked_in()[path]
    if path.endswith(".json"):
        assert GOLDEN[path].decode() == checked_in.decode(), UPDATE.format(path=path)
    assert GOLDEN[path] == checked_in, UPDATE.format(path=path)


def test_the_golden_model_is_read_as_it_was_built() -> None:
    checked_in = make.checked_in()
    stored = reader.read(checked_in, "golden")
    assert files(stored, reader.Contents(checked_in, stored, "golden")) == checked_in

    assert stored.optimizer is not MISSING
    before_writing = replace(
        stored,
        model=without_digests(stored.model),
        state=replace(stored.state, tensors=undigested(stored.state.tensors)),
        optimizer=undigested(stored.optimizer),
    )
    assert_same(before_writing, make.STORED)


def undigested(tensors: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    return {name: replace(tensor, sha256="") for name, tensor in tensors.items()}


def without_digests(layer: Any) -> Any:
    """Return a layer as it is before it is written."""
    if isinstance(layer, SharedLayer):
        return layer
    assets = dict.fromkeys(layer.assets, "")
    layer = replace(layer, tensors=undigested(layer.tensors), assets=assets)
    if isinstance(layer, ModelSpec):
        entries = [replace(entry, layer=without_digests(entry.layer)) for entry in layer.layers]
        layer = replace(layer, layers=tuple(entries))
    return layer


def test_a_nested_model_is_a_model_by_itself() -> None:
    prefix = "layers/encoder/"
    nested = {path[len(prefix) :]: data for path, data in GOLDEN.items() if path.startswith(prefix)}
    stored = reader.read(nested, "encoder")
    assert_same(without_digests(stored.model), make.ENCODER)
    assert (stored.name, stored.training, stored.optimizer) == ("", MISSING, MISSING)
    assert verify(nested, "encoder")


# One of each, so that a change is a change that is meant.
DIGESTS = {
    "layers/dense/kernel.npy": "828ec4eca1a16eb0dd9fc89f090dc19e5999318af9738d45940e7e4be890d62b",
    "layers/custom/mask.npy": "0b4891e3ac530711241d972a2b8d57fc63ad9b1d7f3b201b51243979bd0d8b8c",
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(DIGESTS))
def test_the_recorded_digest_is_that_of_sha256sum(path: str) -> None:
    assert hashlib.sha256(make.checked_in()[path]).hexdigest() == DIGESTS[path]
    place, _, name = path.partition("/")[2].partition("/")
    layer = json.loads(GOLDEN[f"layers/{place}/layer.json"])
    assert layer["tensors"][name.removesuffix(".npy")]["sha256"] == DIGESTS[path]


def test_numpy_opens_every_tensor_of_the_golden_model() -> None:
    for path, data in make.checked_in().items():
        if path.endswith(".npy"):
            array = np.load(io.BytesIO(data), allow_pickle=False)
            built = make.ARRAYS[path]
            assert array.shape == built.shape
            assert array.tobytes() == built.tobytes()
            assert (array.dtype.name == built.dtype.name) == (built.dtype.name in NATIVE)


def test_json_alone_describes_the_golden_model() -> None:
    """Every field of the manifest by hand, so that this is the format and not its echo."""
    manifest = json.loads(make.checked_in()["model.json"])
    assert sorted(manifest) == [
        "build", "checksum", "class_name", "config", "files", "format", "inputs", "keras_version",
        "layers", "live_names", "module", "name", "outputs", "registered_name", "tensors",
    ]  # fmt: skip
    assert manifest["format"] == 1
    assert manifest["files"] == {
        path: hashlib.sha256(GOLDEN[path]).hexdigest()
        for path in ("optimizer/index.json", "state.json", "training.json")
    }
    assert [(entry["name"], entry["path"]) for entry in manifest["layers"]][3:5] == [
        ("again", "layers/again"),
        ("Maß/custom", "layers/custom"),
    ]
    assert manifest["layers"][3]["shared"] == "layers/encoder/layers/dense"
    assert manifest["layers"][1]["calls"][1] == {
        "args": [{"$tensor": "dense[0][0]"}],
        "kwargs": {"training": None},
        "outputs": [{"dtype": "float32", "shape": [None, 2]}],
    }
    names = json.dumps(manifest["live_names"]["names"], indent=2) + "\n"
    assert manifest["live_names"]["checksum"] == hashlib.sha256(names.encode()).hexdigest()


# --- the checksum of a manifest ------------------------------------------------------------------


def manifest(path: str = "model.json") -> Any:
    return json.loads(GOLDEN[path])


def leaves(value: Any) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value where no object and no list stands."""
    if not isinstance(value, dict | list):
        yield ()
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from ((key, *below) for below in leaves(item))


def test_the_checksum_of_a_manifest_covers_all_that_no_other_checksum_covers() -> None:
    tensors = json.loads(GOLDEN["layers/dense/layer.json"])["tensors"]
    whole = {**manifest(), "tensors": tensors, "assets": {"words": "0" * 64}}

    def without(*at: Any) -> str:
        holder = changed = copy.deepcopy(whole)
        for step in at[:-1]:
            holder = holder[step]
        holder[at[-1]] = "something else"
        return checksum(changed)

    blind_to = {at for at in leaves(whole) if without(*at) == checksum(whole)}
    assert blind_to == {
        ("checksum",),
        ("live_names", "checksum"),
        *(("live_names", "names", name) for name in whole["live_names"]["names"]),
        *(("layers", at, "sha256") for at in range(7) if "sha256" in whole["layers"][at]),
        *(("tensors", name, "sha256") for name in tensors),
        *(("files", path) for path in whole["files"]),
        ("assets", "words"),
    }


def test_two_branches_that_train_different_layers_touch_different_lines() -> None:
    """No digest of digests is stored: it would make every merge a conflict."""
    trained = dict(make.CONTENTS)
    trained["layers/dense/bias.npy"] = lambda: make.array("float32", [0.0, 1.0])
    before, after = GOLDEN, files(make.STORED, trained)
    assert {path for path in before if before[path] != after[path]} == {
        "layers/dense/bias.npy",
        "layers/dense/layer.json",
        "model.json",
    }
    lines = zip(before["model.json"].splitlines(), after["model.json"].splitlines(), strict=True)
    assert [line.split()[0] for line, other in lines if line != other] == [b'"sha256":']


def test_live_names_touch_nothing_but_their_block() -> None:
    rebuilt = files(replace(make.STORED, live_names={"layers/dense": "dense_99"}), make.CONTENTS)
    assert {path for path in GOLDEN if GOLDEN[path] != rebuilt[path]} == {"model.json"}
    one, other = manifest(), json.loads(rebuilt["model.json"])
    assert one.pop("live_names") != other.pop("live_names")
    assert one == other


# --- what is refused -----------------------------------------------------------------------------

ROOT, DENSE, CUSTOM = "model.json", "layers/dense/layer.json", "layers/custom/layer.json"
WORDS, ENCODER = "layers/words/layer.json", "layers/encoder/model.json"
STATE, INDEX, TRAINING = "state.json", "optimizer/index.json", "training.json"


def changed(path: str, address: str, value: Any = MISSING) -> dict[str, bytes]:
    """The golden model with another value at an address of a JSON file, and every checksum right.

    The address is written as in an error: `layers[0].name`. Without a value, what is there goes.
    """
    return put(path, steps(address), value)


def put(path: str, at: list[Any], value: Any) -> dict[str, bytes]:
    whole = {"file": json.loads(GOLDEN[path])}
    *above, last = ["file", *at]
    holder: Any = whole
    for step in above:
        holder = holder[step]
    if value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    return signed({**GOLDEN, path: canon.dumps(whole["file"])})


def steps(address: str) -> list[Any]:
    found = re.findall(r"\['([^']*)'\]|\[(\d+)\]|([^.\[]+)", address)
    return [int(index) if index else key or name for key, index, name in found]


def signed(found: dict[str, bytes]) -> dict[str, bytes]:
    """Record the new digest of what changed wherever the old one stood, from the inside out."""
    found = dict(found)
    for path in sorted(GOLDEN, key=lambda path: (path.count("/"), path != ROOT), reverse=True):
        value = json.loads(found[path]) if path.endswith("model.json") else None
        if isinstance(value, dict) and isinstance(value.get("checksum"), str):
            with contextlib.suppress(AttributeError, KeyError, TypeError):  # not even a manifest
                found[path] = canon.dumps({**value, "checksum": checksum(value)})
        old, new = (hashlib.sha256(files[path]).hexdigest().encode() for files in (GOLDEN, found))
        for other in found:
            if other.endswith("model.json"):
                found[other] = found[other].replace(old, new)
    return found


def refusal(damaged: dict[str, bytes]) -> str:
    """What is wrong with the golden model, in the words of both ways to look at it."""
    with pytest.raises(DamageError) as caught:
        reader.read(damaged, "golden")
    before, after = (
        "golden is damaged: ",
        (". `kvcs verify` lists all that is wrong; `git checkout` brings a committed version back"),
    )
    text = str(caught.value)
    assert text.startswith(before)
    assert text.endswith(after)
    (problem,) = verify(damaged, "golden").problems
    assert problem.kind == "invalid"
    assert text == f"{before}{problem}{after}"
    return str(problem)


def inside(path: str) -> str:
    """A file as an error names it."""
    layer = path.rpartition("/")[0] if path.startswith("layers/") else ""
    return f"{path} (layer {layer})" if layer else path


def test_the_helper_of_these_tests_changes_nothing_by_itself() -> None:
    assert changed(ROOT, "keras_version", "3.6.0") == GOLDEN
    assert changed("layers/encoder/layers/dense/layer.json", "class_name", "Dense") == GOLDEN
    assert reader.read(changed(DENSE, "config.units", {"$bytes": "AA=="}), "golden")


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (ROOT, ""),
        (ROOT, "layers[0]"),
        (ROOT, "layers[0].calls[0]"),
        (ROOT, "layers[0].calls[0].outputs[0]"),
        (ROOT, "live_names"),
        (ENCODER, ""),
        (DENSE, ""),
        (DENSE, "tensors['bias']"),
        (CUSTOM, "parts['block']"),
        (STATE, ""),
        (INDEX, "['iterations']"),
    ],
)
def test_an_unknown_key_is_refused(path: str, address: str) -> None:
    """What a reviewer sees is what kvcs uses."""
    damaged = changed(path, f"{address}.comment", "hi")
    where = f"{address}: " if address else ""
    assert refusal(damaged) == f"{inside(path)}: {where}unknown key 'comment'"


@pytest.mark.parametrize(
    ("path", "address", "key"),
    [
        (ROOT, "", "format"),
        (ROOT, "", "checksum"),
        (ROOT, "", "build"),
        (ROOT, "", "layers"),
        (ROOT, "", "tensors"),
        (ROOT, "layers[0]", "name"),
        (ROOT, "layers[0]", "path"),
        (ROOT, "layers[0]", "calls"),
        (ROOT, "layers[0].calls[0]", "args"),
        (ROOT, "layers[0].calls[0]", "kwargs"),
        (ROOT, "layers[0].calls[0]", "outputs"),
        (ROOT, "layers[0].calls[0].outputs[0]", "shape"),
        (ROOT, "layers[0].calls[0].outputs[0]", "dtype"),
        (ROOT, "live_names", "checksum"),
        (ROOT, "live_names", "names"),
        (DENSE, "", "module"),
        (DENSE, "", "class_name"),
        (DENSE, "", "registered_name"),
        (DENSE, "", "config"),
        (CUSTOM, "parts['block']", "module"),
        (CUSTOM, "parts['block']", "class_name"),
        (CUSTOM, "parts['block']", "registered_name"),
        (CUSTOM, "parts['block']", "config"),
        (DENSE, "tensors['bias']", "file"),
        (DENSE, "tensors['bias']", "dtype"),
        (DENSE, "tensors['bias']", "shape"),
        (DENSE, "tensors['bias']", "trainable"),
        (DENSE, "tensors['bias']", "sha256"),
        (STATE, "", "seeds"),
    ],
)
def test_a_missing_key_is_refused(path: str, address: str, key: str) -> None:
    where = f"{address}: " if address else ""
    missing = refusal(changed(path, f"{address}.{key}"))
    assert missing == f"{inside(path)}: {where}key {key!r} is missing"


def scalar(dtype: str, value: Any) -> dict[str, Any]:
    return {"$scalar": {"dtype": dtype, "value": value}}


DIGEST = "expected the 64 hexadecimal digits of a SHA-256"
NO_SHAPE = "a shape that no array can have"
OUTERMOST = "stands in the outermost manifest only"
ARGUMENTS = "expected the arguments of a constructor"
ONE_OF = "layers[0]: expected one of the keys 'sha256' and 'shared'"
OTHERWISE = "kvcs writes this in another way"
TAG = "expected a single known $ key"
VARIABLE = "bad $variable: expected the path of a weight"
SCALAR = "bad $scalar"
NO_SCALAR = "'int' object is not subscriptable"
NOT_OF = "values that are not those of an array of"
PART = {"module": None, "class_name": "A", "registered_name": None}
SYMBOLIC = "layers[0].calls[0].outputs[0]"
SEED = "seeds['layers/encoder/layers/dropout/seed_generator'][0]"
SLOT = "tensors['layers/lstm/states/0'].file"


@pytest.mark.parametrize(
    ("path", "address", "value", "reason"),
    [
        # another type: a bool is no int, 1.0 is no int, null is not absence
        (ROOT, "format", True, "expected an int, got a bool"),
        (ROOT, "format", 1.0, "expected an int, got a float"),
        (ROOT, "format", 0, "expected format 1, got 0"),
        (ROOT, "checksum", 1, "expected a string, got an int"),
        (ROOT, "name", None, "expected a string, got null"),
        (ROOT, "build", "tree", "expected graph, sequence or class, got 'tree'"),
        (ROOT, "layers", {}, "expected a list, got an object"),
        (ROOT, "layers[0]", [], "expected an object, got a list"),
        (ROOT, "layers[0].calls", None, "expected a list, got null"),
        (ROOT, f"{SYMBOLIC}.shape[1]", True, "expected an int, got a bool"),
        (ROOT, f"{SYMBOLIC}.shape[1]", -1, "expected a size, got -1"),
        (ROOT, f"{SYMBOLIC}.dtype", None, "expected a string, got null"),
        (ROOT, "files", [TRAINING], "expected an object, got a list"),
        (ROOT, "files['training.json']", "0", DIGEST),
        (ROOT, "live_names", None, "expected an object, got null"),
        (ROOT, "live_names.names['.']", 1, "expected a string, got an int"),
        (DENSE, "module", 1, "expected a string or null, got an int"),
        (DENSE, "config", [], "expected an object, got a list"),
        (DENSE, "tensors['bias']", None, "expected an object, got null"),
        (DENSE, "tensors['bias'].trainable", 1, "expected a bool, got an int"),
        (DENSE, "tensors['bias'].trainable", None, "expected a bool, got null"),
        (DENSE, "tensors['bias'].shape[0]", True, "expected an int, got a bool"),
        (DENSE, "tensors['bias'].shape[0]", 2.0, "expected an int, got a float"),
        (DENSE, "tensors['bias'].shape[0]", -2, "expected a size, got -2"),
        (DENSE, "tensors['bias'].shape", [1] * 33, NO_SHAPE),
        (DENSE, "tensors['bias'].shape", [0, 2**61], NO_SHAPE),
        (DENSE, "tensors['bias'].dtype", "object", "unknown dtype 'object'"),
        (DENSE, "tensors['bias'].sha256", "0" * 63, DIGEST),
        (DENSE, "tensors['bias'].sha256", "A" * 64, DIGEST),
        (CUSTOM, "frozen[0]", 1, "expected a string, got an int"),
        (CUSTOM, "extra['.']['scale']", 1, "expected a string, got an int"),
        (CUSTOM, "parts", [], "expected an object, got a list"),
        (CUSTOM, "parts['block']", None, "expected an object, got null"),
        (CUSTOM, "parts['block'].module", 1, "expected a string or null, got an int"),
        (CUSTOM, "parts['block'].class_name", None, "expected a string, got null"),
        (CUSTOM, "parts['block'].config", None, "expected an object, got null"),
        (WORDS, "assets['empty']", "", DIGEST),
        (STATE, SEED, True, "expected an int, got a bool"),
        # values, see test_canon
        (ROOT, "layers[1].calls[0].args[0]", {"$": 1}, "expected a single known $ key, got ['$']"),
        (ROOT, "inputs", {"$tensor": "x"}, "bad $tensor: expected layer[call][output], got 'x'"),
        (ROOT, "inputs", {"$variable": "a//b"}, f"{VARIABLE}, got 'a//b'"),
        (ROOT, "layers[3].calls[0].kwargs", {"by": {"$scalar": 3}}, f"{SCALAR}: {NO_SCALAR}"),
        (ROOT, "layers[0].calls[0].kwargs", {"$tuple": []}, f"{ARGUMENTS}, got tuple"),
        (CUSTOM, "config", {"a": scalar("float32", 0.1)}, f"{SCALAR}: {NOT_OF} float32"),
        (CUSTOM, "parts['block'].config", {"a": scalar("int4", 8)}, f"{SCALAR}: {NOT_OF} int4"),
        (CUSTOM, "parts['block'].config", {"$set": []}, f"{ARGUMENTS}, got set"),
        (CUSTOM, "parts['block'].build_config", {"$new": 1}, f"{TAG}, got ['$new']"),
        (DENSE, "config", {"$set": []}, f"{ARGUMENTS}, got set"),
        (DENSE, "build_config", {"$float": "1"}, "bad $float: expected nan, inf or -inf, got '1'"),
        # one name, one place
        (CUSTOM, "extra['.']['scale']", "none", "no tensor of the layer is called 'none'"),
        (DENSE, "tensors['bias'].file", "kernel.npy", "expected 'bias.npy', got 'kernel.npy'"),
        (INDEX, "['iterations'].file", "i.npy", "expected 'iterations.npy', got 'i.npy'"),
        (STATE, SLOT, "0.npy", "expected 'state/layers/lstm/states/0.npy', got '0.npy'"),
        (ENCODER, "keras_version", "3.6.0", OUTERMOST),
        (ENCODER, "live_names", {}, OUTERMOST),
        (ENCODER, "files", {}, OUTERMOST),
        (ENCODER, "name", "", OUTERMOST),
        # the same in other words
        (ROOT, "live_names", MISSING, OTHERWISE),
        (ROOT, "inputs", MISSING, OTHERWISE),
        (ROOT, "tied", {}, OTHERWISE),
        (ENCODER, "inputs", None, OTHERWISE),
        (DENSE, "frozen", [], OTHERWISE),
        (DENSE, "parts", {}, OTHERWISE),
        (CUSTOM, "parts", {"a": {**PART, "config": {"$dict": [["units", 3]]}}}, OTHERWISE),
        (DENSE, "config", {"$dict": [["units", 2]]}, OTHERWISE),
        (DENSE, "config", {"units": {"$complex": [1, 2]}}, OTHERWISE),
        (DENSE, "config", {"units": {"$tuple": "ab"}}, OTHERWISE),
        (DENSE, "config", {"units": {"$set": [2, 1]}}, OTHERWISE),
        (DENSE, "config", {"units": {"$set": [1, True]}}, OTHERWISE),
        (DENSE, "config", {"units": {"$slice": [1]}}, OTHERWISE),
        (DENSE, "config", {"units": {"$bytes": "AB=="}}, OTHERWISE),
        (STATE, "tensors", {}, OTHERWISE),
        (TRAINING, "loss", {"$dict": []}, OTHERWISE),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_value_is_refused(path: str, address: str, value: Any, reason: str) -> None:
    """Even with every checksum right; the message says where in which file."""
    assert refusal(changed(path, address, value)) == f"{inside(path)}: {address}: {reason}"


@pytest.mark.parametrize(
    ("path", "address", "value", "reason"),
    [
        (ROOT, "layers[0].sha256", MISSING, ONE_OF),
        (ROOT, "layers[0].shared", "layers/x", ONE_OF),
        (ROOT, "layers[1].name", "input_layer", "layers: two layers have the name 'input_layer'"),
        (ROOT, "layers[3].path", "layers/dense", "layers: two layers have the path 'layers/dense'"),
        (ROOT, "layers[3].path", "layers/DENSE", "layers: two layers have the path 'layers/dense'"),
        (ROOT, "files['notes.json']", "0" * 64, "lists notes.json, which the format does not know"),
    ],
)  # fmt: skip
def test_layers_and_files_have_one_place(path: str, address: str, value: Any, reason: str) -> None:
    assert refusal(changed(path, address, value)) == f"{inside(path)}: {reason}"


@pytest.mark.parametrize("path", sorted(filter(make.is_json, GOLDEN)))
def test_a_file_that_holds_no_object_is_refused(path: str) -> None:
    for value in ([], "text", 1, None):
        assert "expected an object, got " in refusal(signed({**GOLDEN, path: canon.dumps(value)}))


def places(value: Any) -> Iterator[list[Any]]:
    """Every place in a JSON value where something stands, and new keys."""
    items: Any = enumerate(value) if isinstance(value, list) else ()
    if isinstance(value, dict):
        items = value.items()
        yield from (["config"], ["tied"], ["$tuple"])
    for key, item in items:
        yield [key]
        yield from ([key, *below] for below in places(item))


PLACES = [(path, at) for path in GOLDEN if make.is_json(path)
          for at in places(json.loads(GOLDEN[path]))]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats(0, 1) | texts(3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts(3), inner, max_size=2)
        | st.dictionaries(st.sampled_from(sorted(canon.TAGS)), inner, min_size=1, max_size=1)
    ),
    max_leaves=4,
)


@given(st.sampled_from(PLACES), JSON | st.just(MISSING))
@settings(max_examples=300)
def test_what_is_read_is_what_kvcs_writes(place: tuple[str, list[Any]], value: Any) -> None:
    """Put anything anywhere: it is refused, or it is the one way to write what was read."""
    try:
        given = put(*place, value)
    except (KeyError, TypeError):
        return  # nothing stands there
    try:
        stored = reader.read(given, "golden")
        written = files(stored, reader.Contents(given, stored, "golden"))
    except KvcsError:
        return
    extra = {problem.path for problem in verify(given, "golden").problems}
    assert written == {path: data for path, data in given.items() if path not in extra}


BAD_PATHS = [
    "../x", "x/../../y", "..", ".", "./x", "/etc/passwd", "", "x/", "x//y", "a\\b", "C:/x", "C:x",
    "x\0", "x\ny", "\u202ex", "\ud800", "a*", "a?", 'a"', "<a>", "a|b", "a\u2028b",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_PATHS)
def test_a_path_that_leads_elsewhere_is_refused(bad: str) -> None:
    assert refusals(bad) == [
        f"model.json: layers[3].path: not a path below the model: {bad!r}",
        f"model.json: layers[3].shared: not a path below the model: {bad!r}",
        f"model.json: files: not a path below the model: {bad!r}",
        f"{inside(DENSE)}: tensors['bias'].file: not a path below the model: {bad!r}",
        f"{inside(CUSTOM)}: tied['block/embeddings']: not a path below the model: {bad!r}",
        f"{inside(WORDS)}: assets: not a path below the model: {bad!r}",
    ]


def refusals(bad: str) -> list[str]:
    return [
        refusal(changed(ROOT, "layers[3].path", bad)),
        refusal(changed(ROOT, "layers[3].shared", bad)),
        refusal(changed(ROOT, "files", {bad: "0" * 64})),
        refusal(changed(DENSE, "tensors['bias'].file", bad)),
        refusal(changed(CUSTOM, "tied['block/embeddings']", bad)),
        refusal(changed(WORDS, "assets", {bad: "0" * 64})),
    ]


@pytest.mark.parametrize("good", ["layers/x", "x", "a.b", "...", "%2E", "é", "-", "a b", "~"])
def test_a_path_below_the_model_is_read(good: str) -> None:
    assert fields.path_from_json(good) == good


def test_a_newer_format_asks_for_a_newer_kvcs() -> None:
    newer = {**GOLDEN, ROOT: canon.dumps({**manifest(), "format": 2, "novelty": 1})}
    for look in (reader.read, verify):
        with pytest.raises(NewerFormatError) as caught:
            look(newer, "v2:golden")
        assert str(caught.value) == (
            "v2:golden: the model is stored in format 2, this kvcs reads format 1; upgrade kvcs"
        )


def test_a_newer_format_inside_asks_for_a_newer_kvcs_unless_it_is_damage() -> None:
    newer = changed(ENCODER, "format", 2)
    with pytest.raises(NewerFormatError, match=r"^golden: the model is stored in format 2, this"):
        reader.read(newer, "golden")
    damaged = {**GOLDEN, ENCODER: newer[ENCODER]}
    kinds = [problem.kind for problem in verify(damaged, "golden").problems]
    assert kinds == ["altered", "invalid"]
    with pytest.raises(DamageError, match=r"altered: its SHA-256 is not the recorded one"):
        reader.read(damaged, "golden")


def test_a_manifest_with_another_checksum_was_altered() -> None:
    altered = {**GOLDEN, ROOT: canon.dumps({**manifest(), "checksum": "0" * 64})}
    assert refusal(altered) == (
        "model.json: the manifest was altered: its content does not match its checksum"
    )


def test_live_names_with_another_checksum_were_altered() -> None:
    altered = changed(ROOT, "live_names.names['layers/dense']", "dense_8")
    assert refusal(altered) == (
        "model.json: live_names: the live names do not match their checksum"
    )


def test_a_tensor_that_is_not_what_its_layer_says_is_refused() -> None:
    """The digest is right, the description is not."""
    path = "layers/dense/bias.npy"
    for other in (make.array("float32", [[0.5, 0.5]]), make.array("int32", [1, 2])):
        data = b"".join(npy.encode(other))
        digest = hashlib.sha256(data).hexdigest()
        damaged = {**changed(DENSE, "tensors['bias'].sha256", digest), path: data}
        contents = reader.Contents(damaged, reader.read(damaged, "golden"), "golden")
        with pytest.raises(DamageError, match="not the array that its layer describes"):
            contents[path]()
        assert [problem.path for problem in verify(damaged, "golden").problems] == [path]


def test_two_parts_of_a_model_in_one_place_are_refused() -> None:
    tensor = json.loads(GOLDEN[DENSE])["tensors"]["bias"]
    above = {"layers/dense/bias": {**tensor, "file": "layers/dense/bias.npy"}}
    assert refusal(changed(ROOT, "tensors", above)) == (
        "layers/dense/bias.npy (layer layers/dense): two parts of the model stand here"
    )


def test_two_paths_that_are_one_to_some_file_systems_are_refused() -> None:
    tensors = json.loads(GOLDEN[DENSE])["tensors"]
    both = {**tensors, "BIAS": {**tensors["bias"], "file": "BIAS.npy"}}
    copied = {"layers/dense/BIAS.npy": GOLDEN["layers/dense/bias.npy"]}
    assert refusal({**changed(DENSE, "tensors", both), **copied}) == (
        "layers/dense/bias.npy (layer layers/dense): differs from another path only by case"
    )


def test_there_is_no_model_without_a_manifest() -> None:
    for look in (reader.read, verify):
        with pytest.raises(NotAModelError) as caught:
            look({"layer.json": b"{}\n"}, "models/none")
        assert str(caught.value).startswith("models/none holds no model: it has no model.json")


def test_contents_know_their_paths() -> None:
    contents = reader.Contents(GOLDEN, reader.read(GOLDEN, "golden"), "golden")
    assert sorted(contents) == sorted([*make.ARRAYS, *make.ASSETS])
    with pytest.raises(KeyError):
        contents["layers/dense/none.npy"]


# --- what is not written -------------------------------------------------------------------------

BIAS = make.array("float32", [1.0])
CONTENTS = {
    "layers/a/assets/a?": lambda: b"",
    "layers/a/b.npy": lambda: BIAS,
    "layers/a/BIAS.npy": lambda: BIAS,
    "layers/a/bias.npy": lambda: BIAS,
    "layers/a/text.npy": lambda: np.array(["a"]),
}


def one_layer(path: str = "layers/a", **fields: Any) -> StoredModel:
    """A model with one layer."""
    layer = LayerSpec(**{"cls": ClassRef(None, "Custom"), "config": {}, **fields})
    entry = LayerEntry(name="a", path=path, calls=(), layer=layer)
    model = ModelSpec(cls=ClassRef(None, "Model"), config={}, build="class", layers=(entry,))
    return StoredModel(model=model, keras_version="3.6.0")


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        pytest.param(
            one_layer(config={"deep": nested(100)}),
            "layers/a/layer.json cannot be stored: nested more than 100 deep",
            id="deep",
        ),
        pytest.param(
            one_layer(config={"text": "\ud83d\ude00"}),
            "layers/a/layer.json cannot be stored: text with a pair of surrogates: "
            "'\\ud83d\\ude00'",
            id="surrogates",
        ),
        pytest.param(
            one_layer("layers/a:b"),
            "model.json cannot be stored: layers[0].path: not a path below the model: 'layers/a:b'",
            id="path",
        ),
        pytest.param(
            one_layer(assets={"a?": ""}),
            "layers/a/layer.json cannot be stored: assets: not a path below the model: 'a?'",
            id="asset",
        ),
        pytest.param(
            one_layer(tensors={"bias": describe(BIAS, "b.npy")}),
            "layers/a/layer.json cannot be stored: tensors['bias'].file: expected 'bias.npy', "
            "got 'b.npy'",
            id="file",
        ),
        pytest.param(
            one_layer(extra={".": {"a": "b"}}),
            "layers/a/layer.json cannot be stored: extra['.']['a']: no tensor of the layer is "
            "called 'b'",
            id="extra",
        ),
        pytest.param(
            one_layer(tensors={"text": replace(describe(BIAS, "text.npy"), dtype="str")}),
            "layers/a/text.npy: arrays of dtype <U1 cannot be stored",
            id="text",
        ),
        pytest.param(
            replace(one_layer(), state=StateSpec(seeds={"a": (True,)})),
            "state.json cannot be stored: seeds['a'][0]: expected an int, got a bool",
            id="seeds",
        ),
        pytest.param(
            one_layer(
                tensors={name: describe(BIAS, f"{name}.npy") for name in ("bias", "BIAS")},
            ),
            "two parts of the model would stand in layers/a/bias.npy",
            id="case",
        ),
        pytest.param(
            replace(
                one_layer(tensors={"bias": describe(BIAS, "bias.npy")}),
                model=replace(
                    one_layer(tensors={"bias": describe(BIAS, "bias.npy")}).model,
                    tensors={"layers/a/bias": describe(BIAS, "layers/a/bias.npy")},
                ),
            ),
            "two parts of the model would stand in layers/a/bias.npy",
            id="twice",
        ),
    ],
)
def test_what_would_not_be_read_back_is_not_written(stored: StoredModel, reason: str) -> None:
    with pytest.raises(SaveError) as caught:
        files(stored, CONTENTS)
    assert str(caught.value) == reason


# --- errors --------------------------------------------------------------------------------------


def test_an_error_grows_its_address_while_it_travels_up() -> None:
    error = FormatError("expected an int, got a bool")
    for outer in ("[1]", "shape", "['bias']", "tensors", "layer.json: "):
        error = error.within(outer)
    assert str(error) == "layer.json: tensors['bias'].shape[1]: expected an int, got a bool"
    assert isinstance(error, KvcsError)
    assert copy.copy(error).address == "layer.json: tensors['bias'].shape[1]"


def test_what_two_models_have_in_common_is_shared() -> None:
    parser = Parser()
    one, other = (reader.read(make.checked_in(), "it", parser) for _ in range(2))
    assert repr(one) == repr(other)  # arrays in configs cannot be compared
    assert one.model.layers[0].layer.config is other.model.layers[0].layer.config
