"""`kvcs digest --manifest`: what tools for signing models take and make themselves.

The figures were taken from model-signing 1.1.1, which hashed the directory of the golden model.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cli import kvcs as run
from cli import nested, refused, store
from gitrepo import commit_all, git
from golden import make

from kvcs.commands.digest import manifest
from kvcs.tree.statement import file_digests, statement

GOLDEN = make.checked_in()


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    store(Path("models/m"), nested())
    commit_all(tmp_path)
    return tmp_path


def test_the_statement_has_every_file(top: Path) -> None:
    found = manifest("models/m")
    listed = {each["name"]: each["digest"] for each in found["predicate"]["resources"]}
    files = (path for path in Path("models/m").rglob("*") if path.is_file())
    assert listed == {
        path.relative_to("models/m").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    whole = hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in listed.values()))
    assert found["subject"] == [{"name": "m", "digest": {"sha256": whole.hexdigest()}}]


def test_the_same_model_has_the_same_statement(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run("digest", "--manifest", "models/m").out
    assert json.loads(printed) == manifest("models/m")
    for operand in ("HEAD:models/m", ":models/m", "models/../models/m/", "HEAD:./models/m"):
        assert run("digest", "--manifest", operand).out == printed
    monkeypatch.chdir("models/m")
    assert run("digest", "--manifest", ".").out == printed


def test_a_model_in_the_root_of_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "repository")
    monkeypatch.chdir(tmp_path / "repository")
    store(tmp_path / "m", nested())
    for path in (tmp_path / "m").iterdir():
        path.rename(tmp_path / "repository" / path.name)
    commit_all(Path())
    [subject] = manifest("HEAD:")["subject"]
    assert subject["name"] == "functional"  # the model's own: a clone can have any name


def test_names_are_ordered_name_by_name() -> None:
    """As model-signing has it: `a/c` before `a-b`, which as texts is the other way round."""
    digests = dict.fromkeys(("a-b", "a/c", "a", "A", "é"), "00" * 32)
    listed = [each["name"] for each in statement("m", digests)["predicate"]["resources"]]
    assert listed == ["A", "a", "a/c", "a-b", "é"]


def test_nothing_is_said_of_a_damaged_model(top: Path) -> None:
    Path("models/m/layers/encoder/layers/dense/bias.npy").write_bytes(b"")
    assert "models/m is damaged: " in refused("digest", "--manifest", "models/m")
    Path("models/m/notes.txt").write_text("mine")
    assert "models/m is damaged: " in refused("digest", "--manifest", "models/m")


def test_what_has_no_files(top: Path) -> None:
    assert "exclude each other" in refused("digest", "--manifest", "--part", "weights", "models/m")
    Path("model.json").write_text('{"class_name": "Sequential", "config": {"layers": []}}')
    assert "no model that kvcs reads" in refused("digest", "--manifest", "model.json")


def test_the_golden_model() -> None:
    found = statement("model", file_digests(GOLDEN, "golden"))
    assert found["predicate"]["serialization"] == {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": False,
    }
    assert found["subject"] == [{"name": "model", "digest": {"sha256": ROOT}}]


ROOT = "86246e739fb94bfabda8b1b8c3bec5ad17c1101cb40ef1770833d3533ad45f27"
