"""The hook `pre-push`: what is pushed is there, and so are the objects of Git LFS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import environ
from typing import TYPE_CHECKING

from kvcs.commands.hooks.hook import STOPPING, Outcome

if TYPE_CHECKING:
    from kvcs.repo import Repository
    from kvcs.repo.changes import Pushed


def pre_push(arguments: Sequence[str], read_stdin: Callable[[], str]) -> Outcome:
    """Check what a push would send.

    Args:
        arguments: name and address of the remote.
        read_stdin: gives a line `local ref, hash, remote ref, hash` for each ref.

    Raises:
        RepositoryError: git cannot say what would be sent.
    """
    remote = (*arguments, environ.get("PRE_COMMIT_REMOTE_NAME", ""))[0]
    new, old = _ends(read_stdin)
    if not new:
        return Outcome()
    from kvcs.repo import Repository, changes

    with Repository.discover() as repository:
        pushed = changes.pushed(repository.git, remote, new, old)
        lines = [*_missing(pushed), *_without_objects(repository, pushed)]
    if not lines:
        return Outcome()
    way_around = f"`{STOPPING['pre-push']}` pushes it all the same"
    return Outcome(("nothing was pushed:", *lines, way_around), stops=True)


def _ends(read_stdin: Callable[[], str]) -> tuple[list[str], list[str]]:
    """Return the hashes that are pushed, and those that they are to replace."""
    if "PRE_COMMIT_TO_REF" in environ:  # the pre-commit framework has read stdin itself
        pairs = [(environ["PRE_COMMIT_TO_REF"], environ.get("PRE_COMMIT_FROM_REF", ""))]
    else:
        lines = [line.split() for line in read_stdin().splitlines()]
        pairs = [(words[1], words[3]) for words in lines if len(words) == 4]
    new, old = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return [each for each in new if each.strip("0")], [each for each in old if each.strip("0")]


def _missing(pushed: Pushed) -> Iterator[str]:
    if pushed.missing:
        yield (
            f"{len(pushed.missing)} objects of git are missing here, such as {pushed.missing[0]}: "
            "`git fsck` tells what was lost, `git fetch` from a repository that has it brings it"
        )


def _without_objects(repository: Repository, pushed: Pushed) -> Iterator[str]:
    from kvcs.repo.lfs import pointers as lfs_pointers
    from kvcs.repo.setup import hooks

    tensors = [(each, path) for each, path in pushed.files if path.endswith(".npy")]
    found = lfs_pointers.pointers(repository.git, tensors)
    place = hooks.find(repository.git, repository.top or repository.git_dir)
    if not found or place.runs_lfs("pre-push"):
        return  # git-lfs has just asked the remote for those that are not here
    missing = lfs_pointers.without_object(repository.git, found)
    here = f"; {len(missing)} of them are not even here, such as that of {missing[0]}"
    yield (
        f"{len(found)} tensors are pointers of Git LFS, and no hook uploads their objects"
        f"{here if missing else ''}: `kvcs init --lfs` sets one up"
    )
