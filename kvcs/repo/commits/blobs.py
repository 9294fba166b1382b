"""The fast path: the files of some directories that changed, stored as blobs in one pack.

Those that Git LFS keeps go into its store, and their pointers into git.

It only prepares what `git add` finds done afterwards, so whatever is not for it (a file that git
converts, a link, a repository of an unusual kind) is left out here and comes in with that.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from kvcs.errors import RepositoryError
from kvcs.repo.commits.conversion import stored_as_they_are
from kvcs.repo.commits.index_file import Entry, file_mode, read_entries
from kvcs.repo.lfs.adding import kept_by_lfs, store_in_lfs
from kvcs.repo.object_settings import Settings
from kvcs.repo.packs.packing import PackSettings, write_pack
from kvcs.repo.packs.reading import StoredBlobs
from kvcs.repo.packs.streaming import Blob, Source, hashed
from kvcs.repo.program import GitProgram

# Below this, git is as fast, and its loose objects are better: packs are counted (`git gc` starts
# at 50), and each commit of a small model would leave one.
_WORTHWHILE = 512 << 10

_HASHERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that the index does not know to be unchanged: its path, place, status and entry."""

    path: bytes
    place: Path
    status: os.stat_result
    entry: Entry | None

    @property
    def suspect(self) -> bool:
        """Whether it may be unchanged all the same."""
        return self.entry is not None and self.entry.may_be_unchanged(self.status)


# Files that are known by device, inode, size and time of modification.
Kept: TypeAlias = Mapping[bytes, tuple[int, ...]]

# A file's mode, as git has it, and its blob.
StoredFile: TypeAlias = tuple[int, Blob]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Files that are blobs of the repository now.

    Attributes:
        files: mode and blob of each, by path.
        verified: those that were seen to have the checksum they should have.
    """

    files: Mapping[bytes, StoredFile] = field(default_factory=dict)
    verified: frozenset[bytes] = frozenset()


def prepare(
    git: GitProgram,
    settings: Settings,
    top: Path,
    paths: Sequence[str],
    *,
    ignored: set[bytes],
    checked: Mapping[bytes, str],
    kept: Kept,
) -> Prepared | None:
    """Store the changed files of some directories, where that is faster than git.

    Args:
        git: the program.
        settings: the settings of the repository.
        top: the root of the work tree.
        paths: the directories, from there.
        ignored: files that are not for git.
        checked: the SHA-256 that a file should have, for those where that should be looked at.
        kept: files that were unchanged before a save, which linked or replaced them.

    Returns:
        What git need not do any more; None in a repository that is left to git alone.

    Raises:
        RepositoryError: the disk said no, or a file changed while it was read.
        DamageError: a file has not the checksum it should have.
    """
    if not _is_usual(settings):
        return None
    found = {file.path: file for file in _changed(settings, top, paths)}
    changed = [file for file in found.values() if file.entry or file.path not in ignored]
    if sum(file.status.st_size for file in changed) < _WORTHWHILE:
        return Prepared()
    plain = stored_as_they_are(git, settings, {file.path: file.place for file in changed})
    files = [file for file in changed if file.path in plain]
    others = [file for file in changed if file.path not in plain]
    try:
        pointers = _store_in_lfs(git, settings, others, checked, kept)
        stored = _store(settings, files, checked, kept)
        return Prepared({**stored.files, **pointers.files}, stored.verified | pointers.verified)
    except OSError as error:
        where = error.filename or "the repository"
        raise RepositoryError(
            f"{os.fspath(where)}: {error.strerror or error}; nothing was committed"
        ) from error


def unchanged(settings: Settings, top: Path, paths: Sequence[str]) -> Kept:
    """Return the files below some directories of which the index knows that they are unchanged."""
    if not _is_usual(settings):
        return {}
    entries, written = _index(settings, paths)
    found = {}
    for name, entry in entries.items():
        with suppress(OSError):
            status = os.lstat(top / os.fsdecode(name))
            if entry.watched and entry.is_unchanged(status) and entry.is_older(written):
                found[name] = _file_itself(status)
    return found


def _is_usual(settings: Settings) -> bool:
    """Tell whether a path and a file mean the same to git as to the system."""
    return not (
        sys.platform == "win32"
        or settings.is_on("core.ignorecase")
        or settings.is_on("core.sparsecheckout")
        or "extensions.compatobjectformat" in settings.values
    )


def _changed(settings: Settings, top: Path, paths: Sequence[str]) -> Iterator[Changed]:
    """Yield the regular files of which the index does not know that they are unchanged."""
    entries, written = _index(settings, paths)
    composed = settings.is_on("core.precomposeunicode")  # the index has other names than the disk
    start = len(os.path.join(top, ""))  # noqa: PTH118
    for path in paths:
        for place in _files(os.fspath(top / path)):
            name = os.fsencode(place[start:])
            entry = entries.get(name)
            if entry and not (entry.watched and stat.S_ISREG(entry.mode)):
                continue
            if composed and not name.isascii():
                continue
            status = os.lstat(place)
            if not (entry and entry.is_unchanged(status) and entry.is_older(written)):
                yield Changed(name, Path(place), status, entry)


def _index(settings: Settings, paths: Sequence[str]) -> tuple[Mapping[bytes, Entry], int]:
    """Return the entries below some directories, and when the index was written."""
    try:
        written = settings.index.stat().st_mtime_ns
        data = settings.index.read_bytes()
    except OSError:
        return {}, 0
    below = [os.fsencode(path) + b"/" if path else b"" for path in paths]
    return read_entries(data, settings.name_size, below) or {}, written


def _files(directory: str) -> Iterator[str]:
    """Yield the regular files below a directory, but for those of another repository."""
    try:
        with os.scandir(directory) as listing:
            found = sorted(listing, key=lambda entry: entry.name)
    except OSError:  # removed, or not to be read: git says which
        return
    for entry in found:
        if entry.name.lower() == ".git":
            continue
        if entry.is_file(follow_symlinks=False):
            yield entry.path
        elif entry.is_dir(follow_symlinks=False) and not Path(entry.path, ".git").exists():
            yield from _files(entry.path)


def _store(
    settings: Settings,
    files: Sequence[Changed],
    checked: Mapping[bytes, str],
    kept: Kept,
) -> Prepared:
    blobs = _linked(files, kept)
    rest = [file for file in files if file.path not in blobs]
    blobs.update(_unchanged(settings, rest))
    new = [file for file in files if file.path not in blobs]
    verified: frozenset[bytes] = frozenset()
    if sum(file.status.st_size for file in new) >= _WORTHWHILE:
        packed = _pack(settings, new, checked)
        verified = frozenset(packed.keys() & checked.keys())
        blobs.update(packed)
    return Prepared(_with_modes(settings, files, blobs), verified)


def _store_in_lfs(
    git: GitProgram,
    settings: Settings,
    files: Sequence[Changed],
    checked: Mapping[bytes, str],
    kept: Kept,
) -> Prepared:
    places = {file.path: file.place for file in files}
    ours = kept_by_lfs(git, settings, places)
    blobs = _linked([file for file in files if file.path in ours], kept)
    new = {path: places[path] for path in ours - blobs.keys()}
    stored = store_in_lfs(git, settings, new, checked)
    verified = frozenset(stored.keys() & checked.keys())
    return Prepared(_with_modes(settings, files, {**blobs, **stored}), verified)


def _with_modes(
    settings: Settings, files: Sequence[Changed], blobs: Mapping[bytes, Blob]
) -> dict[bytes, StoredFile]:
    trusted = settings.is_on("core.filemode", default=True)
    return {
        file.path: (file_mode(file.status, file.entry, trusted=trusted), blobs[file.path])
        for file in files
        if file.path in blobs
    }


def _linked(files: Sequence[Changed], kept: Kept) -> dict[bytes, Blob]:
    """Return the blobs of files that are the very ones that were unchanged a moment ago."""
    return {
        file.path: Blob(file.entry.name, file.status)
        for file in files
        if file.entry and file.suspect and kept.get(file.path) == _file_itself(file.status)
    }


def _file_itself(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _unchanged(settings: Settings, files: Sequence[Changed]) -> dict[bytes, Blob]:
    """Return the blobs of files that turn out to be what the index says, such as linked ones."""
    suspects = [file for file in files if file.suspect]
    with ThreadPoolExecutor(_HASHERS) as pool:
        blobs = pool.map(lambda file: hashed(Source(file.place), settings.algorithm), suspects)
        return {
            file.path: blob
            for file, blob in zip(suspects, blobs, strict=True)
            if file.entry and blob.name == file.entry.name
        }


def _pack(
    settings: Settings, files: Sequence[Changed], checked: Mapping[bytes, str]
) -> dict[bytes, Blob]:
    """Write the files into packs, each content once; return the blobs."""
    pack_settings = PackSettings(
        settings.objects / "pack", settings.algorithm, settings.permissions, settings.durable
    )
    limit = settings.size("pack.packsizelimit")
    found: dict[bytes, Blob] = {}
    once, twins = _by_content(files, checked)
    with closing(StoredBlobs(settings.objects)) as existing:
        for group in _groups(once, limit):
            sources = [_source(file, checked) for file in group]
            blobs = write_pack(sources, pack_settings, existing.has)
            found.update((file.path, blob) for file, blob in zip(group, blobs, strict=True))
    names = {blob.name for blob in found.values()}
    for file in twins:
        blob = hashed(_source(file, checked), settings.algorithm)
        if blob.name in names:
            found[file.path] = blob
    return found


def _by_content(
    files: Sequence[Changed], checked: Mapping[bytes, str]
) -> tuple[list[Changed], list[Changed]]:
    """Set files apart whose content stands in another one, as far as checksums tell."""
    seen: set[str | None] = {None}
    once: list[Changed] = []
    twins: list[Changed] = []
    for file in files:
        sha256 = checked.get(file.path)
        (twins if sha256 and sha256 in seen else once).append(file)
        seen.add(sha256)
    return once, twins


def _source(file: Changed, checked: Mapping[bytes, str]) -> Source:
    return Source(file.place, file.path.endswith(b".npy"), checked.get(file.path))


def _groups(files: Sequence[Changed], limit: int) -> Iterator[list[Changed]]:
    """Yield the files in groups that are no larger than a limit, where there is one."""
    group: list[Changed] = []
    size = 0
    for file in files:
        if limit and group and size + file.status.st_size > limit:
            yield group
            group, size = [], 0
        group.append(file)
        size += file.status.st_size
    if group:
        yield group
