"""A commit of some directories, or a refusal in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kvcs.errors import RepositoryError
from kvcs.repo.message import compose
from kvcs.repo.place import Place, pathspec
from kvcs.repo.program import Completed, GitProgram
from kvcs.repo.staging import (
    PrivateIndex,
    differs,
    refuse_ignored,
    refuse_unmerged,
    refuse_unsuitable,
    stage,
)

# What git leaves in its directory while something is under way, most telling first.
_UNFINISHED = {
    "rebase-apply/applying": ("`git am`", "`git am --abort`"),
    "rebase-apply": ("A rebase", "`git rebase --abort`"),
    "rebase-merge": ("A rebase", "`git rebase --abort`"),
    "MERGE_HEAD": ("A merge", "`git merge --abort`"),
    "CHERRY_PICK_HEAD": ("A cherry-pick", "`git cherry-pick --abort`"),
    "REVERT_HEAD": ("A revert", "`git revert --abort`"),
    "sequencer": ("A cherry-pick or revert", "give it up as `git status` says"),
}

_HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg")

# How much of a hook's output goes into the error.
_LAST_LINES = 10


def commit_directories(
    git: GitProgram,
    place: Place,
    directories: Sequence[Path],
    message: str,
    trailers: Sequence[tuple[str, str]],
) -> bool:
    """Commit the directories as they are in the working tree; False when nothing changed.

    Raises:
        RepositoryError: for every reason not to; then everything is as it was before.
    """
    if place.top is None:
        raise RepositoryError(f"{place.git_dir} has no work tree here, so nothing to commit from.")
    _refuse_unfinished(place.git_dir)
    text = compose(git, message, trailers)
    paths = [place.relative(directory) for directory in directories]
    if not paths:
        return False  # git would take no paths for all paths
    for path in paths:
        refuse_unsuitable(place.top, path)
    refuse_unmerged(git, paths)
    refuse_ignored(git, place.top, paths)
    return _commit(git, place.top, paths, text)


def _commit(git: GitProgram, top: Path, paths: Sequence[str], text: bytes) -> bool:
    with PrivateIndex(git) as index:
        stage(git, top, paths, index.environment)
        if not differs(git, paths, index.environment):
            return False
        done = git.run(
            *("-c", "i18n.commitEncoding=UTF-8"),  # whatever the user writes in, this is UTF-8
            *("commit", "--quiet", "--only", "--file=-", "--", *map(pathspec, paths)),
            stdin=text,
            environment=index.environment,
        )
        if done.status != 0:
            raise _refusal(git, done)
        index.publish()
    return True


def _refuse_unfinished(git_dir: Path) -> None:
    for name, (what, way_out) in _UNFINISHED.items():
        if (git_dir / name).exists():
            raise RepositoryError(f"{what} is under way; finish it first, or {way_out}.")


def _refusal(git: GitProgram, done: Completed) -> RepositoryError:
    if "tell me who you are" in done.errors or "empty ident name" in done.errors:
        return RepositoryError(
            "git does not know who commits; run `git config --global user.name 'Your Name'` "
            "and `git config --global user.email 'you@example.org'`, then commit again."
        )
    # Everything that git itself objects to ends with 128, but for this one.
    if done.status == 1 and "empty commit message" not in done.errors:
        return _hook_refusal(git, done)
    return RepositoryError(f"git did not commit: {done.reason}")


def _hook_refusal(git: GitProgram, done: Completed) -> RepositoryError:
    hooks = Path(git.check("rev-parse", "--path-format=absolute", "--git-path", "hooks").text)
    installed = [name for name in _HOOKS if (hooks / name).exists()]
    who = f"hook {' or '.join(installed)}" if installed else "a hook"
    lines = [line.rstrip() for line in done.errors.splitlines() if line.strip()]
    said = "".join(f"\n  {line}" for line in lines[-_LAST_LINES:]) or " (it said nothing)"
    return RepositoryError(f"The repository's {who} refused the commit:{said}")
