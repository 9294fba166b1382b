"""A commit to a branch that is not checked out; HEAD, index and working tree stay as they are.

What `git commit` does is done by hand, in a working tree and an index of its own: so attributes
and filters hold, such as those of Git LFS. As with `git commit-tree`, no hooks run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kvcs.errors import RepositoryError
from kvcs.repo.commits.message import compose
from kvcs.repo.locks import locked
from kvcs.repo.place import Place, pathspec
from kvcs.repo.program import WRITING, GitProgram

_HOME = "kvcs-"

# As for any commit of weights, see `kvcs.repo.commits.staging`; nothing but the given files counts.
_ADDING = (
    *("-c", "core.compression=0", "-c", "core.bigFileThreshold=512k"),
    *("-c", "core.sparseCheckout=false", "-c", "core.fsmonitor=false"),
)


def commit_to_branch(
    git: GitProgram,
    place: Place,
    branch: str,
    path: str,
    write: Callable[[Path], object],
    message: str,
    trailers: Sequence[tuple[str, str]],
) -> str | None:
    """Commit a directory to a branch, which begins at HEAD if it is not there yet.

    Args:
        git, place: the repository.
        branch: name of the branch.
        path: the directory, from the repository root.
        write: writes what the directory is to hold to a place that it is given.
        message, trailers: of the commit.

    Returns:
        The full hash of the new commit; None where nothing changed.

    Raises:
        RepositoryError: for every reason not to; then the branch is as it was before.
    """
    ref = check_branch(git, branch)
    if not path:
        raise RepositoryError("A model in the root of a repository has no branch of its own.")
    text = compose(git, message, trailers)
    tip = _commit_at(git, ref)
    base = tip or _commit_at(git, "HEAD")
    try:
        with _home(place.git_dir) as home:
            write(home / "tree" / path)
            tree = _tree(home, place, base, path)
    except OSError as error:
        raise RepositoryError(f"'{branch}' got no commit: {error}") from error
    if base and tree == git.check("rev-parse", f"{base}^{{tree}}").text:
        return None
    commit = _commit(git, branch, tree, base, text)
    _move(git, branch, ref, commit, tip)
    return commit


@contextmanager
def _home(git_dir: Path) -> Iterator[Path]:
    """Make a directory to work in, and remove those that killed processes left: they are large."""
    with ExitStack() as stack:
        with locked(git_dir, wait=True):  # or another could be taken for dead before it is locked
            for left in git_dir.glob(f"{_HOME}????????"):
                with locked(left) as abandoned:
                    if abandoned:
                        shutil.rmtree(left, ignore_errors=True)
            made = tempfile.TemporaryDirectory(prefix=_HOME, dir=git_dir)
            home = Path(stack.enter_context(made))
            stack.enter_context(locked(home))
        yield home


def check_branch(git: GitProgram, branch: str) -> str:
    """Return the full name of a branch that can be committed to.

    Raises:
        RepositoryError: it cannot be a name, or the branch is checked out.
    """
    ref = f"refs/heads/{branch}"
    if branch.startswith("-") or git.run("check-ref-format", ref).status != 0:
        raise RepositoryError(f"'{branch}' cannot be the name of a branch.")
    listed = git.check("worktree", "list", "--porcelain").text.split("\n\n")
    for worktree in listed:
        lines = worktree.splitlines()
        if f"branch {ref}" in lines:
            where = lines[0].removeprefix("worktree ")
            raise RepositoryError(
                f"Branch '{branch}' is checked out in {where}; name another one, or none to "
                "commit there."
            )
    return ref


def _commit_at(git: GitProgram, name: str) -> str:
    return git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").text


def _tree(home: Path, place: Place, base: str, path: str) -> str:
    """Write the tree of a commit with other contents of one directory."""
    environment = {
        **WRITING,
        "GIT_DIR": str(place.git_dir),
        "GIT_WORK_TREE": os.fspath(home / "tree"),
        "GIT_INDEX_FILE": os.fspath(home / "index"),
    }
    git = GitProgram(home / "tree")
    if base:
        git.check("read-tree", base, environment=environment)
    git.check(
        *(*_ADDING, "add", "--all", "--force", "--", pathspec(path)), environment=environment
    )  # fmt: skip
    return git.check("write-tree", environment=environment).text


def _commit(git: GitProgram, branch: str, tree: str, base: str, text: bytes) -> str:
    signed = git.run("config", "--type=bool", "--get", "commit.gpgSign").text == "true"
    done = git.run(
        *("-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree, "-F", "-"),
        *(["-p", base] if base else []),
        *(["-S"] if signed else []),
        stdin=text,
        environment=WRITING,
    )
    if done.status != 0:
        raise RepositoryError(f"git did not commit to '{branch}': {done.reason}")
    return done.text


def _move(git: GitProgram, branch: str, ref: str, commit: str, tip: str) -> None:
    """Let a branch end at a commit, unless it moved in the meantime."""
    before = tip or "0" * len(commit)
    done = git.run("update-ref", "-m", "kvcs: commit", ref, commit, before, environment=WRITING)
    if done.status != 0:
        raise RepositoryError(
            f"Branch '{branch}' was not moved to {commit}, which holds the model: {done.reason}"
        )
