"""`kvcs diff` on the command line: what it compares, prints and exits with. No Keras."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli import Done, kvcs, nested, refused, small, store
from gitrepo import commit_all, git

SAME = "Diff: 0 added, 0 removed, 0 moved, 0 config, 0 edges, 0 weights. params 15"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with two models that differ in a bias; the tests run inside of it."""
    root = tmp_path / "project"
    store(root / "models/a")
    store(root / "models/b", bias=1.0)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def repository(root: Path) -> Path:
    git(root, "init", "--quiet")
    commit_all(root, "First")
    store(root / "models/a", bias=2.0)
    return root


class TestTwoModels:
    def test_in_words(self) -> None:
        assert kvcs("diff", "models/a", "models/b") == Done(
            0,
            "models/a → models/b    FINE-TUNE: architecture identical; weights of 1 layer\n"
            "* weights\n"
            "  *   dense  bias was zero, now up to 1\n"
            "             (1 layer with nothing else to say)\n"
            "Diff: 0 added, 0 removed, 0 moved, 0 config, 0 edges, 1 weights. params 15\n",
            "",
        )

    def test_the_same(self) -> None:
        out = f"models/a → models/a    SAME: nothing differs\n{SAME}\n"
        assert kvcs("diff", "models/a", "models/a", "--exit-code") == Done(0, out, "")

    def test_exit_code(self) -> None:
        assert kvcs("diff", "models/a", "models/b", "--exit-code").code == 1

    def test_as_json(self) -> None:
        found = json.loads(kvcs("diff", "models/a", "models/b", "--format", "json").out)
        assert found["format"] == "kvcs.diff/1"
        (change,) = found["changes"]
        assert (change["kind"], change["new_path"]) == ("weights", "dense")
        assert change["details"]["tensors"]["bias"]["largest"] == 1.0

    def test_without_statistics_no_weight_is_read(self) -> None:
        Path("models/b/layers/dense/bias.npy").unlink()
        assert kvcs("diff", "models/a", "models/b", "--no-stats").code == 0

    def test_briefly(self) -> None:
        assert kvcs("diff", "models/a", "models/b", "--name-only").out == "dense\n"
        assert kvcs("diff", "models/a", "models/b", "--stat").lines[0] == " dense | *   weights"

    def test_in_ascii(self) -> None:
        assert kvcs("diff", "models/a", "models/b", "--ascii").out.isascii()

    def test_hints(self) -> None:
        store(Path("models/c"), small(name="head"))
        found = json.loads(
            kvcs("diff", "models/a", "models/c", "--map", "dense=head", "--format", "json").out
        )
        (pair,) = (pair for pair in found["pairs"] if pair["old"] == "dense")
        assert pair == {"old": "dense", "new": "head", "score": 1.0, "strategy": "hint"}

    @pytest.mark.parametrize(
        ("hints", "message"),
        [
            (["dense"], "--map wants OLD=NEW with paths of layers, not 'dense'"),
            (["a=b", "a=c"], "--map a is given twice; a layer has one partner"),
            (["dens=dense"], "the old model has no layer 'dens'; did you mean 'dense'?"),
        ],
    )
    def test_wrong_hints(self, hints: list[str], message: str) -> None:
        options = [part for hint in hints for part in ("--map", hint)]
        assert refused("diff", "models/a", "models/b", *options) == message

    def test_a_model_that_is_not_there(self) -> None:
        assert refused("diff", "models/a", "models/z").startswith("models/z: no such directory")

    def test_too_many(self) -> None:
        assert refused("diff", "a", "b", "c") == "expected at most two operands, got 3"


class TestRevisions:
    A = "HEAD:models/a → models/a    FINE-TUNE: architecture identical; weights of 1 layer"

    @pytest.mark.parametrize("operands", [[], ["HEAD"], ["models/a"], ["HEAD:models/a"]])
    def test_with_the_working_tree(self, repository: Path, operands: list[str]) -> None:
        done = kvcs("diff", *operands)
        assert done.lines[0] == self.A
        assert len(done.lines) == 5  # nothing of models/b

    def test_from_below(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(repository / "models")
        assert kvcs("diff").lines[0] == self.A.replace("→ models/a", "→ a")
        assert kvcs("diff", "a").lines[0] == self.A.replace("→ models/a", "→ a")

    @pytest.mark.parametrize(
        "operands", [["HEAD~1", "HEAD"], ["HEAD~1..HEAD"], ["HEAD~1.."], ["HEAD~1...HEAD"]]
    )
    def test_two(self, repository: Path, operands: list[str]) -> None:
        first = git(repository, "rev-parse", "HEAD")
        commit_all(repository, "Second")
        line = kvcs("diff", *operands).lines[0]
        assert line.replace(first[:12], "HEAD~1").startswith("HEAD~1:models/a → HEAD:models/a  ")

    def test_a_model_on_one_side_only(self, repository: Path) -> None:
        store(repository / "models/new")
        git(repository, "rm", "-rq", "models/b")
        done = kvcs("diff", "--exit-code")
        assert done.code == 1
        assert done.lines[0] == self.A
        assert done.lines[-2:] == [
            "- models/b    REMOVED: only in HEAD:models/b",
            "+ models/new    ADDED: only in models/new",
        ]

    def test_a_new_model_alone(self, repository: Path) -> None:
        store(repository / "models/new")
        added = "+ models/new    ADDED: only in models/new\n"
        assert kvcs("diff", "models/new") == Done(0, added, "")
        assert kvcs("diff", "models/new", "--exit-code").code == 1

    def test_a_removed_model_alone(self, repository: Path) -> None:
        git(repository, "rm", "-rq", "models/b")
        removed = "- models/b    REMOVED: only in HEAD:models/b\n"
        assert kvcs("diff", "HEAD:models/b") == Done(0, removed, "")
        assert refused("diff", "HEAD:models/z") == (
            "There is no directory 'models/z' in revision 'HEAD'."
        )

    def test_a_model_that_is_the_repository(self, tmp_path: Path, monkeypatch: Any) -> None:
        root = store(tmp_path / "whole", nested())
        git(root, "init", "--quiet")
        commit_all(root, "First")
        (root / "below").mkdir()
        for place in (root, root / "below"):
            monkeypatch.chdir(place)
            for revisions in ([], ["HEAD", "HEAD"]):
                done = kvcs("diff", *revisions, "--summary", "--all")
                assert done.lines[0].startswith("= .    SAME: nothing differs")
            assert kvcs("diff", os.path.relpath(root)).lines[0].startswith("HEAD: → .")

    def test_as_json(self, repository: Path) -> None:
        found = json.loads(kvcs("diff", "--format", "json").out)
        assert [(one["name"], one["old"], one["new"]) for one in found] == [
            ("models/a", "HEAD:models/a", "models/a"),
            ("models/b", "HEAD:models/b", "models/b"),
        ]
        assert [one["diff"]["differs"] for one in found] == [True, False]

    @pytest.mark.parametrize(("form", "waiting"), [("markdown", 0), ("gitlab", 2)])
    def test_as_markdown(self, repository: Path, form: str, waiting: int) -> None:
        """Twelve models with a graph each are more than GitLab draws at once."""
        for bias in (0.0, 1.0):
            for number in range(12):
                store(Path(f"many/{number}"), small(cls="Other" if bias else "Dense"))
            commit_all(repository)
        done = kvcs("diff", "main~1", "main", "--format", form, "--", "many")
        assert done.out.count("\n```mermaid\n") == 12
        assert done.out.count("<summary>Graph of what changed</summary>") == waiting
        assert done.out.endswith("```sh\nkvcs diff 'main~1' main -- many\n```\n")

    def test_what_is_damaged_does_not_hide_the_rest(self, repository: Path) -> None:
        manifest = repository / "models/b/model.json"
        manifest.write_bytes(manifest.read_bytes().replace(b"image", b"imagf"))
        done = kvcs("diff")
        assert done.code == 2
        assert done.lines[0] == self.A
        assert done.err.startswith("kvcs: models/b is damaged: model.json: ")

    def test_a_bare_repository(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        commit_all(repository, "Second")
        git(repository, "clone", "--quiet", "--bare", ".", "../bare.git")
        monkeypatch.chdir(repository / "../bare.git")
        first, second = "HEAD~1:models/a", "HEAD:models/a"
        for operands in (["HEAD~1", "HEAD"], ["HEAD~1..HEAD"], [first, second]):
            assert kvcs("diff", *operands).lines[0].startswith(f"{first} → {second}    FINE-TUNE: ")
        assert refused("diff", "HEAD").endswith("no working tree: name two revisions")

    def test_no_common_ancestor(self, repository: Path) -> None:
        git(repository, "checkout", "--quiet", "--orphan", "other")
        commit_all(repository, "Other")
        assert refused("diff", "main...other") == "'main' and 'other' have no commit in common."

    def test_no_such_revision(self, repository: Path) -> None:
        assert refused("diff", "v9") == "There is no revision 'v9' in this repository."

    def test_no_repository(self, root: Path) -> None:
        assert refused("diff").startswith("There is no git repository in ")

    def test_outside_of_the_repository(self, repository: Path, tmp_path: Path) -> None:
        other = store(tmp_path / "elsewhere")
        assert refused("diff", str(other)).endswith(f"is outside of the repository in {repository}")
