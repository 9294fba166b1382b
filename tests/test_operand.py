"""MODEL: every way to name a stored model, and which one is meant where two would fit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli import nested, store
from gitrepo import commit_all, git

import kvcs
from kvcs.commands.operand import is_saved_file, models_below, opened
from kvcs.commands.show import show
from kvcs.errors import KvcsError, NotAModelError, OperandError, RepositoryError
from kvcs.tree.writer import LAYER, MANIFEST


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three versions of `models/mnist`; the tests run inside of it.

    Every value of the bias is 1 in the tag `v1`, 2 in the index, and 3 in the working tree.
    """
    root = tmp_path / "project"
    store(root / "models/mnist", bias=1.0)
    git(root, "init", "--quiet")
    commit_all(root, "First")
    git(root, "tag", "v1")
    store(root / "models/mnist", bias=2.0)
    git(root, "add", "models")
    store(root / "models/mnist", bias=3.0)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def version(tmp_path: Path) -> Callable[[Any], int]:
    """Tell which of the three versions an operand names."""
    digests = {
        kvcs.digest(store(tmp_path / "versions" / str(bias), bias=bias)): bias for bias in (1, 2, 3)
    }
    return lambda operand: digests[kvcs.digest(operand)]


class TestPath:
    def test_a_directory(self, version: Callable[[Any], int]) -> None:
        assert version("models/mnist") == 3

    def test_an_absolute_one(self, root: Path, version: Callable[[Any], int]) -> None:
        assert version(str(root / "models/mnist")) == 3

    def test_the_current_one(
        self, version: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir("models/mnist")
        assert version(".") == 3

    def test_a_link_to_one(self, version: Callable[[Any], int]) -> None:
        Path("latest").symlink_to("models/mnist")
        assert version("latest") == 3

    def test_anything_with_a_path(self, root: Path, version: Callable[[Any], int]) -> None:
        class Place:
            def __fspath__(self) -> str:
                return "models/mnist"

        assert version(root / "models" / "mnist") == 3
        assert version(Place()) == 3

    def test_a_model_in_a_model(self, root: Path) -> None:
        store(root / "nested", nested())
        assert show("nested/layers/encoder").class_name == "Sequential"

    @pytest.mark.parametrize("name", ["v1:models/mnist", ":models/mnist", "C:models"])
    def test_wins_over_a_revision(
        self, root: Path, name: str, version: Callable[[Any], int]
    ) -> None:
        """A colon in a name is rare, and who has one means that; git can be told `v1:./…`."""
        store(root / name, bias=3.0)
        assert version(name) == 3

    def test_of_a_save_that_was_killed_between_two_renames(
        self, root: Path, version: Callable[[Any], int]
    ) -> None:
        wrapper = root / "models/.kvcs-12345678"
        (wrapper / "new").mkdir(parents=True)
        (wrapper / "old").mkdir()
        (wrapper / ".gitignore").touch()
        Path("models/mnist").rename(wrapper / "old/mnist")
        assert version("models/mnist") == 3


class TestRevision:
    @pytest.mark.parametrize("revision", ["v1", "HEAD", "@", "main", "HEAD^{/First}", "HEAD@{0}"])
    def test_a_commit(self, revision: str, version: Callable[[Any], int]) -> None:
        assert version(f"{revision}:models/mnist") == 1

    def test_the_index(self, version: Callable[[Any], int]) -> None:
        assert version(":models/mnist") == 2
        assert version(":./models/mnist") == 2

    def test_from_a_subdirectory(
        self, version: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A path is seen from the root, as in git; `./` and `../` from here."""
        monkeypatch.chdir("models")
        assert version("v1:models/mnist") == 1
        assert version("v1:./mnist") == 1
        assert version(":./mnist") == 2
        monkeypatch.chdir("mnist")
        assert version("v1:./") == 1
        assert version("v1:../mnist") == 1
        assert version(":.") == 2

    def test_the_model_of_a_whole_repository(
        self, tmp_path: Path, version: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store(tmp_path / "alone", bias=2.0)
        git(tmp_path / "alone", "init", "--quiet")
        commit_all(tmp_path / "alone")
        monkeypatch.chdir(tmp_path / "alone")
        assert version("HEAD:") == 2
        assert version(":") == 2

    def test_from_a_linked_worktree(
        self,
        root: Path,
        tmp_path: Path,
        version: Callable[[Any], int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        git(root, "worktree", "add", "--quiet", "../linked", "v1")
        monkeypatch.chdir(tmp_path / "linked" / "models")
        assert version("HEAD:./mnist") == 1
        assert version(":models/mnist") == 1  # each worktree has its own index

    def test_from_a_bare_repository(
        self,
        root: Path,
        tmp_path: Path,
        version: Callable[[Any], int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        git(tmp_path, "clone", "--quiet", "--bare", str(root), "bare.git")
        monkeypatch.chdir(tmp_path / "bare.git")
        assert version("v1:models/mnist") == 1
        with pytest.raises(RepositoryError, match=r"^':models/mnist' needs a work tree"):
            kvcs.digest(":models/mnist")

    def test_with_a_directory_that_is_gone_from_the_working_tree(
        self, root: Path, version: Callable[[Any], int]
    ) -> None:
        git(root, "rm", "-r", "--quiet", "--force", "models")
        assert version("v1:models/mnist") == 1

    def test_as_a_path_object(self, version: Callable[[Any], int]) -> None:
        assert version(Path("v1:models/mnist")) == 1

    def test_verifies(self) -> None:
        for operand in ("v1:models/mnist", ":models/mnist", "models/mnist"):
            report = kvcs.verify(operand)
            assert (report.name, report.files, bool(report)) == (operand, 9, True)

    def test_reading_disturbs_nothing(self, root: Path) -> None:
        before = git(root, "status", "--porcelain=v2")
        kvcs.verify("v1:models/mnist")
        assert git(root, "status", "--porcelain=v2") == before


class TestNoModel:
    @pytest.mark.parametrize(
        ("operand", "sentence"),
        [
            ("", "expected a path or REV:DIR, got ''"),
            ("models\0", r"expected a path or REV:DIR, got 'models\x00'"),
            ("HEAD:models\0", r"expected a path or REV:DIR, got 'HEAD:models\x00'"),
            (b"models", "expected a path, REV:DIR or a keras.Model, got bytes"),
            (None, "expected a path, REV:DIR or a keras.Model, got NoneType"),
            (7, "expected a path, REV:DIR or a keras.Model, got int"),
        ],
    )
    def test_what_is_no_name(self, operand: Any, sentence: str) -> None:
        for function in (kvcs.verify, kvcs.digest, kvcs.load):
            with pytest.raises(OperandError, match=f"^{re.escape(sentence)}$"):
                function(operand)

    def test_a_directory_without_a_manifest(self) -> None:
        with pytest.raises(NotAModelError, match=r"^models holds no model: "):
            kvcs.verify("models")

    def test_a_revision_of_one(self) -> None:
        with pytest.raises(NotAModelError, match=r"^HEAD:models holds no model: "):
            kvcs.verify("HEAD:models")

    def test_a_keras_file_has_no_checksums(self) -> None:
        Path("m.keras").touch()
        with pytest.raises(OperandError, match=r"`kvcs export m\.keras DIR` makes a model direct"):
            kvcs.verify("m.keras")

    @pytest.mark.parametrize(
        "operand", ["a" * 300, "a" * 300 + ".keras", "a" * 5000 + ":a", "a/" * 3000]
    )
    def test_names_no_file_system_takes(self, operand: str) -> None:
        for function in (kvcs.verify, kvcs.digest, kvcs.load):
            with pytest.raises(KvcsError):
                function(operand)

    def test_a_link_to_nothing(self) -> None:
        Path("link").symlink_to("nowhere")
        with pytest.raises(OperandError, match=r"^link: no such directory"):
            kvcs.verify("link")

    def test_a_link_to_itself(self) -> None:
        Path("loop").symlink_to("loop")
        with pytest.raises(OperandError):
            kvcs.verify("loop")


def test_nothing_can_be_read_afterwards() -> None:
    with opened("v1:models/mnist") as stored:
        assert stored.name == "v1:models/mnist"
        assert MANIFEST in stored.files
    with pytest.raises(ValueError, match="closed"):
        stored.files[MANIFEST]


class TestSavedFile:
    @pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5"])
    def test_is_told_by_its_name(self, name: str) -> None:
        Path(name).touch()
        assert is_saved_file(name)
        assert is_saved_file(Path(name))

    def test_must_be_a_file(self) -> None:
        Path("directory.keras").mkdir()
        assert not is_saved_file("directory.keras")
        assert not is_saved_file("nowhere.keras")

    def test_may_have_no_other_name(self) -> None:
        Path("m.json").touch()
        assert not is_saved_file("m.json")
        assert not is_saved_file("models/mnist")
        assert not is_saved_file(7)

    def test_a_directory_may_have_the_name_of_one(
        self, root: Path, version: Callable[[Any], int]
    ) -> None:
        store(root / "model.keras", bias=2.0)
        assert version("model.keras") == 2


class TestModelsBelow:
    def test_sorted_and_as_they_are_named_from_here(self, root: Path) -> None:
        store(root / "b")
        store(root / "a/deep/one")
        found = [Path("a/deep/one"), Path("b"), Path("models/mnist")]
        assert models_below(Path()) == found
        assert models_below(root) == [root / path for path in found]

    def test_a_model_in_a_model_belongs_to_it(self, root: Path) -> None:
        store(root / "models/mnist", nested())
        assert models_below(Path()) == [Path("models/mnist")]

    def test_a_model_may_be_named(self) -> None:
        assert models_below(Path("models/mnist")) == [Path("models/mnist")]

    def test_not_in_hidden_directories(self, root: Path) -> None:
        store(root / ".cache/mnist")
        assert models_below(Path()) == [Path("models/mnist")]

    def test_not_what_others_call_model_json(self) -> None:
        Path("web").mkdir()
        Path("web", MANIFEST).write_text('{"format": "layers-model", "weightsManifest": []}')
        Path("layers").mkdir()
        Path(MANIFEST).write_text("{}")
        assert models_below(Path()) == [Path("models/mnist")]

    @pytest.mark.parametrize("content", [b"", b'{"build": ', b"\0" * 100])
    def test_also_what_is_damaged(self, content: bytes) -> None:
        Path("models/mnist", MANIFEST).write_bytes(content)
        assert models_below(Path()) == [Path("models/mnist")]

    def test_also_what_has_no_layers_and_is_damaged(self) -> None:
        for layer in Path("models/mnist").rglob(LAYER):
            layer.unlink()
        manifest = Path("models/mnist", MANIFEST)
        manifest.write_bytes(manifest.read_bytes()[:200])
        assert models_below(Path()) == [Path("models/mnist")]

    def test_a_directory_that_cannot_be_read(self) -> None:
        Path("closed").mkdir(mode=0)
        if os.access("closed", os.R_OK):
            pytest.skip("nothing is closed to this user")
        assert models_below(Path()) == [Path("models/mnist")]
