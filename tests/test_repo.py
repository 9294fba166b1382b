"""git in tests: revisions read as mappings, and commits that take models and nothing else."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gitrepo import begin, commit_all, git, hook, state, write

from kvcs.errors import DamageError, RepositoryError
from kvcs.repo import Repository, RevisionTree, Version

MODEL = {
    "model.json": b'{"format": 1}\n',
    "weights/dense/kernel.npy": bytes(range(256)) * 40,
    "weights/dense/bias.npy": b"",
}


@pytest.fixture
def root(tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one committed model and one other file; the tests run inside of it."""
    root = tmp_path / "project"
    begin(templates / "repo", (root,), lambda: make(root))
    monkeypatch.chdir(root)
    return root


def make(root: Path) -> None:
    write(root / "models/mnist", MODEL)
    write(root, {"README.md": b"Models.\n"})
    git(root, "init", "--quiet")
    commit_all(root, "First")


@pytest.fixture
def unborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without any commit."""
    root = tmp_path / "unborn"
    git(tmp_path, "init", "--quiet", "unborn")
    monkeypatch.chdir(root)
    return root


def read(spec: str) -> dict[str, bytes]:
    with Repository.discover() as repository:
        return dict(repository.revision(spec))


def reading_fails(spec: str) -> str:
    with Repository.discover() as repository, pytest.raises(RepositoryError) as caught:
        repository.revision(spec)
    return str(caught.value)


def commit(*directories: str, message: str = "Train", trailers: object = ()) -> str | None:
    with Repository.discover() as repository:
        return repository.commit([Path(name) for name in directories], message, trailers)  # type: ignore[arg-type]


def commit_fails(*directories: str, message: str = "Train", trailers: object = ()) -> str:
    """Return why a commit was refused, having seen that it disturbed nothing."""
    before = state(Path())
    with pytest.raises(RepositoryError) as caught:
        commit(*directories, message=message, trailers=trailers)
    assert state(Path()) == before
    return str(caught.value)


def changed_by(revision: str = "HEAD") -> list[str]:
    """Name the files that a commit changed, with how it changed them."""
    return git(Path(), "show", "--name-status", "--format=", revision).splitlines()


class TestDiscovery:
    def test_the_root_of_the_work_tree(self, root: Path) -> None:
        with Repository.discover() as repository:
            assert (repository.top, repository.git_dir) == (root, root / ".git")

    def test_a_directory_below_it(self, root: Path) -> None:
        with Repository.discover(root / "models" / "mnist") as repository:
            assert repository.top == root

    def test_a_linked_worktree(self, root: Path, tmp_path: Path) -> None:
        git(root, "worktree", "add", "--quiet", "../other")
        with Repository.discover(tmp_path / "other") as repository:
            assert repository.top == tmp_path / "other"
            assert repository.git_dir == root / ".git" / "worktrees" / "other"
            assert dict(repository.revision("HEAD:models/mnist")) == MODEL

    def test_a_bare_repository_has_no_work_tree(self, root: Path, tmp_path: Path) -> None:
        git(tmp_path, "clone", "--quiet", "--bare", str(root), "bare.git")
        with Repository.discover(tmp_path / "bare.git") as repository:
            assert (repository.top, repository.git_dir) == (None, tmp_path / "bare.git")
            assert dict(repository.revision("main:models/mnist")) == MODEL
            assert [version.subject for version in repository.history(Path("models"))] == ["First"]

    def test_inside_of_the_git_directory_there_is_no_work_tree_either(self, root: Path) -> None:
        with Repository.discover(root / ".git") as repository:
            assert (repository.top, repository.git_dir) == (None, root / ".git")

    def test_a_submodule_is_a_repository_of_its_own(self, root: Path, tmp_path: Path) -> None:
        local = ("-c", "protocol.file.allow=always")
        git(tmp_path, "init", "--quiet", "outer")
        git(tmp_path / "outer", *local, "submodule", "--quiet", "add", str(root), "inner")
        with Repository.discover(tmp_path / "outer" / "inner" / "models") as repository:
            assert repository.top == tmp_path / "outer" / "inner"
            assert repository.git_dir == tmp_path / "outer" / ".git" / "modules" / "inner"

    def test_git_dir_and_git_work_tree_are_honoured(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GIT_DIR", "project/.git")
        monkeypatch.setenv("GIT_WORK_TREE", "project")
        with Repository.discover() as repository:
            assert (repository.top, repository.git_dir) == (root, root / ".git")
            assert dict(repository.revision(":models/mnist")) == MODEL
            write(root / "models/mnist", {"model.json": b"{}\n"})
            assert repository.commit([Path("project/models/mnist")], "From outside")
        assert changed_by() == ["M\tmodels/mnist/model.json"]

    def test_names_that_a_shell_would_expand(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "--quiet", "$HOME ~ [a]*")
        with Repository.discover(tmp_path / "$HOME ~ [a]*") as repository:
            assert repository.top == tmp_path / "$HOME ~ [a]*"

    def test_no_repository(self, tmp_path: Path) -> None:
        with pytest.raises(RepositoryError) as caught:
            Repository.discover(tmp_path)
        assert str(caught.value) == (
            f"There is no git repository in {tmp_path} or above it; "
            "go to the one you mean, or make one with `git init`."
        )

    def test_git_dir_leads_nowhere(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_DIR", "/nowhere")
        with pytest.raises(RepositoryError, match="GIT_DIR says '/nowhere', but"):
            Repository.discover()

    def test_somebody_elses_repository(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        with pytest.raises(RepositoryError, match="--global --add safe"):
            Repository.discover()

    def test_no_such_directory(self, tmp_path: Path) -> None:
        with pytest.raises(RepositoryError, match="gone is no directory that git can work in"):
            Repository.discover(tmp_path / "gone")

    def test_the_current_directory_was_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        with pytest.raises(RepositoryError, match="current directory does not exist"):
            Repository.discover()

    def test_no_git_program(self, tmp_path: Path) -> None:
        script = (
            "from pathlib import Path; from kvcs.errors import RepositoryError\n"
            "from kvcs.repo import Repository\n"
            "try: Repository.discover()\n"
            "except RepositoryError as error: print(error)\n"
        )
        assert run_python(script, PATH=str(tmp_path)) == (
            "There is no git program on PATH; install git 2.31 or newer.\n"
        )


class TestReading:
    @pytest.mark.parametrize(
        "revision",
        [
            "HEAD",
            "@",
            "main",
            "v1",
            "refs/tags/v1",
            "main@{0}",
            "v1^0",
            "HEAD^{/Fir}",
            "HEAD^{tree}",
        ],
    )
    def test_every_spelling_of_a_revision(self, root: Path, revision: str) -> None:
        git(root, "tag", "--annotate", "--message", "One", "v1")
        assert read(f"{revision}:models/mnist") == MODEL

    def test_colons_inside_of_braces_belong_to_the_revision(self, root: Path) -> None:
        git(root, "commit", "--quiet", "--allow-empty", "--message", "fix: it")
        assert read("HEAD^{/fix: it}:models/mnist") == MODEL
        assert read("main@{2038-01-01 12:30:00}:models/mnist") == MODEL

    def test_an_older_revision_keeps_its_contents(self, root: Path) -> None:
        first = git(root, "rev-parse", "--short", "HEAD")
        write(root / "models/mnist", {"model.json": b"{}\n", "new.json": b""})
        commit_all(root)
        assert read(f"{first}:models/mnist") == MODEL
        assert read("HEAD~1:models/mnist") == MODEL
        assert read("HEAD:models/mnist") == {**MODEL, "model.json": b"{}\n", "new.json": b""}

    def test_the_index(self, root: Path) -> None:
        write(root / "models/mnist", {"model.json": b"staged\n"})
        git(root, "add", "models")
        write(root / "models/mnist", {"model.json": b"not staged\n", "untracked.json": b""})
        assert read(":models/mnist") == {**MODEL, "model.json": b"staged\n"}

    def test_an_empty_directory_is_the_root(self, root: Path) -> None:
        names = ["README.md", *(f"models/mnist/{name}" for name in sorted(MODEL))]
        assert list(read("HEAD:")) == names
        assert list(read(":")) == names

    @pytest.mark.parametrize(
        ("start", "spec", "description"),
        [
            (".", "HEAD:models/mnist/", "HEAD:models/mnist"),
            ("models", "HEAD:models/mnist", "HEAD:models/mnist"),
            ("models", "HEAD:./mnist", "HEAD:models/mnist"),
            ("models", ":./mnist/", ":models/mnist"),
            ("models/mnist", "HEAD:.", "HEAD:models/mnist"),
            ("models/mnist", "HEAD:./", "HEAD:models/mnist"),
            ("models/mnist", ":../mnist", ":models/mnist"),
            ("models/mnist/weights", "HEAD:..", "HEAD:models/mnist"),
        ],
    )
    def test_paths_begin_at_the_root_or_with_a_dot_here(
        self, root: Path, start: str, spec: str, description: str
    ) -> None:
        with Repository.discover(root / start) as repository:
            tree = repository.revision(spec)
            assert tree.description == description
            assert dict(tree) == MODEL

    def test_sha256(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(tmp_path, "init", "--quiet", "--object-format=sha256", "project")
        write(tmp_path / "project/models/mnist", MODEL)
        monkeypatch.chdir(tmp_path / "project")
        assert len(commit("models/mnist") or "") == 64
        assert read("HEAD:models/mnist") == read(":models/mnist") == MODEL
        with Repository.discover() as repository:
            [version] = repository.history(Path("models/mnist"))
            assert version.hash == repository.resolve("HEAD")

    def test_packed_objects(self, root: Path) -> None:
        git(root, "gc", "--quiet")
        assert read("HEAD:models/mnist") == MODEL

    def test_names_with_a_meaning_for_git_or_the_shell(self, root: Path) -> None:
        names = ["a b.json", "*.json", "[x].json", "ß/日本.json", 'q"uote.json', "new\nline", ":a"]
        files = {name: name.encode() for name in names}
        write(root / "models/:(top) *", files)
        write(root / "models/:(top) x", {"other.json": b""})
        assert commit("models/:(top) *")
        assert len(changed_by()) == len(files)
        assert read("HEAD:models/:(top) *") == read(":models/:(top) *") == files

    def test_a_git_lfs_pointer_is_a_file_like_any_other(self, root: Path) -> None:
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
        write(root / "models/mnist", {"weights/dense/kernel.npy": pointer})
        commit_all(root)
        assert read("HEAD:models/mnist")["weights/dense/kernel.npy"] == pointer

    def test_contents_do_not_pass_the_filters_of_the_work_tree(self, root: Path) -> None:
        git(root, "config", "core.autocrlf", "true")
        assert read("HEAD:models/mnist") == read(":models/mnist") == MODEL


class TestRevisionTree:
    @pytest.fixture
    def tree(self, root: Path):  # type: ignore[no-untyped-def]
        with Repository.discover() as repository:
            yield repository.revision("HEAD:models/mnist")

    def test_it_is_a_sorted_mapping(self, tree: RevisionTree) -> None:
        assert list(tree) == sorted(MODEL)
        assert len(tree) == len(MODEL)
        assert tree == MODEL
        assert repr(tree) == "<RevisionTree HEAD:models/mnist>"

    def test_a_missing_file(self, tree: RevisionTree) -> None:
        assert "weights" not in tree
        assert "model.json" in tree
        with pytest.raises(KeyError):
            tree["weights"]
        assert tree.get("nothing") is None

    def test_a_snapshot_stays_what_it_was(self, tree: RevisionTree, root: Path) -> None:
        write(root / "models/mnist", {"model.json": b"{}\n"})
        commit_all(root)
        assert tree == MODEL

    def test_a_commit_can_be_read_at_once(self, root: Path) -> None:
        with Repository.discover() as repository:
            assert dict(repository.revision("HEAD:models/mnist")) == MODEL
            write(root / "models/mnist", {"model.json": b"{}\n"})
            repository.commit([Path("models")], "Train")
            assert repository.revision("HEAD:models/mnist")["model.json"] == b"{}\n"

    def test_a_closed_repository_reads_no_more(self, root: Path) -> None:
        with Repository.discover() as repository:
            tree = repository.revision("HEAD:models/mnist")
        with pytest.raises(ValueError, match="closed"):
            tree["model.json"]

    def test_a_lost_object_is_an_error_of_that_file_only(self, root: Path) -> None:
        lost = git(root, "rev-parse", "HEAD:models/mnist/model.json")
        (root / ".git/objects" / lost[:2] / lost[2:]).unlink()
        with Repository.discover() as repository:
            tree = repository.revision("HEAD:models/mnist")
            with pytest.raises(RepositoryError, match=f"cannot read its object {lost}; `git fsck`"):
                tree["model.json"]
            assert tree["weights/dense/bias.npy"] == b""

    def test_a_corrupt_object(self, root: Path) -> None:
        bad = git(root, "rev-parse", "HEAD:models/mnist/weights/dense/kernel.npy")
        path = root / ".git/objects" / bad[:2] / bad[2:]
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:40])
        with Repository.discover() as repository:
            tree = repository.revision("HEAD:models/mnist")
            with pytest.raises(RepositoryError, match="`git fsck`"):
                tree["weights/dense/kernel.npy"]
            assert tree["model.json"] == MODEL["model.json"]

    def test_a_symbolic_link_is_damage(self, root: Path) -> None:
        (root / "models/mnist/link.json").symlink_to("model.json")
        commit_all(root)
        for spec in ("HEAD:models/mnist", ":models/mnist"):
            with Repository.discover() as repository, pytest.raises(DamageError) as caught:
                repository.revision(spec)
            assert str(caught.value) == f"{spec}: 'link.json' is a symbolic link, not a file"

    def test_a_submodule_is_damage(self, root: Path) -> None:
        git(root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},models/mnist/sub")
        with Repository.discover() as repository, pytest.raises(DamageError) as caught:
            repository.revision(":models/mnist")
        assert str(caught.value) == ":models/mnist: 'sub' is a submodule, not a file"

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
    def test_a_name_that_is_not_utf8_is_damage(self, root: Path) -> None:
        (root / "models/mnist" / os.fsdecode(b"caf\xe9.npy")).touch()
        commit_all(root)
        with Repository.discover() as repository, pytest.raises(DamageError) as caught:
            repository.revision("HEAD:models/mnist")
        assert str(caught.value) == r"HEAD:models/mnist: the name 'caf\xe9.npy' is not UTF-8"


class TestReadingLeavesNoTrace:
    def test_neither_in_the_index_nor_in_the_work_tree(self, root: Path) -> None:
        write(root, {"README.md": b"Changed.\n", "staged.txt": b"", "untracked.txt": b""})
        git(root, "add", "staged.txt")
        os.utime(root / "models/mnist/model.json", (1, 1))  # stale in the index
        before = state(root)
        index = (root / ".git/index").stat()
        with Repository.discover() as repository:
            for spec in ("HEAD:models/mnist", ":models/mnist", "HEAD:", ":"):
                dict(repository.revision(spec))
            repository.history(Path("models/mnist"))
            repository.resolve("main")
        assert state(root) == before
        assert (root / ".git/index").stat() == index

    def test_no_process_stays_and_nothing_stays_open(self, root: Path) -> None:
        script = (
            "import gc, os\n"
            "from kvcs.repo import Repository\n"
            "with Repository.discover() as repository:\n"
            "    tree = repository.revision('HEAD:models/mnist')\n"
            "    assert len(tree['weights/dense/kernel.npy']) == 256 * 40\n"
            "careless = Repository.discover()\n"
            "careless.revision('HEAD:models/mnist')['model.json']\n"
            "del careless; gc.collect()\n"
            "try: os.waitpid(-1, os.WNOHANG); print('a child is left')\n"
            "except ChildProcessError: print('alone')\n"
        )
        assert run_python(script) == "alone\n"

    def test_one_process_reads_all_blobs(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        numbers = {f"{number}.npy": b"%d" % number + bytes(300) for number in range(200)}
        write(root / "models/large", numbers)
        commit_all(root)
        git(root, "repack", "-q", "-a", "-d")  # makes deltas, which kvcs does not read itself
        trace = tmp_path / "trace"
        monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
        with Repository.discover() as repository:
            assert len(dict(repository.revision("HEAD:models/large"))) == 200
            assert dict(repository.revision("HEAD:models/mnist")) == MODEL
        events = [json.loads(line) for line in trace.read_text().splitlines()]
        started = [event["argv"][1] for event in events if event["event"] == "start"]
        ours = [command for command in started if command != "version"]  # GitPython's, at import
        assert ours == ["rev-parse", "ls-tree", "cat-file", "ls-tree"]

    def test_importing_the_package_does_not_import_gitpython(self) -> None:
        assert run_python("import sys, kvcs.repo; print('git' in sys.modules)") == "False\n"


class TestNoSuchRevision:
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("nope:models", "There is no revision 'nope' in this repository."),
            ("HEAD~7:models", "There is no revision 'HEAD~7' in this repository."),
            ("main..main:models", "There is no revision 'main..main' in this repository."),
            ("HEAD", "'HEAD' names no directory; write 'HEAD:DIR'."),
            ("HEAD:no/model", "There is no directory 'no/model' in revision 'HEAD'."),
            (":no/model", "There is no directory 'no/model' in the index."),
            (
                "HEAD:README.md",
                "'HEAD:README.md' is a file; name the directory that holds the model.",
            ),
            (":README.md", "':README.md' is a file; name the directory that holds the model."),
            ("HEAD:README.md/x", "There is no directory 'README.md/x' in revision 'HEAD'."),
            ("HEAD:/models", "'/models' is absolute; write it as seen from the repository root."),
            (":/First", "'/First' is absolute; write it as seen from the repository root."),
            ("HEAD:../models", "'../models' leads out of the repository."),
            (":2:models", "':2:models' is one side of a merge; kvcs reads ':DIR' only."),
        ],
    )
    def test_each_is_one_sentence(self, root: Path, spec: str, message: str) -> None:
        assert reading_fails(spec) == message

    @pytest.mark.parametrize("revision", ["--output=/tmp/x", "-o", "--all", "--"])
    def test_a_revision_is_never_an_option(self, root: Path, revision: str) -> None:
        message = f"'{revision}' is no revision: no name in git begins with '-'."
        assert reading_fails(f"{revision}:models") == message
        with Repository.discover() as repository, pytest.raises(RepositoryError) as caught:
            repository.resolve(revision)
        assert str(caught.value) == message

    def test_a_directory_that_was_not_committed(self, root: Path) -> None:
        write(root / "models/new", MODEL)
        assert reading_fails("HEAD:models/new") == (
            "There is no directory 'models/new' in revision 'HEAD'; "
            "it exists in the working tree, but is not committed there."
        )
        assert reading_fails(":models/new") == (
            "There is no directory 'models/new' in the index; "
            "it exists in the working tree, but was never added to it."
        )

    def test_a_path_from_here_instead_of_the_root(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(root / "models")
        assert reading_fails("HEAD:mnist") == (
            "There is no directory 'mnist' in revision 'HEAD'; did you mean 'HEAD:./mnist'?"
        )

    def test_a_link_or_a_submodule_instead_of_a_directory(self, root: Path) -> None:
        (root / "current").symlink_to("models/mnist")
        git(root, "add", "current")
        git(root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
        git(root, "commit", "--quiet", "--message", "Odd")
        for spec in ("HEAD:current", ":current"):
            assert reading_fails(spec).startswith(f"'{spec}' is a symbolic link; name the")
        for spec in ("HEAD:sub", ":sub"):
            assert reading_fails(spec).startswith(f"'{spec}' is a submodule; name the")

    def test_no_commit_yet(self, unborn: Path) -> None:
        write(unborn / "models/mnist", MODEL)
        message = "'HEAD' names nothing yet: branch 'main' has no commit."
        assert reading_fails("HEAD:models/mnist") == message
        with Repository.discover() as repository:
            for question in (
                lambda: repository.resolve("HEAD"),
                lambda: repository.history(Path("models/mnist")),
            ):
                with pytest.raises(RepositoryError) as caught:
                    question()
                assert str(caught.value) == message
        git(unborn, "add", "models")
        assert read(":models/mnist") == MODEL

    def test_a_name_of_both_a_branch_and_a_tag(self, root: Path) -> None:
        git(root, "branch", "both")
        git(root, "tag", "both")
        assert reading_fails("both:models") == (
            "'both' is ambiguous; write 'refs/tags/NAME', 'refs/heads/NAME' or a longer hash."
        )
        with Repository.discover() as repository, pytest.raises(RepositoryError, match="ambiguous"):
            repository.resolve("both")
        assert read("refs/heads/both:models/mnist") == MODEL

    def test_a_hash_that_is_too_short(self, root: Path) -> None:
        first = git(root, "cat-file", "commit", "HEAD").encode()
        short = git(root, "rev-parse", "HEAD")[:4]
        candidates = (b"%s%d\n" % (first, number) for number in itertools.count())
        second = next(text for text in candidates if commit_hash(text).startswith(short))
        git(root, "hash-object", "-t", "commit", "-w", "--stdin", stdin=second)
        assert reading_fails(f"{short}:models/mnist").startswith(f"'{short}' is ambiguous;")

    def test_unmerged_entries(self, root: Path) -> None:
        conflict(root, "models/mnist/model.json", "merge", "other")
        assert reading_fails(":models/mnist") == (
            "':models/mnist' is unmerged; resolve its conflicts and `git add` the result first."
        )
        assert reading_fails(":").startswith("':' is unmerged")
        assert read(":models/mnist/weights")

    def test_a_bare_repository_has_no_index(self, root: Path, tmp_path: Path) -> None:
        bare = tmp_path / "bare.git"
        git(tmp_path, "clone", "--quiet", "--bare", str(root), "bare.git")
        with Repository.discover(bare) as repository:
            for spec in (":models", "HEAD:./models"):
                with pytest.raises(RepositoryError) as caught:
                    repository.revision(spec)
                assert str(caught.value) == f"'{spec}' needs a work tree, and {bare} has none here."


def test_resolve_gives_the_hash_of_the_commit(root: Path) -> None:
    head = git(root, "rev-parse", "HEAD")
    git(root, "tag", "--annotate", "--message", "One", "v1")
    with Repository.discover() as repository:
        assert {repository.resolve(rev) for rev in ("HEAD", "v1", "main", head[:8])} == {head}
        with pytest.raises(RepositoryError, match="no revision 'HEAD:models'"):
            repository.resolve("HEAD:models")


class TestCreate:
    def test_in_an_empty_directory(self, tmp_path: Path) -> None:
        directory = tmp_path / "a new one"
        directory.mkdir()
        with Repository.create(directory) as repository:
            assert repository.top == directory
            write(directory / "models/mnist", MODEL)
            first = repository.commit([Path("models/mnist")], "First")
        assert git(directory, "rev-parse", "HEAD") == first

    def test_inside_of_another_repository(self, root: Path) -> None:
        (root / "inner").mkdir()
        with Repository.create(Path("inner")) as repository:
            assert repository.top == root / "inner"

    def test_not_where_git_dir_leads(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_DIR", "elsewhere")
        with pytest.raises(RepositoryError) as caught:
            Repository.create(tmp_path)
        assert str(caught.value) == (
            f"GIT_DIR says 'elsewhere', so git would make no repository in {tmp_path}; "
            "unset it first."
        )
        assert list(tmp_path.iterdir()) == []

    def test_not_in_a_directory_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(RepositoryError, match="missing is no directory that git can work in"):
            Repository.create(tmp_path / "missing")


class TestTag:
    def test_names_the_commit_that_head_is_at(self, root: Path) -> None:
        git(root, "config", "tag.gpgSign", "true")
        git(root, "config", "gpg.program", "false")
        with Repository.discover() as repository:
            repository.tag("v1")
        assert git(root, "rev-parse", "v1") == git(root, "rev-parse", "HEAD")

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("v1", "tag 'v1' already exists"),
            ("v 1", "'v 1' is not a valid tag name."),
            ("-d", "'-d' is not a valid tag name."),
        ],
    )
    def test_names_that_git_does_not_take(self, root: Path, name: str, reason: str) -> None:
        git(root, "tag", "v1")
        with Repository.discover() as repository, pytest.raises(RepositoryError) as caught:
            repository.tag(name)
        assert str(caught.value) == f"git tag failed: {reason}"
        assert git(root, "tag") == "v1"

    def test_without_a_commit(self, unborn: Path) -> None:
        with Repository.discover() as repository, pytest.raises(RepositoryError, match="HEAD"):
            repository.tag("v1")


class TestIdentity:
    def test_from_the_environment(self, root: Path) -> None:
        with Repository.discover() as repository:
            assert repository.has_identity()

    @pytest.mark.parametrize("who", ["AUTHOR", "COMMITTER"])
    def test_without_one_it_can_be_set_for_this_repository_alone(
        self, root: Path, sealed: Path, monkeypatch: pytest.MonkeyPatch, who: str
    ) -> None:
        for name in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{who}_{name}")
        git(root, "config", "user.useConfigOnly", "true")
        settings = (sealed / ".gitconfig").read_text()
        with Repository.discover() as repository:
            assert not repository.has_identity()
            repository.set_identity("Bob Example", "bob@example.org")
            assert repository.has_identity()
            write(root / "models/mnist", {"model.json": b"{}\n"})
            assert repository.commit([Path("models/mnist")], "By Bob")
        letter = "a" if who == "AUTHOR" else "c"
        shown = git(root, "log", "-1", f"--format=%{letter}n <%{letter}e>")
        assert shown == "Bob Example <bob@example.org>"
        assert (sealed / ".gitconfig").read_text() == settings


class TestHistory:
    def test_commits_that_touched_the_directory_newest_first(self, root: Path) -> None:
        first = git(root, "rev-parse", "HEAD")
        write(root, {"README.md": b"Not a model.\n"})
        commit_all(root, "Elsewhere")
        write(root / "models/mnist", {"model.json": b"{}\n"})
        trailers = [("Accuracy", "0.98"), ("Trained-on", "two GPUs: A and B"), ("Accuracy", "0.99")]
        second = commit("models/mnist", message="Train\nmore\n\nBody.", trailers=trailers)
        with Repository.discover(root / "models") as repository:
            assert repository.history(Path("mnist")) == [
                Version(
                    hash=second or "",
                    abbrev=git(root, "rev-parse", "--short", "HEAD"),
                    author="Ada Example",
                    date="2026-01-02T03:04:05+00:00",
                    subject="Train more",
                    trailers=tuple(trailers),
                    path="models/mnist",
                    parents=(first,),
                ),
                Version(
                    hash=first,
                    abbrev=git(root, "rev-parse", "--short", first),
                    author="Ada Example",
                    date="2026-01-02T03:04:05+00:00",
                    subject="First",
                    trailers=(),
                    path="models/mnist",
                ),
            ]
            newest = repository.history(Path("mnist"), limit=1)
            assert [version.hash for version in newest] == [second]
            older = repository.history(Path("mnist"), revision="HEAD~1")
            assert [version.hash for version in older] == [first]

    def test_a_directory_that_was_removed_or_never_was(self, root: Path) -> None:
        git(root, "rm", "-r", "--quiet", "models/mnist")
        git(root, "commit", "--quiet", "--message", "Remove")
        with Repository.discover() as repository:
            subjects = [version.subject for version in repository.history(Path("models/mnist"))]
            assert subjects == ["Remove", "First"]
            assert repository.history(Path("models/never")) == []

    def test_settings_for_people_do_not_disturb_it(self, root: Path) -> None:
        for setting in ("log.showSignature=true", "log.follow=true", "color.ui=always"):
            git(root, "config", *setting.split("="))
        git(root, "config", "i18n.logOutputEncoding", "latin1")
        write(root / "models/mnist", {"model.json": b"{}\n"})
        commit("models/mnist", message="Größer")
        with Repository.discover() as repository:
            subjects = [version.subject for version in repository.history(Path("models/mnist"))]
        assert subjects == ["Größer", "First"]


class TestCommit:
    def test_takes_new_changed_and_removed_files(self, root: Path) -> None:
        write(root / "models/mnist", {"model.json": b"{}\n", "weights/new.npy": b"1"})
        (root / "models/mnist/weights/dense/bias.npy").unlink()
        revision = commit("models/mnist", message="Train")
        assert revision == git(root, "rev-parse", "HEAD")
        assert changed_by() == [
            "M\tmodels/mnist/model.json",
            "D\tmodels/mnist/weights/dense/bias.npy",
            "A\tmodels/mnist/weights/new.npy",
        ]
        assert git(root, "status", "--porcelain") == ""
        assert state(root)[2] == ["index"]

    def test_leaves_all_other_work_as_it_is(self, root: Path) -> None:
        write(root, {"staged.txt": b"1\n", "README.md": b"Staged.\n"})
        git(root, "add", "staged.txt", "README.md")
        write(root, {"README.md": b"Not staged.\n", "untracked.txt": b""})
        write(root / "models/mnist2", {"model.json": b"a neighbour with a longer name\n"})
        write(root / "models/mnist", {"model.json": b"{}\n"})
        assert commit("models/mnist")
        assert changed_by() == ["M\tmodels/mnist/model.json"]
        assert git(root, "status", "--porcelain").splitlines() == [
            "MM README.md",
            "A  staged.txt",
            "?? models/mnist2/",
            "?? untracked.txt",
        ]
        assert git(root, "show", ":README.md") == "Staged."

    def test_takes_what_is_in_the_work_tree_not_what_was_staged(self, root: Path) -> None:
        write(root / "models/mnist", {"model.json": b"staged\n", "forgotten.json": b""})
        git(root, "add", "models")
        write(root / "models/mnist", {"model.json": b"newer\n"})
        (root / "models/mnist/forgotten.json").unlink()
        assert commit("models/mnist")
        assert read("HEAD:models/mnist") == read(":models/mnist")
        assert read("HEAD:models/mnist") == {**MODEL, "model.json": b"newer\n"}

    def test_several_directories_make_one_commit(self, root: Path) -> None:
        for name in ("a", "b", "c"):
            write(root / "models" / name, {"model.json": name.encode()})
        assert commit("models/a", "models/c")
        assert changed_by() == ["A\tmodels/a/model.json", "A\tmodels/c/model.json"]

    def test_nothing_changed_makes_no_commit(self, root: Path) -> None:
        write(root, {"staged.txt": b""})
        git(root, "add", "staged.txt")
        before = state(root)
        head = git(root, "rev-parse", "HEAD")
        assert commit("models/mnist") is None
        assert commit() is None
        assert state(root) == before
        assert git(root, "rev-parse", "HEAD") == head

    def test_the_whole_repository_can_be_the_model(self, root: Path) -> None:
        write(root, {"README.md": b"Changed.\n", "new.json": b""})
        assert commit(".")
        assert changed_by() == ["M\tREADME.md", "A\tnew.json"]

    def test_from_below_with_paths_from_there(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(root / "models/mnist", {"model.json": b"{}\n"})
        write(root / "models/other", {"model.json": b"{}\n"})
        monkeypatch.chdir(root / "models/mnist")
        assert commit(".", "../other")
        assert changed_by() == ["M\tmodels/mnist/model.json", "A\tmodels/other/model.json"]

    def test_a_linked_directory_means_the_model_behind_it(self, root: Path) -> None:
        (root / "current").symlink_to("models/mnist")
        write(root / "models/mnist", {"model.json": b"{}\n"})
        assert commit("current")
        assert changed_by() == ["M\tmodels/mnist/model.json"]

    def test_the_first_commit_of_a_repository(self, unborn: Path) -> None:
        write(unborn / "models/mnist", MODEL)
        write(unborn, {"staged.txt": b""})
        git(unborn, "add", "staged.txt")
        assert commit("models/mnist")
        assert read("HEAD:") == {f"models/mnist/{name}": data for name, data in MODEL.items()}
        assert git(unborn, "status", "--porcelain") == "A  staged.txt"

    def test_the_first_commit_without_any_index(self, unborn: Path) -> None:
        write(unborn / "models/mnist", MODEL)
        assert not (unborn / ".git/index").exists()
        assert commit("models/mnist")
        assert git(unborn, "status", "--porcelain") == ""

    def test_a_detached_head(self, root: Path) -> None:
        git(root, "checkout", "--quiet", "--detach")
        write(root / "models/mnist", {"model.json": b"{}\n"})
        assert commit("models/mnist") == git(root, "rev-parse", "HEAD")
        assert git(root, "rev-parse", "main") == git(root, "rev-parse", "HEAD~1")

    def test_a_linked_worktree(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(root, "worktree", "add", "--quiet", "../other")
        before = state(root)[0]
        monkeypatch.chdir(tmp_path / "other")
        write(tmp_path / "other/models/mnist", {"model.json": b"{}\n"})
        assert commit("models/mnist") == git(root, "rev-parse", "other")
        assert git(tmp_path / "other", "status", "--porcelain") == ""
        assert state(root)[0] == before

    def test_an_index_of_the_users_own(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ordinary = (root / ".git/index").read_bytes()
        monkeypatch.setenv("GIT_INDEX_FILE", ".git/mine")
        git(root, "read-tree", "HEAD")
        write(root / "models/mnist", {"model.json": b"{}\n"})
        monkeypatch.chdir(root / "models")
        assert commit("mnist")
        assert git(root, "status", "--porcelain") == ""
        assert (root / ".git/index").read_bytes() == ordinary

    def test_a_removed_model(self, root: Path) -> None:
        git(root, "mv", "models/mnist", "models/old")
        git(root, "commit", "--quiet", "--message", "Move")
        for path in sorted((root / "models/old").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (root / "models/old").rmdir()
        assert commit("models/old")
        assert {line[0] for line in changed_by()} == {"D"}
        assert git(root, "status", "--porcelain") == ""

    def test_a_model_removed_by_git_rm(self, root: Path) -> None:
        git(root, "rm", "-r", "--quiet", "models/mnist")
        assert commit("models/mnist")
        assert [line[0] for line in changed_by()] == ["D", "D", "D"]
        assert git(root, "status", "--porcelain") == ""

    def test_weights_are_stored_without_deflating_them(self, root: Path) -> None:
        size = 600 * 1024
        write(root / "models/mnist", {"weights/dense/kernel.npy": bytes(size)})
        commit("models/mnist")
        name = b"HEAD:models/mnist/weights/dense/kernel.npy"
        stored = git(root, "cat-file", "--batch-check=%(objectsize:disk)", stdin=name)
        assert size <= int(stored) < size * 1.01

    def test_conflicts_elsewhere_stay_conflicts(self, root: Path) -> None:
        conflicting_stash(root, "README.md")
        write(root / "models/mnist", {"model.json": b"{}\n"})
        assert commit("models/mnist")
        assert changed_by() == ["M\tmodels/mnist/model.json"]
        assert git(root, "status", "--porcelain") == "UU README.md"

    def test_desktop_litter_that_is_ignored_stays_out(self, root: Path) -> None:
        write(root / ".git", {"info/exclude": b".DS_Store\n.ipynb_checkpoints/\n"})
        litter = {".DS_Store": b"", ".ipynb_checkpoints/x.json": b""}
        write(root / "models/mnist", {"model.json": b"{}\n", **litter})
        assert commit("models/mnist")
        assert changed_by() == ["M\tmodels/mnist/model.json"]


class TestMessages:
    @pytest.mark.parametrize(
        ("message", "whole"),
        [
            ("Train", "Train\n\nLoss: 0.1\nRun: a=b: c\n"),
            ("fix: train", "fix: train\n\nLoss: 0.1\nRun: a=b: c\n"),
            ("Train\n\nLonger.\n\n", "Train\n\nLonger.\n\nLoss: 0.1\nRun: a=b: c\n"),
            (
                "Train\n\nSigned-off-by: Ada <a@b>",
                "Train\n\nSigned-off-by: Ada <a@b>\nLoss: 0.1\nRun: a=b: c\n",
            ),
            ("Größer\n\n---\nx", "Größer\n\n---\nx\n\nLoss: 0.1\nRun: a=b: c\n"),
            ("Train\n\n# of layers", "Train\n\n# of layers\n\nLoss: 0.1\nRun: a=b: c\n"),
        ],
    )
    def test_trailers_make_one_block_at_the_end(self, root: Path, message: str, whole: str) -> None:
        trailers = [("Loss", "0.1"), ("Run", "a=b: c")]
        write(root / "models/mnist", {"model.json": b"{}\n"})
        commit("models/mnist", message=message, trailers=trailers)
        assert git(root, "log", "-1", "--format=%B") == whole
        with Repository.discover() as repository:
            assert repository.history(Path("models"))[0].trailers[-2:] == tuple(trailers)

    def test_without_trailers_the_message_stays_as_it_is(self, root: Path) -> None:
        write(root / "models/mnist", {"model.json": b"{}\n"})
        commit("models/mnist", message="--amend\n\n# not a comment")
        assert git(root, "log", "-1", "--format=%B") == "--amend\n\n# not a comment\n"

    @pytest.mark.parametrize("message", ["", " \n\n"])
    def test_an_empty_message(self, root: Path, message: str) -> None:
        write(root / "models/mnist", {"model.json": b"{}\n"})
        assert commit_fails("models/mnist", message=message) == (
            "The commit message is empty; say what this version of the model is."
        )

    @pytest.mark.parametrize(
        ("key", "value", "reason"),
        [
            ("Loss", "0.1\nEvil: yes", "The value of trailer 'Loss' has more than one line."),
            ("Loss", "0.1\n", "The value of trailer 'Loss' has more than one line."),
            ("Loss", "a\rb", "The value of trailer 'Loss' has more than one line."),
            ("Loss", " ", "The value of trailer 'Loss' is empty."),
            ("Two words", "x", "'Two words' cannot name a trailer: use letters, digits and"),
            ("", "x", "'' cannot name a trailer: use letters, digits and '-' only."),
        ],
    )
    def test_a_trailer_that_would_not_read_back(
        self, root: Path, key: str, value: str, reason: str
    ) -> None:
        write(root / "models/mnist", {"model.json": b"{}\n"})
        assert commit_fails("models/mnist", trailers=[(key, value)]).startswith(reason)


class TestRefusedCommits:
    @pytest.fixture(autouse=True)
    def changed(self, root: Path) -> None:
        """A changed model, and other work under way that must survive the refusal."""
        write(root / "models/mnist", {"model.json": b"{}\n", "new.json": b""})
        write(root, {"staged.txt": b""})
        git(root, "add", "staged.txt")

    def test_outside_of_the_work_tree(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        assert commit_fails("../elsewhere") == (
            f"../elsewhere is outside of the repository in {root}."
        )

    def test_neither_there_nor_tracked(self, root: Path) -> None:
        reason = "'models/never' does not exist, and git does not track it."
        assert commit_fails("models/never") == reason
        assert commit_fails("models/mnist", "models/never") == reason

    def test_a_file(self, root: Path) -> None:
        assert commit_fails("README.md") == (
            "'README.md' is a file; name the directory that holds the model."
        )

    def test_an_empty_directory(self, root: Path) -> None:
        (root / "models/empty").mkdir()
        assert commit_fails("models/empty") == (
            "'models/empty' holds no files; there is nothing to commit."
        )

    def test_a_directory_of_another_repository(self, root: Path) -> None:
        git(root, "init", "--quiet", "inner")
        write(root / "inner/models/x", MODEL)
        assert commit_fails("inner/models/x") == (
            "'inner/models/x' belongs to another repository, in 'inner'."
        )

    def test_a_bare_repository(self, root: Path, tmp_path: Path) -> None:
        git(tmp_path, "clone", "--quiet", "--bare", str(root), "bare.git")
        bare = tmp_path / "bare.git"
        with Repository.discover(bare) as repository, pytest.raises(RepositoryError) as caught:
            repository.commit([Path("models/mnist")], "Train")
        assert str(caught.value) == f"{bare} has no work tree here, so nothing to commit from."

    @pytest.mark.parametrize(
        ("ignore_file", "rule"),
        [
            (".gitignore", "models/new/"),
            ("models/.gitignore", "*.npy"),
            (".git/info/exclude", "weights"),
        ],
    )
    def test_ignored_files(self, root: Path, ignore_file: str, rule: str) -> None:
        write(root / "models/new", {"weights/kernel.npy": b"1"})
        write(root, {ignore_file: f"# weights are large\n{rule}\n".encode()})
        assert commit_fails("models/new") == (
            "git would leave out 'models/new/weights/kernel.npy': it is ignored by the rule "
            f"'{rule}' in {ignore_file}, line 2. Change that rule, then commit again."
        )

    def test_ignored_files_that_git_tracks_all_the_same(self, root: Path) -> None:
        write(root, {".gitignore": b"model.json\n"})
        assert commit("models/mnist")
        assert "M\tmodels/mnist/model.json" in changed_by()

    @pytest.mark.parametrize(
        ("command", "name"),
        [
            (["merge", "other"], "A merge is under way; finish it first, or `git merge --abort`."),
            (
                ["rebase", "other"],
                "A rebase is under way; finish it first, or `git rebase --abort`.",
            ),
            (
                ["rebase", "--apply", "other"],
                "A rebase is under way; finish it first, or `git rebase --abort`.",
            ),
            (
                ["cherry-pick", "other"],
                "A cherry-pick is under way; finish it first, or `git cherry-pick --abort`.",
            ),
            (
                ["revert", "HEAD~1"],
                "A revert is under way; finish it first, or `git revert --abort`.",
            ),
        ],
    )
    def test_something_else_under_way(self, root: Path, command: list[str], name: str) -> None:
        git(root, "stash", "--quiet")
        conflict(root, "notes.txt", *command)
        write(root / "models/mnist", {"model.json": b"{}\n"})
        assert commit_fails("models/mnist") == name

    def test_conflicts_in_the_model(self, root: Path) -> None:
        conflicting_stash(root, "models/mnist/model.json")
        assert commit_fails("models/mnist") == (
            "'models/mnist/model.json' has conflicts; resolve them, "
            "`git add` the result, then commit again."
        )

    def test_nobody_to_commit_as(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_AUTHOR_{name}")
            monkeypatch.delenv(f"GIT_COMMITTER_{name}")
        git(root, "config", "user.useConfigOnly", "true")
        assert commit_fails("models/mnist") == (
            "git does not know who commits; run `git config --global user.name 'Your Name'` "
            "and `git config --global user.email 'you@example.org'`, then commit again."
        )
        git(root, "config", "user.name", "Bob")
        git(root, "config", "user.email", "bob@example.org")
        assert commit("models/mnist")
        assert git(root, "log", "-1", "--format=%an <%ae>") == "Bob <bob@example.org>"

    def test_a_signature_that_fails(self, root: Path) -> None:
        git(root, "config", "commit.gpgSign", "true")
        git(root, "config", "gpg.program", "false")
        assert commit_fails("models/mnist") == "git did not commit: gpg failed to sign the data"

    def test_an_index_that_is_locked(self, root: Path) -> None:
        lock = root / ".git/index.lock"
        lock.touch()
        reason = commit_fails("models/mnist")
        assert reason.startswith(f"{lock} exists: another git is at work in this repository.")

    @pytest.mark.parametrize("name", ["pre-commit", "prepare-commit-msg", "commit-msg"])
    def test_a_hook_that_refuses(self, root: Path, name: str) -> None:
        hook(root, name, "echo 'kernel.npy: too large'; echo 'error: see above' >&2; exit 3")
        assert commit_fails("models/mnist") == (
            f"The repository's hook {name} refused the commit:\n"
            "  kernel.npy: too large\n"
            "  error: see above"
        )

    def test_a_hook_that_refuses_with_many_words(self, root: Path) -> None:
        hook(root, "pre-commit", "seq 100; exit 1")
        lines = commit_fails("models/mnist").splitlines()
        assert lines[1:] == [f"  {number}" for number in range(91, 101)]

    def test_a_hook_that_refuses_without_a_word(self, root: Path) -> None:
        hook(root, "pre-commit", "exit 1")
        assert commit_fails("models/mnist") == (
            "The repository's hook pre-commit refused the commit: (it said nothing)"
        )

    def test_the_first_commit_of_all(self, unborn: Path) -> None:
        write(unborn / "models/mnist", MODEL)
        hook(unborn, "pre-commit", "exit 1")
        assert "pre-commit refused" in commit_fails("models/mnist")
        assert not (unborn / ".git/index").exists()


class TestHooks:
    def test_they_see_the_commit_as_it_will_be(self, root: Path) -> None:
        write(root, {"staged.txt": b""})
        git(root, "add", "staged.txt")
        write(root / "models/mnist", {"new.json": b""})
        hook(root, "pre-commit", "git diff --cached --name-only > ../seen")
        assert commit("models/mnist")
        assert (root / "../seen").read_text() == "models/mnist/new.json\n"

    def test_they_may_change_the_message(self, root: Path) -> None:
        write(root / "models/mnist", {"new.json": b""})
        hook(root, "commit-msg", 'echo "Reviewed-by: the hook" >> "$1"')
        commit("models/mnist", trailers=[("Loss", "0.1")])
        with Repository.discover() as repository:
            [version] = repository.history(Path("models/mnist"), limit=1)
        assert version.trailers == (("Loss", "0.1"), ("Reviewed-by", "the hook"))

    def test_one_that_runs_afterwards_cannot_refuse(self, root: Path) -> None:
        write(root / "models/mnist", {"new.json": b""})
        hook(root, "post-commit", "git status --short > ../seen; exit 1")
        assert commit("models/mnist")
        assert (root / "../seen").read_text() == ""


def conflict(root: Path, name: str, *command: str) -> None:
    """Let branches `main` and `other` disagree about a file, and a git command stop at it."""
    git(root, "checkout", "--quiet", "-b", "other")
    write(root, {name: b"theirs\n"})
    commit_all(root, "Theirs")
    git(root, "checkout", "--quiet", "main")
    for text in (b"ours\n", b"ours again\n"):
        write(root, {name: text})
        commit_all(root, "Ours")
    done = subprocess.run(["git", *command], cwd=root, capture_output=True)
    assert done.returncode != 0


def conflicting_stash(root: Path, name: str) -> None:
    """Leave a file unmerged although no merge is under way."""
    git(root, "reset", "--quiet", "--hard")
    git(root, "clean", "--quiet", "-d", "--force")
    write(root, {name: b"stashed\n"})
    git(root, "stash", "--quiet")
    write(root, {name: b"committed\n"})
    commit_all(root)
    git(root, "stash", "pop", "--quiet", status=1)


def commit_hash(content: bytes) -> str:
    return hashlib.sha1(b"commit %d\0%s" % (len(content), content)).hexdigest()


def run_python(script: str, **environment: str) -> str:
    """Run a script in a Python of its own, in which every warning is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
