"""The fast way into a commit: one pack, an index that git believes, and the tree of `git add`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from gitrepo import commit_all, git, hook, state, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvcs.errors import DamageError, RepositoryError
from kvcs.repo import Repository
from kvcs.repo.commits import staging
from kvcs.repo.commits.committing import Recorded

MIB = 1 << 20


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


MODEL = {
    "model.json": b'{"format": 1}\n',
    "layers/dense/layer.json": b"{}\n",
    "layers/dense/kernel.npy": noise(MIB),
    "layers/dense/bias.npy": noise(1000, 1),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a commit, and a model that is not in it."""
    git(tmp_path, "init", "--quiet", "project")
    root = tmp_path / "project"
    write(root, {"README.md": b"Models.\n"})
    commit_all(root, "First")
    write(root / "m", MODEL)
    age(root)
    monkeypatch.chdir(root)
    return root


def age(root: Path) -> None:
    """Let files be older than any index, so that git believes what the index says of them."""
    for path in root.rglob("*"):
        if path.is_file() and ".git" not in path.relative_to(root).parts:
            os.utime(path, (10**9, 10**9))


def commit(*directories: str, recorded: object = None) -> str | None:
    with Repository.discover() as repository:
        paths = [Path(name) for name in directories or ("m",)]
        return repository.commit(paths, "Train", recorded=recorded or {})  # type: ignore[arg-type]


def packs(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".git/objects/pack").iterdir())


def loose(root: Path) -> int:
    return int(git(root, "count-objects").split()[0])


def check(root: Path) -> None:
    for index in (root / ".git/objects/pack").glob("*.idx"):
        git(root, "verify-pack", str(index))
    git(root, "fsck", "--full", "--strict")


def unknown(root: Path) -> str:
    """Name what git would read to find out whether it changed."""
    return git(root, "diff-files", "--name-only")


class TestOnePack:
    def test_holds_all_files_and_nothing_else(self, root: Path) -> None:
        before = loose(root)
        assert commit()
        assert [Path(name).suffix for name in packs(root)] == [".idx", ".pack"]
        assert loose(root) - before == 5  # a commit, and the trees of four directories
        check(root)
        assert git(root, "status", "--porcelain") == ""

    def test_what_changed_is_all_that_the_next_one_holds(self, root: Path) -> None:
        commit()
        write(root / "m", {"layers/dense/kernel.npy": noise(MIB, 2)})
        age(root)
        before = set(packs(root))
        commit()
        [index] = [name for name in set(packs(root)) - before if name.endswith(".idx")]
        listed = git(root, "verify-pack", "--verbose", f".git/objects/pack/{index}")
        assert "non delta: 1 object" in listed
        check(root)

    def test_a_small_change_makes_none(self, root: Path) -> None:
        commit()
        before = packs(root)
        write(root / "m", {"layers/dense/bias.npy": noise(1000, 2)})
        assert commit()
        assert packs(root) == before
        check(root)

    def test_none_for_contents_that_git_has(self, root: Path) -> None:
        commit()
        shutil.copytree(root / "m", root / "copy")
        before = packs(root)
        assert commit("copy")
        assert packs(root) == before
        assert git(root, "rev-parse", "HEAD:copy") == git(root, "rev-parse", "HEAD:m")

    def test_nor_for_those_of_an_alternate(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit()
        git(tmp_path, "clone", "--quiet", "--shared", str(root), "other")
        monkeypatch.chdir(tmp_path / "other")
        shutil.copytree("m", "copy")
        assert commit("copy")
        assert packs(tmp_path / "other") == []

    def test_several_where_git_may_have_no_larger_one(self, root: Path) -> None:
        git(root, "config", "pack.packSizeLimit", "1m")
        write(root / "m", {"other.npy": noise(MIB, 7)})
        commit()
        assert len(packs(root)) > 2
        check(root)

    def test_equal_tensors_are_stored_once(self, root: Path) -> None:
        write(root / "m", {"twin.npy": MODEL["layers/dense/kernel.npy"]})
        sha256 = hashlib.sha256(MODEL["layers/dense/kernel.npy"]).hexdigest()
        names = ("twin.npy", "layers/dense/kernel.npy")
        recorded = {name: Recorded(sha256, "model.json") for name in names}
        assert commit(recorded={Path("m"): recorded})
        check(root)
        assert git(root, "status", "--porcelain") == ""

    def test_permissions_are_those_that_the_repository_shares(self, root: Path) -> None:
        git(root, "config", "core.sharedRepository", "0640")
        commit()
        pack_files = (root / ".git/objects/pack").iterdir()
        assert {path.stat().st_mode & 0o777 for path in pack_files} == {0o440}


class TestIndex:
    def test_git_has_nothing_to_read_afterwards(self, root: Path) -> None:
        commit()
        assert unknown(root) == ""

    def test_nor_after_files_were_linked(self, root: Path) -> None:
        commit()
        (root / "link").hardlink_to(root / "m/layers/dense/kernel.npy")
        before = packs(root)
        assert commit() is None
        assert unknown(root) == ""
        assert packs(root) == before

    def test_nor_are_linked_files_read_that_were_unchanged_before(self, root: Path) -> None:
        commit()
        with Repository.discover() as repository:
            kept = repository.unchanged(Path("m"))
            assert len(kept) == len(MODEL)
            kernel = root / "m/layers/dense/kernel.npy"
            (root / "link").hardlink_to(kernel)
            with kernel.open("r+b") as file:  # behind everybody's back, to see who reads it
                file.write(b"changed")
            os.utime(kernel, (10**9, 10**9))
            assert repository.commit([Path("m")], "Linked", kept=kept) is None
        assert unknown(root) == ""

    def test_files_that_were_changed_before_are_not_kept(self, root: Path) -> None:
        commit()
        write(root / "m", {"model.json": b"[]\n", "new.json": b""})
        with Repository.discover() as repository:
            kept = repository.unchanged(Path("m"))
        assert {os.fsdecode(name) for name in kept} == {
            f"m/{name}" for name in MODEL if name != "model.json"
        }

    def test_a_change_behind_the_same_times_is_seen(self, root: Path) -> None:
        commit()
        write(root / "m", {"layers/dense/kernel.npy": noise(MIB, 9)})
        age(root)
        assert commit()
        assert git(root, "status", "--porcelain") == ""
        check(root)

    @pytest.mark.parametrize("version", ["2", "3", "4"])
    def test_every_version_of_it(self, root: Path, version: str) -> None:
        git(root, "config", "index.version", version)
        (root / ".git/index").unlink()
        git(root, "reset", "--quiet")
        commit()
        assert unknown(root) == ""

    def test_a_split_one(self, root: Path) -> None:
        git(root, "update-index", "--split-index")
        commit()
        write(root / "m", {"model.json": b"[]\n"})
        commit()
        assert git(root, "status", "--porcelain") == ""

    def test_other_work_stays_staged(self, root: Path) -> None:
        write(root, {"staged.txt": b"", "README.md": b"Changed.\n", "folder/new": b""})
        git(root, "add", "README.md", "staged.txt", "folder")
        git(root, "rm", "--quiet", "--force", "README.md")
        hook(root, "pre-commit", "git diff --cached --name-only > ../seen")
        commit()
        assert (root / "../seen").read_text().split() == [f"m/{name}" for name in sorted(MODEL)]
        staged = "D  README.md\nA  folder/new\nA  staged.txt"
        assert git(root, "status", "--porcelain") == staged
        assert state(root)[2] == ["index"]

    def test_a_staged_file_in_the_way_of_a_directory_of_head(self, root: Path) -> None:
        write(root, {"folder/file": b""})
        commit_all(root)
        shutil.rmtree(root / "folder")
        write(root, {"folder": b"", "m/model.json": b"[]\n"})
        git(root, "add", "--all", "folder")
        assert commit()
        assert git(root, "show", "--name-only", "--format=") == "m/model.json"
        assert git(root, "status", "--porcelain") == "R  folder/file -> folder"

    def test_what_a_hook_adds_is_in_the_commit_and_in_the_index(self, root: Path) -> None:
        hook(root, "pre-commit", "echo made > m/made.txt; git add m/made.txt")
        commit()
        assert git(root, "show", "HEAD:m/made.txt") == "made"
        assert git(root, "status", "--porcelain") == ""

    def test_what_was_staged_and_undone_is_not_staged_any_more(self, root: Path) -> None:
        commit()
        write(root / "m", {"model.json": b"staged\n"})
        git(root, "add", "m")
        write(root / "m", {"model.json": MODEL["model.json"]})
        assert commit() is None
        assert git(root, "status", "--porcelain") == ""


class TestChecksums:
    GOOD = hashlib.sha256(MODEL["layers/dense/kernel.npy"]).hexdigest()
    BAD = "0" * 64

    def recorded(self, sha256: str) -> Mapping[Path, Mapping[str, Recorded]]:
        found = Recorded(sha256, "layers/dense/layer.json")
        return {Path("m"): {"layers/dense/kernel.npy": found}}

    def test_hold(self, root: Path) -> None:
        assert commit(recorded=self.recorded(self.GOOD))

    def fails(self, root: Path) -> None:
        before = state(root), packs(root)
        with pytest.raises(DamageError, match=r"kernel\.npy is altered: its SHA-256 is not the"):
            commit(recorded=self.recorded(self.BAD))
        assert (state(root), packs(root)) == before

    def test_do_not_hold(self, root: Path) -> None:
        self.fails(root)

    def test_of_files_that_are_staged_already(self, root: Path) -> None:
        git(root, "add", "m")
        self.fails(root)

    def test_of_files_that_git_converts(self, root: Path) -> None:
        write(root, {".gitattributes": b"*.npy ident\n"})
        self.fails(root)

    def test_that_changed_themselves(self, root: Path) -> None:
        commit()
        write(root / "m", {"layers/dense/layer.json": b"[]\n"})
        self.fails(root)

    def test_what_is_committed_is_not_read_again(self, root: Path) -> None:
        commit()
        write(root / "m", {"model.json": b"[]\n"})
        assert commit(recorded=self.recorded(self.BAD))


class TestRepositories:
    """Kinds of repositories in which a file is not simply a file."""

    def test_a_sparse_checkout(self, root: Path) -> None:
        commit()
        write(root, {"far/away.txt": b""})
        commit_all(root)
        git(root, "sparse-checkout", "set", "m")
        write(root / "m", {"layers/dense/kernel.npy": noise(MIB, 5)})
        assert commit()
        assert git(root, "show", "--name-only", "--format=") == "m/layers/dense/kernel.npy"
        assert git(root, "status", "--porcelain") == ""

    def test_a_file_that_git_shall_not_look_at(self, root: Path) -> None:
        commit()
        git(root, "update-index", "--skip-worktree", "m/layers/dense/kernel.npy")
        files = {"layers/dense/kernel.npy": noise(MIB, 5), "other.npy": noise(MIB, 6)}
        write(root / "m", files)
        assert commit()
        assert git(root, "show", "--name-only", "--format=") == "m/other.npy"

    def test_a_submodule_and_a_repository_inside(self, root: Path, tmp_path: Path) -> None:
        git(tmp_path, "init", "--quiet", "part")
        write(tmp_path / "part", {"large.npy": noise(MIB, 3)})
        commit_all(tmp_path / "part")
        local = ("-c", "protocol.file.allow=always")
        git(root, *local, "submodule", "--quiet", "add", str(tmp_path / "part"), "sub")
        assert commit()
        assert git(root, "show", "--name-only", "--format=").splitlines() == [
            f"m/{name}" for name in sorted(MODEL)
        ]
        assert "A  sub" in git(root, "status", "--porcelain")

    def test_a_model_in_a_submodule(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(tmp_path, "init", "--quiet", "outer")
        local = ("-c", "protocol.file.allow=always")
        git(tmp_path / "outer", *local, "submodule", "--quiet", "add", str(root), "inner")
        inner = tmp_path / "outer/inner"
        write(inner / "m", MODEL)
        monkeypatch.chdir(inner)
        assert commit()
        assert git(inner, "status", "--porcelain") == ""
        assert list((tmp_path / "outer/.git/modules/inner/objects/pack").glob("*.idx"))

    def test_a_linked_worktree(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(root, "worktree", "add", "--quiet", "../other")
        write(tmp_path / "other/m", MODEL)
        age(tmp_path / "other")
        monkeypatch.chdir(tmp_path / "other")
        assert commit()
        assert unknown(tmp_path / "other") == ""
        assert len(packs(root)) == 2

    def test_names_of_sha256(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(tmp_path, "init", "--quiet", "--object-format=sha256", "project")
        root = tmp_path / "project"
        write(root / "m", MODEL)
        age(root)
        monkeypatch.chdir(root)
        assert commit()
        assert unknown(root) == ""
        assert len(packs(root)) == 2
        check(root)

    def test_a_partial_clone_asks_its_remote_for_nothing(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit()
        git(root, "config", "uploadpack.allowFilter", "true")
        source = f"file://{root}"
        git(tmp_path, "clone", "--quiet", "--filter=blob:limit=1k", source, "part")
        write(tmp_path / "part/m", {"layers/dense/kernel.npy": noise(MIB, 4)})
        shutil.move(root, tmp_path / "gone")
        monkeypatch.chdir(tmp_path / "part")
        assert commit()

    def test_links_and_programs(self, root: Path) -> None:
        (root / "m/link.npy").symlink_to("layers/dense/kernel.npy")
        (root / "m/run.npy").write_bytes(noise(MIB, 8))
        (root / "m/run.npy").chmod(0o755)
        commit()
        modes = {line.split()[0] for line in git(root, "ls-tree", "-r", "HEAD:m").splitlines()}
        assert modes == {"100644", "100755", "120000"}

    def test_a_file_in_the_place_of_a_link_or_a_directory(self, root: Path) -> None:
        (root / "m/a.npy").symlink_to("model.json")
        write(root / "m/b.npy", {"inside": b""})
        commit()
        (root / "m/a.npy").unlink()
        shutil.rmtree(root / "m/b.npy")
        write(root / "m", {"a.npy": noise(MIB, 2), "b.npy": noise(MIB, 3)})
        age(root)
        assert commit()
        assert git(root, "status", "--porcelain") == ""

    def test_files_that_the_system_does_not_say_to_be_programs(self, root: Path) -> None:
        git(root, "config", "core.fileMode", "false")
        (root / "m/layers/dense/kernel.npy").chmod(0o755)
        commit()
        assert "100755" not in git(root, "ls-tree", "-r", "HEAD:m")


CONTENTS = [
    b"",
    b"text\n",
    b"one\r\ntwo\r\n",
    b"one\r\ntwo\n",
    b"lone\rreturn\n",
    b"\x93NUMPY\x01\x00\r\n\r" + bytes(range(256)),
    b"$Id$\n$Id: 0 $\n",
    "Grüße\r\n".encode("utf-16"),
    b"zero\0byte\r\n",
    b"late" + b" " * 9000 + b"\0\r\n",
    noise(70_000, 1),
    noise(600_000, 2),
    b"\r\n" * 40_000,
    b"line\n" * 300_000,
]
NAMES = [
    "a.npy",
    "b.npy",
    "c.json",
    "d.txt",
    "sub/e.npy",
    "sub/f.json",
    "sub/deep/g.txt",
    "h i.npy",
]
RULES = [
    "* text=auto",
    "* text",
    "* -text",
    "* eol=crlf",
    "* eol=lf",
    "* text=auto eol=crlf",
    "* binary",
    "* crlf",
    "* -crlf",
    "* crlf=input",
    "* ident",
    "*.npy -text",
    "*.npy filter=upper",
    "*.npy filter=nothing",
    "*.npy -filter",
    "*.json text eol=lf",
    "*.txt working-tree-encoding=UTF-16",
    "sub/** -text -ident",
]
CONFIGS = [
    ("core.autocrlf", "true"),
    ("core.autocrlf", "input"),
    ("core.eol", "crlf"),
    ("core.safecrlf", "true"),
    ("core.fileMode", "false"),
    ("core.bigFileThreshold", "1k"),
    ("core.sharedRepository", "group"),
    ("index.version", "4"),
    ("filter.upper.clean", "tr a-z A-Z"),
]
FILES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CONTENTS), min_size=1)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    first=FILES,
    second=FILES,
    rules=st.lists(st.sampled_from(RULES), max_size=3),
    inner=st.lists(st.sampled_from(RULES), max_size=1),
    config=st.lists(st.sampled_from(CONFIGS), max_size=3),
)
def test_the_tree_is_the_one_of_git_add(
    tmp_path_factory: pytest.TempPathFactory,
    first: Mapping[str, bytes],
    second: Mapping[str, bytes],
    rules: list[str],
    inner: list[str],
    config: list[tuple[str, str]],
) -> None:
    ours, theirs = (tmp_path_factory.mktemp(name) for name in ("ours", "theirs"))
    for root in (ours, theirs):
        git(root, "init", "--quiet")
        for key, value in config:
            git(root, "config", key, value)
        attributes = {".gitattributes": rules, "m/sub/.gitattributes": inner}
        write(root, {name: "\n".join(lines).encode() for name, lines in attributes.items()})
        write(root, {"m/filler.npy": noise(MIB)})
    for files in (first, second):
        for root in (ours, theirs):
            for path in [
                path for path in (root / "m").rglob("*.*") if path.suffix != ".gitattributes"
            ]:
                if path.name not in (".gitattributes", "filler.npy"):
                    path.unlink()
            write(root / "m", files)
            age(root)
        status = subprocess.run(["git", "add", "--all", "m"], cwd=theirs, stderr=subprocess.PIPE)
        with Repository.discover(ours) as repository:
            if status.returncode:
                with pytest.raises(RepositoryError):
                    repository.commit([Path("m")], "Train")
                return
            repository.commit([Path("m")], "Train")
        git(theirs, "commit", "--quiet", "--allow-empty", "--message", "Train")
        trees = [git(root, "rev-parse", "HEAD^{tree}") for root in (ours, theirs)]
        assert trees[0] == trees[1], git(theirs, "ls-tree", "-r", "HEAD")
        assert git(ours, "status", "--porcelain", "m") == git(theirs, "status", "--porcelain", "m")
        git(ours, "fsck", "--full", "--strict")


class TestBadDays:
    def test_a_full_disk(self, root: Path) -> None:
        before = state(root), packs(root)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB // 2, hard))
        try:
            with pytest.raises(RepositoryError) as caught:
                commit()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert str(caught.value) == (
            f"{root / '.git/objects/pack'}: File too large; nothing was committed"
        )
        assert (state(root), packs(root)) == before
        assert commit()

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to this user")
    def test_a_repository_that_cannot_be_written(self, root: Path) -> None:
        (root / ".git/objects/pack").chmod(0o500)
        try:
            with pytest.raises(RepositoryError, match="Permission denied; nothing was committed"):
                commit()
        finally:
            (root / ".git/objects/pack").chmod(0o700)

    def test_a_refused_commit_leaves_its_objects_to_the_next_one(self, root: Path) -> None:
        hook(root, "pre-commit", "exit 1")
        before = state(root)
        with pytest.raises(RepositoryError, match="pre-commit refused"):
            commit()
        assert state(root) == before
        (root / ".git/hooks/pre-commit").unlink()
        kept = packs(root)
        assert commit()
        assert packs(root) == kept

    def test_a_lock_that_is_gone_when_it_is_looked_at(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = staging._made

        def too_late(lock: Path) -> int:
            monkeypatch.setattr(staging, "_made", made)
            raise FileExistsError

        monkeypatch.setattr(staging, "_made", too_late)
        assert commit()

    def test_the_lock_of_a_killed_commit_is_taken_over(self, root: Path) -> None:
        write(root / ".git", {"index.lock": b"kvcs commit\n", "index.kvcs": b"half"})
        write(root / ".git", {"index.kvcs.lock": b"", "index.kvcs.head": b""})
        assert commit()
        assert state(root)[2] == ["index"]
        git(root, "add", "--all")

    def test_that_of_one_that_lives_is_not(self, root: Path) -> None:
        write(root / ".git", {"index.lock": b"kvcs commit\n"})
        with (root / ".git/index.lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(RepositoryError, match="another git is at work"):
                commit()
        assert (root / ".git/index.lock").read_bytes() == b"kvcs commit\n"

    def test_two_at_once_lose_nothing(self, root: Path) -> None:
        for name in "abcd":
            write(root / name, {"model.json": name.encode(), "x.npy": noise(MIB, ord(name))})
        running = {name: started(root, name) for name in "abcd"}
        said = {name: process.communicate()[0] for name, process in running.items()}
        done = {name for name, process in running.items() if process.returncode == 0}
        assert done
        for name in set("abcd") - done:
            assert "another git is at work in this repository" in said[name]
            assert commit(name)
        check(root)
        trees = git(root, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
        assert {f"{name}/x.npy" for name in "abcd"} <= set(trees)
        assert git(root, "status", "--porcelain") == "?? m/"
        assert git(root, "rev-list", "--count", "HEAD") == "5"

    def test_killed_at_any_time(self, root: Path) -> None:
        write(root / "m", {f"{number}.npy": noise(4 * MIB, number) for number in range(4)})
        hook(root, "pre-commit", "sleep 0.05")
        for attempt in range(6):
            process = started(root, "m")
            time.sleep(0.1 + 0.06 * attempt)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        time.sleep(0.2)  # the git that it started may still be at it
        commit()
        check(root)
        assert git(root, "status", "--porcelain") == ""
        assert state(root)[2] == ["index"]
        git(root, "gc", "--quiet", "--prune=now")
        assert not [name for name in packs(root) if name.startswith("tmp_")]


def started(root: Path, name: str) -> subprocess.Popen[str]:
    """Start a commit in a process of its own."""
    script = (
        "import sys; from pathlib import Path; from kvcs.errors import RepositoryError\n"
        "from kvcs.repo import Repository\n"
        "try: Repository.discover().commit([Path(sys.argv[1])], 'Train')\n"
        "except RepositoryError as error: sys.exit(str(error))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, name],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
