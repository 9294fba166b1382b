"""Blobs that a partial clone left at its remote, and how they are fetched together.

Whatever asks git for such a blob makes it fetch that one. What a model needs is asked for at once
instead, in the way in which git itself fetches what a checkout needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property

from kvcs.errors import AbsentError, RepositoryError
from kvcs.repo.program import FETCHING, GitProgram, decode
from kvcs.tree.partial import Progress, silent

_SETTINGS = r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$"
_OF_REMOTE = re.compile(r"remote\.(.*)\.(?:promisor|partialclonefilter)", re.DOTALL)

# No negotiation about what is here already: only these objects are wanted, whole.
_FETCH = (
    *("-c", "fetch.negotiationAlgorithm=noop"),
    *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"),
    *("--recurse-submodules=no", "--filter=blob:none", "--stdin"),
)


class Promised:
    """What a partial clone has not got; nothing in an ordinary one."""

    def __init__(self, git: GitProgram) -> None:
        self._git = git

    @cached_property
    def remotes(self) -> tuple[str, ...]:
        """The remotes that promised to have it, in the order in which git asks them."""
        done = self._git.run("config", "--null", "--get-regexp", _SETTINGS)
        found: dict[str, None] = {}
        for record in done.records:
            key, _, value = decode(record).partition("\n")
            remote = _OF_REMOTE.fullmatch(key)
            if remote is None:
                found = {value: None, **found}
            elif value not in ("false", "no", "off", "0", ""):
                found[remote[1]] = None
        return tuple(found)

    def missing(self, spec: str) -> frozenset[str]:
        """Return the blobs below `REV:DIR` that are not here; of the whole index for `:DIR`.

        Nothing is fetched to find out.
        """
        if spec.startswith(":"):
            return self._missing("--indexed-objects")
        return self._missing("--end-of-options", spec)

    def fetch_missing(self, object_ids: Iterable[str]) -> None:
        """Fetch those of some blobs, wherever in the history they stand, that are not here.

        Where that fails, nothing is said: git tries again for each that is read, and says what
        is wrong.
        """
        with suppress(RepositoryError):
            wanted = self._missing("--all").intersection(object_ids)
            if wanted:
                self.fetch(wanted)

    def fetch(self, object_ids: Iterable[str], progress: Progress = silent) -> None:
        """Fetch blobs in one request.

        Raises:
            AbsentError: no remote has all of them, or none can be reached.
        """
        wanted = sorted(set(object_ids))
        lines = "".join(f"{object_id}\n" for object_id in wanted).encode()
        progress(0, 0)
        reasons = []
        for remote in self.remotes:
            done = self._git.run(*_FETCH, remote, stdin=lines, environment=FETCHING)
            if done.status == 0:
                return
            reasons.append(f"'{remote}' ({done.reason})")
        raise AbsentError(
            f"This is a partial clone, and {len(wanted)} files of the model could not be fetched "
            f"from {' or '.join(reasons) or 'any remote'}. Check the connection and "
            "`git remote --verbose`, then try again."
        )

    def _missing(self, *what: str) -> frozenset[str]:
        if not self.remotes:
            return frozenset()
        listing = ("rev-list", "--objects", "--no-object-names", "--missing=print", *what)
        lines = self._git.check(*listing).text.splitlines()
        return frozenset(line[1:] for line in lines if line.startswith("?"))
