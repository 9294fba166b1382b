"""Where a version of a file stands: in the index, in HEAD, or in some commit.

git tells a diff driver the hash of a file's two versions, and not where they come from. A manifest
names all other files of its model by digest, so any tree that holds it holds the same model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from kvcs.errors import KvcsError
from kvcs.repo.place import Place, pathspec
from kvcs.repo.program import GitProgram
from kvcs.repo.revision import RevisionTree, Sources, read_revision

# What no reference points to, but what a person compares with: `git diff HEAD...FETCH_HEAD`.
_PASSING = ("FETCH_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD")


def holders(sources: Sources, place: Place, path: str, object_id: str) -> Iterator[RevisionTree]:
    """Yield directories that hold an object at a path, those that are found fastest first."""
    folder, _, name = path.rpartition("/")
    for revision in _revisions(sources.git, place, path, object_id):
        with suppress(KvcsError):
            tree = read_revision(sources, place, f"{revision}:{folder}")
            if tree.object_id(name) == object_id:
                yield tree


def _revisions(git: GitProgram, place: Place, path: str, object_id: str) -> Iterator[str]:
    yield from ("", "HEAD")
    for commit, before in _changes(git, place, path, object_id):
        yield f"{commit}^1" if before else commit


def _changes(
    git: GitProgram, place: Place, path: str, object_id: str
) -> Iterator[tuple[str, bool]]:
    """Yield the newest commit that brought the object to its path, or took it away from there."""
    passing = [name for name in _PASSING if _is_set(place, name)]
    done = git.run(
        *("-c", "log.showSignature=false", "log", "--no-color", "--max-count=1"),
        *("--format=%H", "--raw", "--no-abbrev", "--no-renames", "-z"),
        # Stashes and what was amended are in reflogs; a merge can hold what no parent has.
        *("--all", "--reflog", *passing, "--full-history", "--diff-merges=first-parent"),
        *(f"--find-object={object_id}", "--", pathspec(path)),
    )
    if done.status != 0 or not done.output:
        return
    commit, _, raw = done.output.partition(b"\0")
    facts = raw.strip(b"\n\0").split(b"\0")[0].split()
    yield commit.decode(), len(facts) > 3 and facts[3].decode() != object_id


def _is_set(place: Place, name: str) -> bool:
    file = place.git_dir / name
    return file.is_file() and file.stat().st_size > 0
