"""A commit of some directories, or a refusal in one sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kvcs import checksum
from kvcs.errors import DamageError, RepositoryError
from kvcs.pointer import parse
from kvcs.repo.commits.message import compose
from kvcs.repo.commits.staging import (
    Change,
    PrivateIndex,
    refuse_ignored,
    refuse_left_out,
    refuse_unmerged,
    refuse_unsuitable,
    stage,
    staged,
)
from kvcs.repo.object_settings import read_settings
from kvcs.repo.place import Place
from kvcs.repo.program import READING, WRITING, Completed, GitProgram, decode

if TYPE_CHECKING:
    from kvcs.repo.commits.blobs import Kept, Prepared

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

_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Recorded:
    """The SHA-256 that a file should have, and the file in which that stands."""

    sha256: str
    by: str


def commit_directories(
    git: GitProgram,
    place: Place,
    directories: Sequence[Path],
    message: str,
    trailers: Sequence[tuple[str, str]],
    recorded: Mapping[Path, Mapping[str, Recorded]],
    kept: Kept,
) -> bool:
    """Commit the directories as they are in the working tree; False when nothing changed.

    Raises:
        RepositoryError: for every reason not to; then everything is as it was before.
        DamageError: a file that changed, or whose checksum did, is not what was recorded.
    """
    if place.top is None:
        raise RepositoryError(f"{place.git_dir} has no work tree here, so nothing to commit from.")
    refuse_unfinished(place.git_dir)
    text = compose(git, message, trailers)
    paths = [place.relative(directory) for directory in directories]
    if not paths:
        return False  # git would take no paths for all paths
    checked = {
        _below(path, name): Recorded(file.sha256, _below(path, file.by))
        for path, directory in zip(paths, directories, strict=True)
        for name, file in recorded.get(directory, {}).items()
    }
    for path in paths:
        refuse_unsuitable(place.top, path)
    refuse_unmerged(git, paths)
    ignored = refuse_ignored(git, place.top, paths)
    return _Commit(git, place.top, paths, checked).run(text, ignored, kept)


class _Commit:
    """A commit of directories to which nothing objects so far."""

    def __init__(
        self, git: GitProgram, top: Path, paths: Sequence[str], checked: Mapping[str, Recorded]
    ) -> None:
        self._git = git
        self._top = top
        self._paths = paths
        self._known = frozenset(paths)
        self._checked = checked
        self._settings = read_settings(git)

    def run(self, text: bytes, ignored: set[bytes], kept: Kept) -> bool:
        """Make the commit; False when nothing changed."""
        # With all that writes packs, which hooks do without.
        from kvcs.repo.commits.blobs import Prepared, prepare

        if self._settings.is_on("core.sparsecheckout"):
            refuse_left_out(self._git, self._paths)
        before = self._identities()
        prepared = prepare(
            self._git,
            self._settings,
            self._top,
            self._paths,
            ignored=ignored,
            checked={os.fsencode(path): file.sha256 for path, file in self._checked.items()},
            kept=kept,
        )
        # Only now, since that took the time: a lock is in the way of others.
        with PrivateIndex(self._settings.index) as index:
            stage(self._git, self._settings, self._top, self._paths, index, prepared)
            if self._identities() != before:
                raise RepositoryError(
                    "A model was replaced while it was committed; commit again when that is done."
                )
            changes = staged(self._git, index.environment)
            ours = {change.path for change in changes if self._is_ours(change.path)}
            if ours:
                prepared = prepared or Prepared()
                self._verify(ours, prepared.verified)
                others = [change for change in changes if change.path not in ours]
                self._commit(text, index, others, self._checksums(prepared))
            if ours or (prepared and prepared.files) or self._was_staged():
                index.publish()
        if ours:
            _maintain(self._git)
        return bool(ours)

    def _checksums(self, prepared: Prepared) -> dict[str, str]:
        """Return the SHA-256 of what was verified, by its object."""
        return {
            prepared.files[path][1].name: self._checked[decode(path)].sha256
            for path in prepared.verified
        }

    def _commit(
        self,
        text: bytes,
        index: PrivateIndex,
        others: Sequence[Change],
        checksums: Mapping[str, str],
    ) -> None:
        with index.without(self._git, others) as seen, index.told(checksums) as told:
            done = self._git.run(
                *("-c", "i18n.commitEncoding=UTF-8"),  # whatever the user writes in, this is UTF-8
                *("-c", "maintenance.auto=false"),  # which must not be in sight of this index
                *("commit", "--quiet", "--file=-"),
                stdin=text,
                environment={**seen, **told},
            )
        if done.status != 0:
            raise _refusal(self._git, done)

    def _was_staged(self) -> bool:
        """Tell whether the index itself differs from HEAD here, which the work tree does not."""
        return any(self._is_ours(change.path) for change in staged(self._git, READING))

    def _is_ours(self, path: bytes) -> bool:
        above = ("", *map(str, PurePosixPath(decode(path)).parents))
        return not self._known.isdisjoint(above)

    def _identities(self) -> list[tuple[int, int] | None]:
        """Tell the directories from others that are put in their place: a save does that."""
        return [_identity(self._top / path) for path in self._paths]

    def _verify(self, changed: set[bytes], verified: frozenset[bytes]) -> None:
        """Read what is not verified yet: changed files, and those whose checksum may have changed.

        The others stand in the last commit as they are, with the same checksum.
        """
        names = {decode(path) for path in changed}
        done = {decode(path) for path in verified}
        for path, file in self._checked.items():
            if path not in done and (path in names or file.by in names):
                _check(self._top / path, file.sha256)


def _check(place: Path, sha256: str) -> None:
    try:
        with place.open("rb") as file:
            head = file.read(_READ)
            pointer = parse(head)  # of Git LFS, which has the checksum in it
            if pointer is not None:
                found = pointer.oid
            else:
                found = checksum.sha256(chain([head], iter(lambda: file.read(_READ), b"")))
    except OSError as error:
        raise RepositoryError(f"could not read {place}: {error.strerror}") from error
    if found != sha256:
        raise DamageError(f"{place} is altered: its SHA-256 is not the recorded one")


def _below(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _identity(place: Path) -> tuple[int, int] | None:
    try:
        status = place.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _maintain(git: GitProgram) -> None:
    """Let git tidy up if it wants to, as it does after each of its own commits."""
    git.run("maintenance", "run", "--auto", "--quiet", environment=WRITING)


def refuse_unfinished(git_dir: Path) -> None:
    """Refuse a repository in which a merge, a rebase or the like is under way."""
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
