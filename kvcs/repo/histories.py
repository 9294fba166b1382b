"""Commits that a shallow clone lacks, as a pipeline's mostly is, and what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kvcs.errors import RepositoryError
from kvcs.repo.program import WRITING, GitProgram

REMOTE = "origin"
TARGET = "refs/kvcs/target"  # where the branch is kept that a change is for

# Files come later, and only those of the models that are compared.
_FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"),
    *("--recurse-submodules=no", "--filter=blob:none"),
)


def bring(git: GitProgram, commits: Sequence[str], branch: str = "") -> str:
    """Make sure that commits are here, and that they have one in common; fetch what is missing.

    Args:
        git: the program.
        commits: full hashes.
        branch: also the newest commit of this branch of the remote.

    Returns:
        The full hash of the newest commit of the branch; empty for no branch.

    Raises:
        RepositoryError: it cannot be fetched.
    """
    if branch:
        _fetch(git, [*commits, f"+refs/heads/{branch}:{TARGET}"])
        return git.check("rev-parse", "--verify", f"{TARGET}^{{commit}}").text
    if not _are_here(git, commits):
        _fetch(git, commits)
    return ""


def _are_here(git: GitProgram, commits: Sequence[str]) -> bool:
    there = [git.run("cat-file", "-e", f"{commit}^{{commit}}") for commit in commits]
    if any(done.status for done in there):
        return False
    return not any(git.run("merge-base", *pair).status for pair in pairwise(commits))


def _fetch(git: GitProgram, what: Sequence[str]) -> None:
    shallow = git.check("rev-parse", "--is-shallow-repository").text == "true"
    more = ("--unshallow",) if shallow else ()
    done = git.run(*_FETCH, *more, REMOTE, *what, environment=WRITING)
    if done.status != 0:
        raise RepositoryError(
            f"this clone lacks the history that is compared, and it cannot be fetched "
            f"({done.reason}). Check out all of it: fetch-depth: 0 for actions/checkout, "
            'GIT_DEPTH: "0" on GitLab'
        )
