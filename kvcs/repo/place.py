"""Where a repository is, and what its paths are called."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

from kvcs.errors import RepositoryError
from kvcs.repo.program import Completed, GitProgram


@dataclass(frozen=True)
class Place:
    """A repository as seen from the directory in which its discovery began.

    Attributes:
        start: the directory that relative paths are relative to.
        prefix: `start` as a POSIX path below `top`, empty for `top` itself.
        top: the root of the work tree, None where there is none.
        git_dir: the repository itself; of a linked worktree, its own part.
    """

    start: Path
    prefix: str
    top: Path | None
    git_dir: Path

    @property
    def common(self) -> Path:
        """The repository that all linked worktrees share."""
        named = self.git_dir / "commondir"
        return self.git_dir / named.read_text().strip() if named.is_file() else self.git_dir

    def relative(self, directory: Path) -> str:
        """Return a directory as a POSIX path from the repository root; the root is empty.

        Symbolic links are followed, since git would commit the link instead of the model.
        """
        if self.top is None:
            return resolve(directory.as_posix(), self.prefix)
        real = Path(os.path.realpath(self.start / directory))
        if not real.is_relative_to(self.top):
            raise RepositoryError(f"{directory} is outside of the repository in {self.top}.")
        return _empty_if_root(real.relative_to(self.top).as_posix())


def find_place(git: GitProgram) -> Place:
    """Ask git which repository it finds, by its own rules.

    Raises:
        RepositoryError: if there is none, or git does not trust it.
    """
    # The last question fails without a work tree; by then the others have been answered.
    done = git.run("rev-parse", "--absolute-git-dir", "--show-prefix", "--show-toplevel")
    if not done.output:
        raise _no_repository(git, done)
    git_dir, prefix, *top = done.text.split("\n")
    return Place(
        start=git.start,
        prefix=prefix.rstrip("/"),
        top=Path(os.path.realpath(top[0])) if top and done.status == 0 else None,
        git_dir=Path(git_dir),
    )


def resolve(path: str, prefix: str) -> str:
    """Return a path as a clean one from the repository root; `./` and `../` start at `prefix`.

    Raises:
        RepositoryError: for an absolute path, and for one that leaves the repository.
    """
    if path.startswith("/"):
        raise RepositoryError(f"'{path}' is absolute; write it as seen from the repository root.")
    start = prefix if path.split("/")[0] in (".", "..") else ""
    clean = posixpath.normpath(posixpath.join(start, path))
    if clean.split("/")[0] == "..":
        raise RepositoryError(f"'{path}' leads out of the repository.")
    return _empty_if_root(clean)


def pathspec(path: str) -> str:
    """Return the git pathspec that means this path from the root and nothing else."""
    return f":(top,literal){path}"


def _empty_if_root(path: str) -> str:
    return "" if path == "." else path


def _no_repository(git: GitProgram, done: Completed) -> RepositoryError:
    if "dubious ownership" in done.errors:
        return RepositoryError(
            f"git does not trust the repository around {git.start}, which belongs to somebody "
            "else; to trust it, run `git config --global --add safe.directory DIRECTORY`."
        )
    if "not a git repository" not in done.errors:
        return RepositoryError(f"git cannot use a repository in {git.start}: {done.reason}")
    named = os.environ.get("GIT_DIR")
    if named:
        return RepositoryError(f"GIT_DIR says '{named}', but no git repository is there.")
    return RepositoryError(
        f"There is no git repository in {git.start} or above it; "
        "go to the one you mean, or make one with `git init`."
    )
