"""What is set in a repository, as far as it decides how files become objects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kvcs.repo.program import GitProgram, decode

_FALSE = ("false", "no", "off", "0", "")
_GROUP, _ALL = 0o660, 0o664
_SHARED = {
    **dict.fromkeys((*_FALSE, "umask"), 0),
    **dict.fromkeys(("true", "yes", "on", "1", "group"), _GROUP),
    **dict.fromkeys(("all", "world", "everybody", "2"), _ALL),
}
_READ_ONLY = 0o444
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

# The words of core.fsync that mean packs, among others.
_WITH_PACKS = ("pack", "objects", "derived-metadata", "committed", "added", "all")


@dataclass(frozen=True)
class Settings:
    """The settings of a repository.

    Attributes:
        algorithm: `sha1` or `sha256`, for the names of objects.
        objects: where objects are.
        index: where the index is: each worktree has its own, and `GIT_INDEX_FILE` may name one.
        values: every setting, the name of its section and its own in lower case.
    """

    algorithm: str
    objects: Path
    index: Path
    values: Mapping[str, str]

    def is_on(self, name: str, *, default: bool = False) -> bool:
        """Tell whether a switch is on."""
        return self.values.get(name, str(default)).lower() not in _FALSE

    @property
    def name_size(self) -> int:
        """The size of an object's name in bytes."""
        return hashlib.new(self.algorithm).digest_size

    def size(self, name: str) -> int:
        """Return a number of bytes, 0 where it is not set."""
        value = self.values.get(name, "0").lower()
        number, factor = (value[:-1], _UNITS[value[-1]]) if value[-1:] in _UNITS else (value, 1)
        return int(number) * factor if number.isdigit() else 0

    def permissions(self, own: int) -> int:
        """Return the permissions of a read-only file, as `core.sharedRepository` wants them.

        Args:
            own: those that the file got from the process that made it.
        """
        shared = self.values.get("core.sharedrepository", "umask").lower()
        if shared in _SHARED:
            return own | _SHARED[shared] & _READ_ONLY
        return int(shared, 8) & _READ_ONLY

    @property
    def durable(self) -> bool:
        """Whether `core.fsync` wants packs on the disk before they are used."""
        found = True
        for word in self.values.get("core.fsync", "").replace(" ", "").split(","):
            if word in ("none", *(f"-{group}" for group in _WITH_PACKS)):
                found = False
            elif word in ("default", *_WITH_PACKS):
                found = True
        return found


def read_settings(git: GitProgram) -> Settings:
    """Ask git for the settings that hold here, with those of the user and the environment."""
    places = ("--git-path", "objects", "--git-path", "index")
    done = git.check("rev-parse", "--show-object-format", "--path-format=absolute", *places)
    algorithm, objects, index = done.text.split("\n")
    return Settings(algorithm, Path(objects), Path(index), _values(git))


def _values(git: GitProgram) -> dict[str, str]:
    found = {}
    for record in git.check("config", "--list", "-z").records:
        name, given, value = decode(record).partition("\n")
        found[name] = value if given else "true"
    return found
