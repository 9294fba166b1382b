"""No damage goes unnoticed, and none is anything but a sentence.

The files of the golden model are looked at in small models of one layer each, for speed: every
byte of every file is damaged there, one at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from golden import make

from kvcs.errors import DamageError, KvcsError, NewerFormatError, NotAModelError
from kvcs.spec import MISSING, SharedLayer, StateSpec, StoredModel
from kvcs.tree import reader, writer
from kvcs.tree.verify import Problem, verify

GOLDEN = make.checked_in()
ALTERED = "altered: its SHA-256 is not the recorded one"

# The layers of the golden model, and the files that describe them or belong to them.
LAYERS = {
    path.rpartition("/")[0]: path
    for path in GOLDEN
    if path.startswith("layers/") and make.is_json(path)
}


def layer_of(path: str) -> str:
    """The layer a file belongs to: the innermost above it."""
    above = [layer for layer in LAYERS if path.startswith(f"{layer}/")]
    return max(above, key=len, default="")


def problems(files: dict[str, bytes]) -> list[Problem]:
    report = verify(files, "golden")
    assert bool(report) == (not report.problems)
    return list(report.problems)


def accepts(files: dict[str, bytes]) -> bool:
    """Whether a reader that reads everything gets to the end of it, and finds no model damaged."""
    try:
        stored = reader.read(files, "golden")
        for get in reader.Contents(files, stored, "golden").values():
            get()
    except KvcsError:
        return False
    return True


def test_the_golden_model_is_whole() -> None:
    report = verify(GOLDEN, "golden")
    assert report
    assert (report.name, report.files, report.problems) == ("golden", len(GOLDEN), ())
    assert accepts(GOLDEN)


# --- every byte ----------------------------------------------------------------------------------


def small(**parts: Any) -> dict[str, bytes]:
    """The golden model without most of its parts."""
    nothing = {"layers": (), "inputs": None, "outputs": None}
    model = replace(make.ROOT, **{**nothing, **parts.pop("model", {})})
    none: dict[str, Any] = {"training": MISSING, "state": StateSpec(), "optimizer": MISSING}
    stored: StoredModel = replace(make.STORED, model=model, **{**none, **parts})
    return {path: b"".join(data) for path, data in writer.files(stored, make.CONTENTS)}


def small_models() -> Iterator[tuple[str, dict[str, bytes]]]:
    yield "model.json", GOLDEN
    names = ("training", "state", "optimizer")
    yield "beside", small(**{name: getattr(make.STORED, name) for name in names})
    for entry in make.ROOT.layers:
        if not isinstance(entry.layer, SharedLayer):
            yield entry.path, small(model={"layers": (entry,)})


SMALL = dict(small_models())


def of_golden(part: str) -> list[str]:
    """The files of a small model that are those of the golden model, byte for byte."""
    if part == "model.json":
        return [part]
    return [path for path, data in SMALL[part].items() if GOLDEN.get(path) == data]


def test_the_small_models_have_every_file_of_the_golden_model() -> None:
    assert sorted(path for part in SMALL for path in of_golden(part)) == sorted(GOLDEN)
    assert all(map(accepts, SMALL.values()))


def damages(
    part: str, damage: Callable[[bytes, int], bytes], step: int = 1
) -> Iterator[tuple[str, int, dict[str, bytes]]]:
    """Damage each file of a small model at each of its bytes, one at a time."""
    for path in of_golden(part):
        for at in range(0, len(GOLDEN[path]), step):
            yield path, at, {**SMALL[part], path: damage(GOLDEN[path], at)}


def flipped(data: bytes, at: int) -> bytes:
    """Flip one bit of a byte: another one at each place."""
    return data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]


def cut(data: bytes, at: int) -> bytes:
    return data[:at]


def is_noticed(path: str, files: dict[str, bytes]) -> bool:
    """Whether the damage is found, and where it is: in that file of that layer.

    Only a digest in the manifest is found in the file it is the digest of, and a number of the
    format may ask for a newer kvcs.
    """
    try:
        found = problems(files)
    except NewerFormatError:
        return path == "model.json" and b'"format": 1' not in files[path]
    if path == "model.json":
        return bool(found)
    return any(problem.path == path and problem.layer == layer_of(path) for problem in found)


@pytest.mark.parametrize("part", SMALL)
def test_every_flipped_byte_is_noticed(part: str) -> None:
    for path, at, files in damages(part, flipped):
        assert is_noticed(path, files), f"byte {at} of {path}"


@pytest.mark.parametrize("part", SMALL)
def test_every_truncation_is_noticed(part: str) -> None:
    for path, at, files in damages(part, cut):
        assert is_noticed(path, files), f"{path} cut to {at} bytes"


@pytest.mark.parametrize("part", SMALL)
def test_no_model_with_a_flipped_byte_is_read(part: str) -> None:
    for path, at, files in damages(part, flipped, step=3):
        assert not accepts(files), f"byte {at} of {path}"


@pytest.mark.parametrize("path", sorted(GOLDEN))
def test_no_truncated_model_is_read(path: str) -> None:
    for at in range(0, len(GOLDEN[path]), 16):
        assert not accepts({**GOLDEN, path: GOLDEN[path][:at]}), f"{path} cut to {at} bytes"


# --- whole files ---------------------------------------------------------------------------------


def found(files: dict[str, bytes]) -> list[tuple[str, str, str]]:
    return [(problem.kind, problem.path, problem.layer) for problem in problems(files)]


def without(*paths: str) -> dict[str, bytes]:
    return {path: data for path, data in GOLDEN.items() if path not in paths}


@pytest.mark.parametrize("path", sorted(set(GOLDEN) - {"model.json"}))
def test_a_missing_file_is_noticed(path: str) -> None:
    """Nothing else is: the files that a missing one describes are not called extra."""
    assert problems(without(path)) == [
        Problem(kind="missing", path=path, layer=layer_of(path), message="missing")
    ]
    assert not accepts(without(path))


def test_without_a_manifest_there_is_no_model() -> None:
    for look in (verify, reader.read):
        with pytest.raises(NotAModelError):
            look(without("model.json"), "golden")


def test_a_missing_directory_is_one_missing_file() -> None:
    encoder = [path for path in GOLDEN if path.startswith("layers/encoder/")]
    assert found(without(*encoder)) == [
        ("missing", "layers/encoder/layer.json", "layers/encoder")  # or a model's: none can tell
    ]


@pytest.mark.parametrize(
    ("path", "layer"),
    [
        ("notes.txt", ""),
        ("layers/readme", ""),
        ("layers/dense/old.npy", "layers/dense"),
        ("layers/dense/deep/old.npy", "layers/dense"),
        ("layers/encoder/layers/dense/kernel.npy.lock", "layers/encoder/layers/dense"),
        ("layers/encoder/layers/old/layer.json", "layers/encoder"),
        ("layers/dense2/layer.json", ""),
        ("layers/dense/model.json", "layers/dense"),
        ("layers/encoder/layer.json", "layers/encoder"),
        ("layers/encoder/state.json", "layers/encoder"),
        ("layers/words/assets/more", "layers/words"),
        ("optimizer/more.npy", "optimizer"),
        ("state/more.npy", ""),
        ("Model.json", ""),
    ],
)
def test_an_extra_file_is_noticed(path: str, layer: str) -> None:
    message = "extra: the model does not list it"
    for data in (b"", b"{}", GOLDEN["model.json"], GOLDEN["layers/input_layer/layer.json"]):
        files = {**GOLDEN, path: data}
        assert problems(files) == [Problem(kind="extra", path=path, layer=layer, message=message)]
        assert accepts(files)  # it is no part of the model


@pytest.mark.parametrize("path", sorted(filter(make.is_json, GOLDEN)))
@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda value: json.dumps(value, indent=4) + "\n", id="four spaces"),
        pytest.param(lambda value: json.dumps(value), id="one line"),
        pytest.param(
            lambda value: json.dumps(dict(reversed(value.items())), indent=2) + "\n", id="key order"
        ),
    ],
)
def test_json_in_another_form_is_noticed(path: str, rewrite: Callable[[Any], str]) -> None:
    files = {**GOLDEN, path: rewrite(json.loads(GOLDEN[path])).encode()}
    invalid = Problem(
        kind="invalid",
        path=path,
        layer=layer_of(path),
        message="not in canonical form (sorted keys, two spaces, one final newline)",
    )
    assert invalid in problems(files)
    assert not accepts(files)


@pytest.mark.parametrize("path", sorted(filter(make.is_json, GOLDEN)))
@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda data: data.replace(b"\n", b"\r\n"), id="Windows"),
        pytest.param(lambda data: data[:-1], id="no final newline"),
        pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="BOM"),
    ],
)
def test_what_an_editor_does_to_a_file_is_noticed(
    path: str, rewrite: Callable[[bytes], bytes]
) -> None:
    files = {**GOLDEN, path: rewrite(GOLDEN[path])}
    assert is_noticed(path, files)
    assert not accepts(files)


def test_files_that_changed_places_are_noticed() -> None:
    one, other = "layers/dense/kernel.npy", "optimizer/momentums/layers/dense/kernel.npy"
    files = {**GOLDEN, one: GOLDEN[other], other: GOLDEN[one]}
    assert found(files) == [("altered", one, "layers/dense"), ("altered", other, "")]


# --- what is said --------------------------------------------------------------------------------


def test_what_is_said_of_a_damaged_model() -> None:
    files = without("layers/words/assets/empty")
    files["layers/dense/kernel.npy"] = files["layers/dense/kernel.npy"][:-4]
    files["layers/dense/bias.npy"] = flipped(files["layers/dense/bias.npy"], 130)
    files["layers/dense/old.npy"] = b""
    files["training.json"] = b"{}"
    assert [str(problem) for problem in problems(files)] == [
        f"layers/dense/bias.npy (layer layers/dense): {ALTERED}",
        "layers/dense/kernel.npy (layer layers/dense): truncated: 140 bytes are not all of it",
        "layers/dense/old.npy (layer layers/dense): extra: the model does not list it",
        "layers/words/assets/empty (layer layers/words): missing",
        f"training.json: {ALTERED}",
        "training.json: not in canonical form (sorted keys, two spaces, one final newline)",
    ]


def test_what_is_said_when_a_damaged_model_is_read() -> None:
    files = without("layers/encoder/layers/dense/layer.json")
    with pytest.raises(DamageError) as caught:
        reader.read(files, "v1:golden")
    assert str(caught.value) == (
        "v1:golden is damaged: layers/encoder/layers/dense/layer.json (layer "
        "layers/encoder/layers/dense): missing. `kvcs verify` lists all that is wrong; "
        "`git checkout` brings a committed version back"
    )


@pytest.mark.parametrize("length", range(len(GOLDEN["layers/dense/kernel.npy"])))
def test_what_is_too_short_is_truncated(length: int) -> None:
    path = "layers/dense/kernel.npy"
    files = {**GOLDEN, path: GOLDEN[path][:length]}
    assert found(files) == [("truncated", path, "layers/dense")]


def test_what_is_too_long_is_altered() -> None:
    path = "layers/dense/kernel.npy"
    assert found({**GOLDEN, path: GOLDEN[path] + b"\0"}) == [("altered", path, "layers/dense")]


def test_what_a_damaged_file_describes_is_not_called_extra() -> None:
    """Nobody knows, and who believes it deletes the weights."""
    for path in ("layers/dense/layer.json", "layers/encoder/model.json", "optimizer/index.json"):
        assert {kind for kind, *_ in found({**GOLDEN, path: b"{"})} == {"altered", "invalid"}


def test_a_damaged_manifest_is_the_only_problem() -> None:
    """Nothing else is known then."""
    assert found({**GOLDEN, "model.json": b"{"}) == [("invalid", "model.json", "")]
