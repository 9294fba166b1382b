"""docs/format.md is true, and enough: a reader written from it alone agrees with kvcs.

Its blocks say by their kind what they show: `json golden:PATH#POINTER` a value in the golden model
as it is laid out, `json canonical` any canonical JSON, `hex:`, `sha256` and `tree` what is below.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import make
from hypothesis import given, settings
from independent_reader import Reader, canonical, values
from strategies import Example, stored_models

from kvcs import canon, names, npy
from kvcs.tree import writer
from kvcs.tree.digests import digests
from kvcs.tree.manifest import FORMAT
from kvcs.tree.reader import read
from kvcs.tree.verify import verify

TEXT = (Path(__file__).parent.parent / "docs" / "format.md").read_text(encoding="utf-8")
GOLDEN = make.checked_in()
BLOCKS = re.findall(r"^```(.+)\n((?:.*\n)*?)```$", TEXT, re.MULTILINE)
KINDS = [kind for kind, _ in BLOCKS]


def block(kind: str) -> str:
    (found,) = [text for given, text in BLOCKS if given == kind]
    return str(found)


def tables(heading: str) -> Iterator[list[list[str]]]:
    """Yield the tables below a heading, without their first lines, code without its marks."""
    section = re.split(r"^##+ ", TEXT.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    for table in re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE):
        lines = table.splitlines()[2:]
        cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
        yield [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


def first_column(heading: str, number: int = 0) -> list[str]:
    return [key for row in list(tables(heading))[number] for key in code(row[0])]


# --- the examples --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("json golden:")])
def test_an_excerpt_stands_in_the_golden_model(kind: str) -> None:
    path, _, pointer = kind.removeprefix("json golden:").partition("#")
    value = canon.loads(GOLDEN[path])
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/")
        value = value[int(step)] if isinstance(value, list) else value[step]
    assert block(kind).encode() == canon.dumps(value) == canonical(value)


def test_what_is_called_canonical_is() -> None:
    found = [text.encode() for kind, text in BLOCKS if kind == "json canonical"]
    assert found
    for data in found:
        assert canon.dumps(canon.loads(data)) == canonical(json.loads(data)) == data


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    known = r"json (golden:.*|canonical)|text (tree|hex:.*)|python tree|console sha256"
    assert [kind for kind in KINDS if not re.fullmatch(known, kind)] == []
    assert TEXT.count("```") == 2 * len(BLOCKS)


def test_the_bytes_of_a_tensor() -> None:
    (kind,) = [kind for kind in KINDS if kind.startswith("text hex:")]
    data = GOLDEN[kind.removeprefix("text hex:")]
    assert data.startswith(npy.header("<f4", (2, 2)))
    lines = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' ')}  |{seen}|\n")
    assert block(kind) == "".join(lines)


def test_the_checksum_of_a_tensor() -> None:
    command, printed = block("console sha256").splitlines()
    path = command.removeprefix("$ sha256sum ")
    assert printed == f"{hashlib.sha256(GOLDEN[path]).hexdigest()}  {path}"


def test_the_directory_of_a_small_model(tmp_path: Path) -> None:
    import kvcs

    session: dict[str, Any] = {}
    exec(block("python tree"), session)
    kvcs.save(session["model"], tmp_path / "model")
    assert block("text tree") == "".join(drawn(tmp_path / "model"))


def drawn(directory: Path, before: str = "") -> Iterator[str]:
    inside = sorted(directory.iterdir())
    for path in inside:
        last = path == inside[-1]
        slash = "/" if path.is_dir() else ""
        yield f"{before}{'└' if last else '├'}── {path.name}{slash}\n"
        if path.is_dir():
            yield from drawn(path, before + ("    " if last else "│   "))


# --- the tables ----------------------------------------------------------------------------------


def test_the_dtypes_are_those_that_can_be_stored() -> None:
    (table,) = tables("dtypes")
    assert {code(row[0])[0]: code(row[1])[0] for row in table} == npy.STORED
    for _, descr, size, _ in table:
        assert np.dtype(code(descr)[0]).itemsize == int(size)


def test_the_tags_are_those_that_canonical_json_knows() -> None:
    tags = first_column("3 Values that JSON lacks")
    assert len(tags) == len(set(tags))
    assert set(tags) == canon.TAGS


def test_the_keys_around_a_config_are_all_named() -> None:
    (named,) = re.findall(r"and no other keys than (.*?)\.", TEXT, re.DOTALL)
    assert set(code(named)) == canon.OBJECT_KEYS


def test_the_keys_are_those_of_the_files() -> None:
    layers = {path: json.loads(data) for path, data in GOLDEN.items() if path.endswith("r.json")}
    manifests = {path: json.loads(data) for path, data in GOLDEN.items() if "model.json" in path}
    keys = {key for value in layers.values() for key in value}
    assert set(first_column("5 `layer.json`")) == keys
    entries = [entry for value in manifests.values() for entry in value["layers"]]
    assert set(first_column("`layers`")) == {key for entry in entries for key in entry}
    call = next(call for entry in entries for call in entry["calls"])
    assert set(first_column("`calls`")) == set(call)
    parts = [part for value in layers.values() for part in value.get("parts", {}).values()]
    assert set(first_column("`parts`")) == {key for part in parts for key in part}
    assert any("build_config" not in part for part in parts)
    more = set(first_column("6 `model.json`"))
    assert not more & keys
    assert {key for value in manifests.values() for key in value} <= more | keys
    (tensor, *_) = [tensor for value in layers.values() for tensor in value["tensors"].values()]
    assert set(first_column("`tensors`")) == set(tensor)
    assert set(first_column("`state.json`")) == set(json.loads(GOLDEN["state.json"]))


def test_names_become_parts_of_paths() -> None:
    (table,) = tables("From a name to a part of a path")
    for name, part in table:
        assert [names.segment(one) for one in code(name)] == code(part)
    for name, part in re.findall(r"`(aux|NUL.txt)` becomes `(.*?)`", TEXT):
        assert names.segment(name) == part


def test_automatic_names_are_numbered_anew() -> None:
    classes = {"dense": "Dense", "input_layer": "InputLayer", "lstm": "LSTM", "re_lu": "ReLU"}
    for live, found in next(tables("8 Canonical names")):
        pairs: list[tuple[str, str]] = []
        for name in code(live):
            if name == "Conv2D":  # the class of the one before
                pairs[-1] = (pairs[-1][0], name)
            else:
                pairs.append((name, classes.get(re.sub(r"_[0-9]+$", "", name), "InputLayer")))
        assert names.canonical_names(pairs) == code(found)
    for cls, stem in re.findall(r"`([A-Z]\w+)` is `(\w+)`", TEXT):
        assert names.snake_case(cls) == stem


def test_the_number_of_the_format() -> None:
    assert TEXT.startswith(f"# Format {FORMAT}\n")


def test_the_digests_of_the_golden_model() -> None:
    *_, table = tables("10 The four digests")
    assert {code(row[0])[0]: code(row[1])[0] for row in table} == digests_of(GOLDEN)


# --- the independent reader ----------------------------------------------------------------------


def digests_of(files: Mapping[str, bytes]) -> dict[str, str]:
    found = digests(read(files, "a model"))
    return {name: getattr(found, name) for name in ("architecture", "weights", "state", "whole")}


def test_it_knows_nothing_of_kvcs() -> None:
    source = (Path(__file__).parent / "independent_reader.py").read_text(encoding="utf-8")
    modules = set(re.findall(r"^ *(?:from|import) (\w+)", source, re.MULTILINE))
    assert modules == {"__future__", "hashlib", "json", "math", "re", "struct", "typing"}


def test_it_finds_every_file_and_no_problem() -> None:
    reader = Reader(GOLDEN)
    assert reader.problems == []
    assert reader.known == GOLDEN.keys()


def test_it_computes_the_same_digests() -> None:
    assert Reader(GOLDEN).digests() == digests_of(GOLDEN)


def test_it_reads_the_values_of_tensors() -> None:
    tensors = Reader(GOLDEN).tensors
    assert tensors.keys() == {path for path in GOLDEN if path.endswith(".npy")}
    for path, tensor in tensors.items():
        stored = np.load(make.MODEL / path)
        assert list(stored.shape) == tensor["shape"]
        assert repr(values(GOLDEN[path], tensor)) == repr(stored.reshape(-1).tolist())


@given(stored_models())
@settings(max_examples=40)
def test_it_agrees_about_generated_models(example: Example) -> None:
    files = {p: b"".join(parts) for p, parts in writer.files(example.model, example.contents)}
    reader = Reader(files)
    assert reader.problems == []
    assert reader.known == files.keys()
    assert reader.digests() == digests_of(files)


def found_by_both(files: dict[str, bytes]) -> set[tuple[str, str]]:
    """Return the problems that the independent reader finds, and that kvcs finds as well."""
    theirs = {(problem.kind, problem.path) for problem in verify(files, "a model").problems}
    mine = set(Reader(files).problems)
    assert {path for _, path in mine} == {path for _, path in theirs}
    # The independent one does not look into every value.
    assert mine <= theirs
    assert {kind for kind, _ in theirs - mine} <= {"invalid"}
    return mine


@pytest.mark.parametrize("path", GOLDEN)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_it_notices_a_flipped_byte(path: str, place: float) -> None:
    data = bytearray(GOLDEN[path] or b" ")
    data[int(place * (len(data) - 1))] ^= 1
    found = found_by_both({**GOLDEN, path: bytes(data)})
    assert path in {where for _, where in found}


@pytest.mark.parametrize("path", GOLDEN)
def test_it_notices_a_missing_file(path: str) -> None:
    if path != "model.json":  # without it, there is no model
        found = found_by_both({key: data for key, data in GOLDEN.items() if key != path})
        assert ("missing", path) in found


@pytest.mark.parametrize("path", [path for path in GOLDEN if path.endswith(".npy")])
@pytest.mark.parametrize("kept", [0, 50, -1])
def test_it_notices_a_truncated_tensor(path: str, kept: int) -> None:
    files = {**GOLDEN, path: GOLDEN[path][:kept]}
    assert found_by_both(files) == {("truncated", path)}


def test_it_notices_a_file_too_many() -> None:
    path = "layers/dense/old.npy"
    assert found_by_both({**GOLDEN, path: b""}) == {("extra", path)}


def test_it_knows_which_of_two_descriptions_counts() -> None:
    model, layer = (f"layers/encoder/{name}.json" for name in ("model", "layer"))
    both = {**GOLDEN, layer: GOLDEN["layers/dense/layer.json"]}
    assert found_by_both(both) == {("extra", layer)}
    assert ("altered", layer) in found_by_both({**both, model: b"{}\n"})


@pytest.mark.parametrize(
    "config",
    [
        {"$scalar": {"dtype": "float32", "value": 0.1}},
        {"$scalar": {"dtype": "float16", "value": 65536.0}},
        {"$scalar": {"dtype": "int4", "value": 8}},
        {"$scalar": {"dtype": "bool", "value": 1}},
        {"$scalar": {"dtype": "int8", "value": 1, "shape": []}},
        {"$scalar": 1.0},
        {"$variable": "layers//kernel"},
        {"$variable": None},
        {"$weight": "layers/dense/kernel"},
        {"$scalar": {"dtype": "int8", "value": 1}, "more": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["config", "parts"])
def test_it_notices_what_is_no_value(config: Any, where: str) -> None:
    path = "layers/custom/layer.json"
    layer = json.loads(GOLDEN[path])
    (layer if where == "config" else layer["parts"]["block"])["config"] = {"by": config}
    files = {**GOLDEN, path: canon.dumps(layer)}
    assert found_by_both(files) == {("altered", path), ("invalid", path)}


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"class_name": "A", "module": None, "registered_name": None},
        {"class_name": "A", "config": {}, "module": None, "name": "a", "registered_name": None},
        [],
    ],
    ids=str,
)
def test_it_notices_what_is_no_part(part: Any) -> None:
    path = "layers/custom/layer.json"
    layer = {**json.loads(GOLDEN[path]), "parts": {"block": part}}
    files = {**GOLDEN, path: canon.dumps(layer)}
    assert found_by_both(files) == {("altered", path), ("invalid", path)}


def test_it_notices_a_manifest_that_lies() -> None:
    for key in ("name", "keras_version"):
        manifest = {**json.loads(GOLDEN["model.json"]), key: "another"}
        files = {**GOLDEN, "model.json": canon.dumps(manifest)}
        assert found_by_both(files) == {("invalid", "model.json")}
    manifest = json.loads(GOLDEN["model.json"])
    manifest["live_names"]["names"]["."] = "another"
    files = {**GOLDEN, "model.json": canon.dumps(manifest)}
    assert found_by_both(files) == {("invalid", "model.json")}
