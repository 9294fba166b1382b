"""Sides that cannot be read, wholly or in part: each is said, and hides nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli import kvcs, nested, refused, small, store
from clones import needs_lfs
from gitrepo import commit_all, git

import kvcs as package

A = "HEAD:models/a → models/a    FINE-TUNE: architecture identical; weights of 1 layer"
DENSE = Path("models/b/layers/dense")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models, of which the first changed; the tests run inside of it, and damage the other."""
    root = tmp_path / "project"
    store(root / "models/a")
    store(root / "models/b")
    git(root, "init", "--quiet")
    commit_all(root, "First")
    store(root / "models/a", bias=1.0)
    store(root / "models/b", bias=2.0)
    monkeypatch.chdir(root)
    return root


def pointer_to(path: Path) -> None:
    """Put the pointer that Git LFS would leave in the place of a file."""
    data = path.read_bytes()
    path.write_text(
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n"
    )


def newer() -> None:
    manifest = Path("models/b/model.json")
    text = b'"format": 2,\n  "future": true'
    manifest.write_bytes(manifest.read_bytes().replace(b'"format": 1', text))


def altered() -> None:
    layer = DENSE / "layer.json"
    layer.write_bytes(layer.read_bytes().replace(b'"units": 3', b'"units": 4'))


def missing() -> None:
    (DENSE / "layer.json").unlink()


def without_manifest() -> None:
    Path("models/b/model.json").unlink()


def emptied() -> None:
    Path("models/b/model.json").write_bytes(b"")


def cut_off() -> None:
    manifest = Path("models/b/model.json")
    manifest.write_bytes(manifest.read_bytes()[:100])


class TestWhatCannotBeCompared:
    @pytest.mark.parametrize(
        ("damage", "says"),
        [
            (altered, "models/b is damaged: layers/dense/layer.json (layer layers/dense): altered"),
            (missing, "models/b is damaged: layers/dense/layer.json (layer layers/dense): missing"),
            (cut_off, "models/b is damaged: model.json: "),
            (emptied, "models/b is damaged: model.json: "),
            (without_manifest, "models/b holds no model: it has no model.json"),
            (newer, "models/b"),
        ],
    )
    def test_is_said_and_hides_nothing(self, damage: Callable[[], None], says: str) -> None:
        damage()
        done = kvcs("diff")
        assert done.code == 2
        assert done.lines[0] == A
        assert len(done.err.splitlines()) == 1
        assert done.err.startswith(f"kvcs: {says}")

    @pytest.mark.parametrize("damage", [cut_off, emptied, without_manifest])
    def test_of_two_revisions(self, damage: Callable[[], None]) -> None:
        damage()
        commit_all(Path(), "Damaged")
        for revisions in ("HEAD~1..HEAD", "HEAD..HEAD~1"):
            done = kvcs("diff", revisions, "--summary")
            assert done.code == 2
            assert done.lines[-1].endswith("0 added, 0 removed, 0 unchanged, 1 not compared")
            assert done.err.startswith("kvcs: HEAD:models/b ")

    @pytest.mark.parametrize("damage", [emptied, without_manifest])
    def test_with_a_model_inside(self, damage: Callable[[], None]) -> None:
        store(Path("models/b"), nested())
        commit_all(Path(), "Nested")
        damage()
        alone = "Models: 0 changed, 0 added, 0 removed, 1 unchanged, 1 not compared"
        assert kvcs("diff", "--summary").lines[-1] == alone
        commit_all(Path(), "Damaged")
        assert kvcs("diff", "HEAD~1..HEAD", "--summary").lines[-1] == alone

    def test_a_newer_format_is_named(self) -> None:
        newer()
        assert "this kvcs reads format 1; upgrade kvcs" in kvcs("diff").err

    def test_as_json(self) -> None:
        missing()
        done = kvcs("diff", "--format", "json")
        assert done.code == 2
        one, other = json.loads(done.out)
        assert one["diff"]["differs"]
        assert "error" not in one
        assert other["diff"] is None
        assert other["error"].startswith("models/b is damaged: ")

    def test_as_json_of_two_models(self) -> None:
        missing()
        done = kvcs("diff", "models/a", "models/b", "--format", "json")
        assert done.code == 2
        found = json.loads(done.out)
        assert (found["old"], found["new"], found["diff"]) == ("models/a", "models/b", None)
        assert found["error"] in done.err

    def test_as_markdown(self) -> None:
        missing()
        done = kvcs("diff", "--format", "markdown")
        assert done.code == 2
        assert done.lines[0] == "### `models/b`: ⚠️ could not be compared"  # what matters most
        assert any(line.startswith("### `models/a`: **FINE-TUNE**: ") for line in done.lines)

    def test_in_a_summary(self) -> None:
        missing()
        done = kvcs("diff", "--summary")
        assert done.code == 2
        assert done.lines[-1] == (
            "Models: 1 changed, 0 added, 0 removed, 0 unchanged, 1 not compared"
        )
        assert any(line.startswith("? models/b    NOT COMPARED: ") for line in done.lines)

    def test_quietly(self) -> None:
        missing()
        done = kvcs("diff", "--quiet")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("kvcs: models/b is damaged: ")

    def test_alone(self) -> None:
        missing()
        assert refused("diff", "models/b").startswith("models/b is damaged: ")


class TestOneWeight:
    def test_that_is_missing_loses_its_statistics(self) -> None:
        (DENSE / "bias.npy").unlink()
        done = kvcs("diff", "models/b")
        assert done.code == 2
        assert "  *   dense  bias changed; damaged, and not read" in done.lines
        assert done.err.startswith("kvcs: models/b is damaged: layers/dense/bias.npy ")
        assert (
            "`bias` |  |  |  |  | `changed; damaged, and not read` |"
            in kvcs("diff", "models/b", "--format", "markdown").out
        )

    def test_that_is_truncated(self) -> None:
        bias = DENSE / "bias.npy"
        bias.write_bytes(bias.read_bytes()[:-1])
        done = kvcs("diff", "models/b")
        assert done.code == 2
        assert "truncated" in done.err

    def test_is_not_missed_where_it_did_not_change(self) -> None:
        (DENSE / "kernel.npy").unlink()
        assert kvcs("diff", "models/b", "--exit-code").code == 1

    def test_is_not_missed_without_statistics(self) -> None:
        (DENSE / "bias.npy").unlink()
        assert kvcs("diff", "--no-stats", "--exit-code").code == 1

    def test_as_json(self) -> None:
        (DENSE / "bias.npy").unlink()
        found = json.loads(kvcs("diff", "HEAD:models/b", "models/b", "--format", "json").out)
        (change,) = found["changes"]
        assert change["details"]["unread"]["bias"]["reason"] == "damaged"

    def test_in_python(self) -> None:
        (DENSE / "bias.npy").unlink()
        found = package.diff("HEAD:models/b", "models/b")
        assert found
        assert len(found.unread) == 1


@needs_lfs
class TestPointersOfGitLFS:
    def test_of_weights_that_changed(self) -> None:
        pointer_to(DENSE / "bias.npy")
        done = kvcs("diff", "models/b", "--exit-code")
        assert done.code == 1  # all is known but how much
        line = "  *   dense  bias changed; statistics need the object, which is not here"
        assert line in done.lines
        assert done.err == (
            "kvcs: git-lfs could not fetch 1 of 1 objects: there is no remote to fetch from. Check "
            "the connection and `git lfs env`, then try again; `git lfs fetch --all` brings every "
            "version at once.\n"
        )

    def test_of_weights_that_did_not_change(self) -> None:
        pointer_to(DENSE / "kernel.npy")
        assert kvcs("diff", "models/b").err == ""

    def test_to_something_else_is_damage(self) -> None:
        pointer_to(DENSE / "bias.npy")
        text = (DENSE / "bias.npy").read_text()
        (DENSE / "bias.npy").write_text(text.replace("oid sha256:", "oid sha256:0"))
        assert kvcs("diff", "models/b").code == 2

    def test_as_markdown(self) -> None:
        pointer_to(DENSE / "bias.npy")
        done = kvcs("diff", "models/b", "--format", "markdown")
        assert done.code == 0
        assert "changed; statistics need the object, which is not here" in done.out


class TestOneSide:
    def test_in_each_format(self) -> None:
        store(Path("models/new"), small(name="other"))
        done = kvcs("diff", "--summary")
        assert "+ models/new    ADDED: only in models/new" in done.lines
        assert kvcs("diff", "--stat").lines[-1] == "+ models/new    ADDED: only in models/new"
        assert kvcs("diff", "--name-only").lines[-1] == "models/new"
        found = json.loads(kvcs("diff", "--format", "json").out)
        assert found[-1] == {
            "name": "models/new", "old": None, "new": "models/new", "diff": None,
        }  # fmt: skip
        line = "### `models/new`: ADDED, only in `models/new`"
        assert line in kvcs("diff", "--format", "markdown").lines

    def test_differs(self) -> None:
        git(Path(), "checkout", "--quiet", ".")
        assert kvcs("diff", "--quiet").code == 0
        store(Path("models/new"))
        assert kvcs("diff", "--quiet").code == 1
