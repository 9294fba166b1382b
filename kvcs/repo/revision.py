"""`REV:DIR` and `:DIR`, turned into a readable mapping."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from kvcs.errors import AbsentError, DamageError, RepositoryError
from kvcs.pointer import Pointer
from kvcs.repo.lfs.store import LfsStore
from kvcs.repo.objects import ObjectReader, sizes
from kvcs.repo.place import Place, pathspec, resolve
from kvcs.repo.program import Completed, GitProgram
from kvcs.repo.promised import Promised
from kvcs.tree.partial import Partial, Progress, behind, silent, unheld

# The file of which a model has hundreds.
_SMALL = "layer.json"

_UNREADABLE = {"120000": "a symbolic link", "160000": "a submodule"}


class Spec(NamedTuple):
    """A revision and a path in it; an empty revision is the index, as in git."""

    revision: str
    path: str

    def __str__(self) -> str:
        """Return it as git takes it from any directory."""
        return f"{self.revision}:{self.path}"


class Entry(NamedTuple):
    """One file as git lists it; its path is still in bytes, and begins where it was asked for."""

    mode: str
    object_id: str
    stage: str
    path: bytes


@dataclass(frozen=True)
class Sources:
    """Where the contents of a revision come from."""

    git: GitProgram
    reader: ObjectReader
    promised: Promised
    lfs: LfsStore


class RevisionTree(Partial):
    """The files below one directory of a revision, by POSIX path, sorted.

    The names are known from the beginning; contents come from git's objects when asked for, and
    are not kept. A Git LFS pointer stands for its object. Readable while its `Repository` is open.
    """

    def __init__(self, description: str, objects: Mapping[str, str], sources: Sources) -> None:
        self.description = description
        self.path = description[(_first_colon(description) or 0) + 1 :]
        self._objects = dict(sorted(objects.items()))
        self._sources = sources
        self._lost: AbsentError | None = None
        self._small: dict[str, bytes] = {}

    def object_id(self, path: str) -> str | None:
        """Return the full hash of one file; None where there is no such file."""
        return self._objects.get(path)

    def __getitem__(self, path: str) -> bytes:
        """Read the contents of one file."""
        if path.endswith(_SMALL):
            return self._description(self._objects[path])
        return behind(self.stored(path), lambda: self._sources.lfs)

    def _description(self, object_id: str) -> bytes:
        """Read all such files at once: who reads one reads all, and each takes a while alone."""
        if object_id not in self._small:
            paths = [path for path in self._objects if path.endswith(_SMALL)]
            self.fetch(paths, pointed=False)
            ids = sorted({self._objects[path] for path in paths})
            self._small = dict(zip(ids, self._sources.reader.read_all(ids), strict=True))
        return self._small[object_id]

    def expect(self, paths: Iterable[str]) -> None:
        """Say which files will be read next, in order, so that they come faster."""
        expected = [self._objects[path] for path in paths if path in self._objects]
        if self._missing.isdisjoint(expected):
            self._sources.reader.expect(expected)

    def absent(self, paths: Iterable[str]) -> dict[str, Pointer | None]:
        """Return which of the files cannot be read here, each with its pointer if it has one."""
        asked = [path for path in paths if path in self._objects]
        missing: dict[str, Pointer | None] = {
            path: None for path in asked if self._objects[path] in self._missing
        }
        here = [path for path in asked if path not in missing and not path.endswith(".json")]
        return missing | unheld(self._sizes(here), self.stored, lambda: self._sources.lfs)

    def fetch(
        self, paths: Iterable[str], progress: Progress = silent, *, pointed: bool = True
    ) -> None:
        """Bring files to this machine: in one request to git's remote, and one to that of LFS."""
        asked = list(paths)
        wanted = {self._objects[path] for path in asked if path in self._objects} & self._missing
        if wanted:
            try:
                self._sources.promised.fetch(wanted, progress)
            except AbsentError as error:
                self._lost = error
                raise
            self._missing -= wanted
        if pointed:
            pointers = [pointer for pointer in self.absent(asked).values() if pointer]
            self._sources.lfs.fetch(pointers, progress)

    @cached_property
    def _missing(self) -> frozenset[str]:
        return self._sources.promised.missing(self.description)

    def stored(self, path: str) -> bytes:
        """Return a file as it is, a Git LFS pointer for example."""
        object_id = self._objects[path]
        if self._lost is not None and object_id in self._missing:
            raise self._lost  # asked for once, which can take until a network gives up
        return self._sources.reader.read(object_id)

    def _sizes(self, paths: Sequence[str]) -> dict[str, int]:
        if not paths:
            return {}
        found = sizes(self._sources.git, [self._objects[path] for path in paths])
        return {path: size for path, size in zip(paths, found, strict=True) if size is not None}

    def __iter__(self) -> Iterator[str]:
        """Go through the paths in order."""
        return iter(self._objects)

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._objects)

    def __contains__(self, path: object) -> bool:
        """Tell whether there is such a file, without reading it as `Mapping` would."""
        return path in self._objects

    def __repr__(self) -> str:
        """Name the revision, whose contents may be gigabytes."""
        return f"<{type(self).__name__} {self.description}>"


def read_revision(sources: Sources, place: Place, text: str) -> RevisionTree:
    """Return the tree that `REV:DIR` or `:DIR` names.

    Raises:
        RepositoryError: if there is no such revision, or no such directory in it.
        DamageError: if the directory holds entries that are no files.
    """
    git = sources.git
    spec = parse(text, place)
    entries = _list_tree(git, place, spec) if spec.revision else _list_index(git, place, spec)
    return RevisionTree(str(spec), _objects(entries, spec), sources)


def resolve_commit(git: GitProgram, revision: str) -> str:
    """Return the full hash of the commit that a revision names."""
    return _resolved(git, revision, "^{commit}")


def resolve_object(git: GitProgram, revision: str) -> str:
    """Return the full hash of what a revision names: a tag is itself, not the commit it is for.

    Raises:
        RepositoryError: if there is no such revision.
    """
    return _resolved(git, revision)


def _resolved(git: GitProgram, revision: str, kind: str = "") -> str:
    _refuse_option(revision)
    done = git.run("rev-parse", "--verify", "--end-of-options", f"{revision}{kind}")
    _refuse_ambiguous(done, revision)
    if done.status != 0:
        raise _no_revision(git, revision)
    return done.text


def parse(text: str, place: Place) -> Spec:
    """Split at the first colon, as git does, and resolve the path from the repository root."""
    at = _first_colon(text)
    if at is None:
        raise RepositoryError(f"'{text}' names no directory; write '{text}:DIR'.")
    revision, path = text[:at], text[at + 1 :]
    _refuse_option(revision)
    if not revision and path[:2] in ("0:", "1:", "2:", "3:"):
        raise RepositoryError(f"'{text}' is one side of a merge; kvcs reads ':DIR' only.")
    if place.top is None and (not revision or path.startswith(("./", "../"))):
        raise RepositoryError(f"'{text}' needs a work tree, and {place.git_dir} has none here.")
    return Spec(revision, resolve(path, place.prefix))


def _first_colon(text: str) -> int | None:
    """Find the colon in front of the path; those in `@{12:30}` and `^{/fix: x}` are none."""
    depth = 0
    for at, character in enumerate(text):
        if character == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == ":" and not depth:
            return at
    return None


def read_root(sources: Sources, revision: str) -> RevisionTree:
    """Return all files of a revision; links, submodules and names that are not UTF-8 are left out.

    Raises:
        RepositoryError: if there is no such revision.
    """
    resolve_commit(sources.git, revision)
    spec = Spec(revision, "")
    done = sources.git.check("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", str(spec))
    files = (entry for entry in map(_tree_entry, done.records) if entry.mode not in _UNREADABLE)
    return RevisionTree(str(spec), _objects(filter(_is_named, files), spec), sources)


def _is_named(entry: Entry) -> bool:
    try:
        entry.path.decode()
    except UnicodeDecodeError:
        return False
    return True


def _objects(entries: Iterable[Entry], spec: Spec) -> dict[str, str]:
    objects = {}
    for entry in entries:
        try:
            path = entry.path.decode()
        except UnicodeDecodeError as error:
            name = entry.path.decode("utf-8", "backslashreplace")
            raise DamageError(f"{spec}: the name '{name}' is not UTF-8") from error
        if entry.mode in _UNREADABLE:
            raise DamageError(f"{spec}: '{path}' is {_UNREADABLE[entry.mode]}, not a file")
        if path in objects:  # a tree that git itself would not write
            raise DamageError(f"{spec}: '{path}' stands there twice")
        objects[path] = entry.object_id
    return objects


def _list_tree(git: GitProgram, place: Place, spec: Spec) -> list[Entry]:
    done = git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", str(spec))
    _refuse_ambiguous(done, spec.revision)
    if done.status != 0:
        raise _why_no_tree(git, place, spec, done)
    return [_tree_entry(record) for record in done.records]


def _tree_entry(record: bytes) -> Entry:
    facts, path = record.split(b"\t", 1)
    mode, _, object_id = facts.decode().split()
    return Entry(mode, object_id, "0", path)


def _list_index(git: GitProgram, place: Place, spec: Spec) -> list[Entry]:
    done = git.check("ls-files", "-z", "--stage", "--full-name", "--", pathspec(spec.path))
    folder = f"{spec.path}/".encode("utf-8", "surrogateescape") if spec.path else b""
    entries = [_index_entry(record) for record in done.records]
    if any(entry.stage != "0" for entry in entries):
        raise RepositoryError(
            f"'{spec}' is unmerged; resolve its conflicts and `git add` the result first."
        )
    if any(not entry.path.startswith(folder) for entry in entries):
        raise _not_a_directory(spec, entries[0].mode)
    if spec.path and not entries:
        raise _no_path(place, spec)
    return [entry._replace(path=entry.path[len(folder) :]) for entry in entries]


def _index_entry(record: bytes) -> Entry:
    facts, path = record.split(b"\t", 1)
    mode, object_id, stage = facts.decode().split()
    return Entry(mode, object_id, stage, path)


def _refuse_option(revision: str) -> None:
    if revision.startswith("-"):
        raise RepositoryError(f"'{revision}' is no revision: no name in git begins with '-'.")


def _refuse_ambiguous(done: Completed, revision: str) -> None:
    # git warns, and takes the tag; nobody would see that warning.
    if "is ambiguous" in done.errors:
        raise _ambiguous(revision)


def _ambiguous(revision: str) -> RepositoryError:
    return RepositoryError(
        f"'{revision}' is ambiguous; write 'refs/tags/NAME', 'refs/heads/NAME' or a longer hash."
    )


def _why_no_tree(git: GitProgram, place: Place, spec: Spec, failure: Completed) -> Exception:
    tree = f"{spec.revision}^{{tree}}"
    if git.run("rev-parse", "--verify", "--quiet", "--end-of-options", tree).status != 0:
        return _no_revision(git, spec.revision)
    where = ("--end-of-options", spec.revision, spec.path)
    found = git.run("--literal-pathspecs", "ls-tree", "-z", "--full-tree", *where)
    if found.status != 0:
        return RepositoryError(f"git cannot list '{spec}': {failure.reason}")
    if not found.records:
        return _no_path(place, spec)
    return _not_a_directory(spec, _tree_entry(found.records[0]).mode)


def _no_revision(git: GitProgram, revision: str) -> RepositoryError:
    done = git.run("rev-parse", "--verify", "--end-of-options", revision)
    if "is ambiguous" in done.errors:
        return _ambiguous(revision)
    if revision.startswith(("HEAD", "@")):
        branch = git.run("symbolic-ref", "--short", "--quiet", "HEAD").text
        if git.run("rev-parse", "--verify", "--quiet", "HEAD").status != 0:
            return RepositoryError(
                f"'{revision}' names nothing yet: branch '{branch}' has no commit."
            )
    return RepositoryError(f"There is no revision '{revision}' in this repository.")


def _no_path(place: Place, spec: Spec) -> RepositoryError:
    where = f"revision '{spec.revision}'" if spec.revision else "the index"
    missing = f"There is no directory '{spec.path}' in {where}"
    if place.top and os.path.lexists(place.top / spec.path):
        todo = "is not committed there" if spec.revision else "was never added to it"
        return RepositoryError(f"{missing}; it exists in the working tree, but {todo}.")
    if place.prefix and os.path.lexists(place.start / spec.path):
        return RepositoryError(f"{missing}; did you mean '{spec.revision}:./{spec.path}'?")
    return RepositoryError(f"{missing}.")


def _not_a_directory(spec: Spec, mode: str) -> RepositoryError:
    kind = _UNREADABLE.get(mode, "a file")
    return RepositoryError(f"'{spec}' is {kind}; name the directory that holds the model.")
