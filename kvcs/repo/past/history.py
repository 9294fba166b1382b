"""The commits that touched a model, also under the names its directory had before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from kvcs.errors import RepositoryError
from kvcs.repo.past.batch import Trees
from kvcs.repo.place import Place, pathspec
from kvcs.repo.program import Completed, GitProgram, decode
from kvcs.repo.revision import resolve_commit

# One record per field and commit. Trailers are separated by a character that no commit message
# can have sensibly, since %x00 already ends the field.
_BETWEEN_TRAILERS = "\x1e"
_FIELDS = (
    "%H", "%h", "%P", "%an", "%aI", "%s", "%(trailers:only=true,unfold=true,separator=%x1e)",
)  # fmt: skip

# Settings of the user that would change what `git log` prints or follows.
_PLAIN = ("-c", "log.showSignature=false", "-c", "log.follow=false")

# How much of a manifest has to be the same when a directory is renamed in a commit that also
# changes the model: all digests in it may be others.
_ALIKE = "--find-renames=40%"

# Of a merge of more lines than these, the others are not asked whether they have a model.
_PARENTS = ("^1", "^2", "^3", "^4", "^5", "^6", "^7", "^8")


@dataclass(frozen=True)
class Version:
    """One commit that touched a model.

    Attributes:
        hash: the full hash.
        abbrev: the hash as short as is unique here.
        author: the author's name.
        date: the author's date, strict ISO 8601 with its offset from UTC.
        subject: the first paragraph of the message, in one line.
        trailers: key and value of each trailer, in order.
        path: the directory, from the repository root.
        parents: full hashes of the versions before it; more than one where lines met.
        renamed_from: the directory in the versions before it, if that was another one.
        cut: whether the repository, a shallow clone, holds nothing before this commit.
    """

    hash: str
    abbrev: str
    author: str
    date: str
    subject: str
    trailers: tuple[tuple[str, str], ...]
    path: str = ""
    parents: tuple[str, ...] = ()
    renamed_from: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which commits are asked for, in the spellings of `git log`."""

    revisions: tuple[str, ...] = ("HEAD",)
    limit: int | None = None
    since: str = ""
    until: str = ""

    @property
    def options(self) -> list[str]:
        """The selection as options of `git log`."""
        found = [] if self.limit is None else [f"--max-count={self.limit}"]
        found += [f"--since={self.since}"] if self.since else []
        return found + ([f"--until={self.until}"] if self.until else [])


def follow(
    git: GitProgram, place: Place, trees: Trees, path: str, selection: Selection, manifest: str
) -> list[Version]:
    """Return the commits that touched a directory, children first, else newest first.

    Where a commit renamed the directory, it goes on with the old name. A directory is known by a
    file in it, which git has to find again.

    Args:
        git, place: the repository.
        trees: what reads its trees.
        path: the directory, from the repository root.
        selection: which commits.
        manifest: name of the file by which the directory is known.

    Raises:
        RepositoryError: there is no such revision.
    """
    found = read_history(git, path, selection)
    births = _renames(git, trees, found, manifest)
    if births:
        found = _with_older(git, place, trees, found, births, selection, manifest)
    cuts = _shallow(place)
    found = [replace(version, cut=version.hash in cuts) for version in found]
    return found[: selection.limit]


def _with_older(
    git: GitProgram,
    place: Place,
    trees: Trees,
    found: list[Version],
    births: dict[str, str],
    selection: Selection,
    manifest: str,
) -> list[Version]:
    """Put the older versions of a renamed directory behind the newer ones."""
    newer = {version.hash: version for version in _down_to(found, births)}
    older: dict[str, Version] = {}
    for commit, name in births.items():
        if commit not in newer:
            continue
        revisions = (f"{commit}^", *_excluded(git, selection.revisions))
        before = follow(
            git, place, trees, name, replace(selection, revisions=revisions), manifest
        )  # fmt: skip
        parents = (before[0].hash,) if before else ()
        newer[commit] = replace(newer[commit], parents=parents, renamed_from=name)
        older |= {version.hash: version for version in before if version.hash not in older}
    return [*newer.values(), *(older[commit] for commit in older if commit not in newer)]


def _down_to(versions: Sequence[Version], births: dict[str, str]) -> Iterator[Version]:
    """Yield what leads to a birth, or beside it; before it, another model had the name."""
    known = {version.hash: version for version in versions}
    children = {parent for version in versions for parent in version.parents}
    waiting = [version.hash for version in versions if version.hash not in children]
    reached = set()
    while waiting:
        commit = waiting.pop()
        if commit in known and commit not in reached:
            reached.add(commit)
            waiting += [] if commit in births else known[commit].parents
    return (version for version in versions if version.hash in reached)


def _renames(
    git: GitProgram, trees: Trees, versions: Sequence[Version], manifest: str
) -> dict[str, str]:
    """Return the commits in which the directory got its name, and the name it had before."""
    found = {}
    for version in _births(trees, versions, manifest):
        old = _old_name(git, version, manifest)
        if old is not None:
            found[version.hash] = old
    return found


def _births(trees: Trees, versions: Sequence[Version], manifest: str) -> list[Version]:
    """Return the commits that have a model where none of their parents has."""
    commits = [version.hash for version in versions]
    asked = [f"{commit}{parent}" for commit in commits for parent in ("", *_PARENTS)]
    roots = trees.roots(asked)
    path = versions[0].path if versions else ""
    there = trees.directories((root, path) for root in roots.values())
    holding = trees.holding(there.values(), manifest)

    def has(commit: str) -> bool:
        return there.get((roots.get(commit, ""), path)) in holding

    return [
        version
        for version in versions
        if f"{version.hash}^1" in roots
        and has(version.hash)
        and not any(has(f"{version.hash}{parent}") for parent in _PARENTS)
    ]


def _old_name(git: GitProgram, version: Version, manifest: str) -> str | None:
    """Ask git from where a commit moved the directory; None for nowhere."""
    new = f"{version.path}/{manifest}" if version.path else manifest
    done = git.check(
        *("diff-tree", "-r", "-z", "--raw", _ALIKE, f"{version.hash}^1", version.hash),
        *("--", f":(top,glob)**/{manifest}"),
    )
    records = iter(done.records)
    for facts in records:
        path = decode(next(records))
        if facts.rpartition(b" ")[2].startswith(b"R") and decode(next(records)) == new:
            return path.removesuffix(manifest).rstrip("/")
    return None


def _excluded(git: GitProgram, revisions: Iterable[str]) -> list[str]:
    """Return what a range leaves out, as `^hash`."""
    if not any(mark in revision for revision in revisions for mark in ("..", "^")):
        return []
    done = git.check("rev-parse", "--revs-only", "--end-of-options", *revisions)
    return [line for line in done.text.splitlines() if line.startswith("^")]


def _shallow(place: Place) -> frozenset[str]:
    """Return the commits behind which a shallow clone holds nothing."""
    try:
        return frozenset((place.common / "shallow").read_text().split())
    except OSError:
        return frozenset()


def read_history(git: GitProgram, path: str, selection: Selection) -> list[Version]:
    """Return the selected commits that touched a path, children first, else newest first.

    Raises:
        RepositoryError: there is no such revision.
    """
    for revision in selection.revisions:
        if revision.startswith("-"):
            raise RepositoryError(f"'{revision}' is no revision: no name in git begins with '-'.")
    done = git.run(
        *(*_PLAIN, "log", "-z", "--date-order", "--parents"),
        *("--encoding=UTF-8", "--no-color", "--no-patch", "--format=" + "%x00".join(_FIELDS)),
        *selection.options,
        *("--end-of-options", *selection.revisions, "--", pathspec(path)),
    )
    if done.status != 0 or "is ambiguous" in done.errors:
        raise _no_such(git, selection.revisions, done)
    texts = [record.decode("utf-8", "replace") for record in done.records]
    size = len(_FIELDS)
    return [_version(path, *texts[at : at + size]) for at in range(0, len(texts), size)]


def _no_such(git: GitProgram, revisions: Sequence[str], done: Completed) -> RepositoryError:
    """Find the name that git did not know, and say so as elsewhere."""
    for revision in revisions:
        for name in revision.removeprefix("^").replace("...", "..").split(".."):
            resolve_commit(git, name or "HEAD")
    return RepositoryError(f"git log failed: {done.reason}")


def _version(
    path: str,
    commit: str,
    abbrev: str,
    parents: str,
    author: str,
    date: str,
    subject: str,
    trailers: str,
) -> Version:
    lines = [line for line in trailers.split(_BETWEEN_TRAILERS) if line]
    return Version(
        hash=commit,
        abbrev=abbrev,
        author=author,
        date=date,
        subject=subject,
        trailers=tuple(_trailer(line) for line in lines),
        path=path,
        parents=tuple(parents.split()),
    )


def _trailer(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()
