"""Where the rest of a model is, of which git hands a driver the manifest alone.

git never says which commits are compared. But a manifest names every part of its model by digest,
so any tree that holds the same manifest holds the same model; what is read is checked by digest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from kvcs.commands.operand import Stored
from kvcs.errors import KvcsError
from kvcs.spec import StoredModel
from kvcs.workdir import Directory

ABSENT = "."  # git's word for the hash of a file that is not there
WORK_TREE = "working tree"
SHORT = 7  # digits of a hash, as git shows them


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a file, as git hands it to a driver.

    Attributes:
        path: from the root of the work tree.
        file: where its contents are: a temporary file, or the one in the working tree.
        object_id: its hash; zeros where git knows none, `.` where there is no such version.
    """

    path: str
    file: str
    object_id: str

    @property
    def exists(self) -> bool:
        """Whether there is such a version."""
        return self.object_id != ABSENT

    @property
    def in_work_tree(self) -> bool:
        """Whether it is a file in the working tree that git did not hash."""
        return not self.object_id.strip("0")

    @property
    def label(self) -> str:
        """What to call it."""
        return WORK_TREE if self.in_work_tree else self.object_id[:SHORT]

    @property
    def model(self) -> str:
        """The directory of the model, from the root of the work tree."""
        return self.path.rpartition("/")[0] or "."

    def read(self) -> bytes:
        """Return the contents."""
        return Path(self.file).read_bytes()


@dataclass(frozen=True, slots=True)
class Found:
    """A model that stands where its manifest does."""

    stored: Stored
    described: StoredModel


@dataclass
class Trees:
    """Finds models by their manifests; what it found can be read until it is closed."""

    _stack: ExitStack = field(default_factory=ExitStack)

    def find(self, version: Version) -> Found:
        """Return the model of a manifest.

        Raises:
            KvcsError: there is none, or it is damaged wherever it stands.
        """
        failure = KvcsError(
            f"{version.label} of {version.path} stands in no branch, tag, stash or working tree, "
            "so there are no layers to compare"
        )
        for files in self._candidates(version):
            stored = Stored(f"{version.model} {version.label}", files)
            try:
                return Found(stored, stored.model())
            except KvcsError as error:
                failure = error
        raise failure

    def _candidates(self, version: Version) -> Iterator[Mapping[str, bytes]]:
        from kvcs.repo import Repository

        if version.in_work_tree:
            yield Directory(Path(version.file).parent)
            return
        # One for each version: two gits read two tensors at the same time.
        repository = self._stack.enter_context(Repository.discover())
        for path in _paths(version):
            yield from repository.holding(path, version.object_id)
        for path in _paths(version):
            if _holds(Path(path), version.read()):
                yield Directory(Path(path).parent)

    def __enter__(self) -> Trees:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the git that reads objects."""
        self._stack.close()


def _paths(version: Version) -> list[str]:
    """Return what the path from the root may be, since `git diff --relative` leaves a part out."""
    found = [version.path]
    if version.file.endswith(f"/{version.path}") and not version.file.startswith("/"):
        found.append(version.file)
    found.append(os.environ.get("GIT_PREFIX", "") + version.path)
    return list(dict.fromkeys(found))


def _holds(place: Path, content: bytes) -> bool:
    try:
        return place.read_bytes() == content
    except OSError:
        return False
