"""Small files that a partial clone lacks, fetched in one request instead of one by one."""

from __future__ import annotations

from collections.abc import Iterable

from kvcs.repo.place import Place
from kvcs.repo.program import WRITING, GitProgram

# As git itself fetches what is missing: it asks for objects, and says nothing of its own.
_FETCH = (
    *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags"),
    *("--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none", "--stdin"),
)


def fetch_missing(git: GitProgram, place: Place, object_ids: Iterable[str]) -> None:
    """Fetch those of some objects that a partial clone has left at its remote.

    Where that fails, nothing is said: git tries again for each object that is read, and says
    what is wrong.
    """
    if not _is_partial(place):
        return
    listed = git.run("rev-list", "--objects", "--missing=print", "--no-object-names", "--all")
    missing = {line[1:] for line in listed.text.splitlines() if line.startswith("?")}
    wanted = sorted(missing.intersection(object_ids))
    remote = git.run("config", "--get", "extensions.partialClone").text or "origin"
    if wanted:
        git.run(*_FETCH, remote, stdin="\n".join([*wanted, ""]).encode(), environment=WRITING)


def _is_partial(place: Place) -> bool:
    """Tell by what git puts beside the packs of such a clone."""
    return any((place.common / "objects" / "pack").glob("*.promisor"))
