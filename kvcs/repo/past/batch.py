"""Many git objects at once: those of a whole history, from one process for each round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kvcs.errors import RepositoryError
from kvcs.repo.program import GitProgram

TREE = b"40000"
FILES = (b"100644", b"100755", b"100664")


@dataclass(frozen=True, slots=True)
class GitObject:
    """One object: its id, its kind (`blob`, `tree`, …) and its content."""

    id: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One line of a tree: its mode as git writes it, the object, and the name as bytes."""

    mode: bytes
    id: str
    name: bytes


def read_objects(git: GitProgram, names: Iterable[str]) -> dict[str, GitObject]:
    """Return objects by what they were asked for: an id, or `COMMIT^{tree}`.

    All are in memory at once, so this is for trees and small files. What is not there, as in a
    shallow clone, is left out.

    Raises:
        RepositoryError: git gave up in the middle.
    """
    asked = list(dict.fromkeys(names))
    if not asked:
        return {}
    done = git.run("cat-file", "--batch", "--buffer", stdin="\n".join([*asked, ""]).encode())
    found = dict(zip(asked, _answers(done.output), strict=False))
    if len(found) < len(asked):
        raise RepositoryError(
            f"git cannot read its object {asked[len(found)]}: {done.reason}; "
            "`git fsck` tells what the repository has lost."
        )
    return {name: answer for name, answer in found.items() if answer is not None}


def _answers(output: bytes) -> Iterator[GitObject | None]:
    """Take `<id> <kind> <size>` and as many bytes apart; or `<name> missing`."""
    at = 0
    while at < len(output):
        end = output.find(b"\n", at)
        if end < 0:
            return  # git ended in the middle of a line
        header = output[at:end].split(b" ")
        at = end + 1
        if len(header) != 3 or not header[2].isdigit():
            yield None
            continue
        size = int(header[2])
        if at + size >= len(output):
            return  # git ended in the middle of an object
        yield GitObject(header[0].decode(), header[1].decode(), output[at : at + size])
        at += size + 1


def entries(tree: GitObject) -> Iterator[TreeEntry]:
    """Take a tree apart: `<mode> <name>`, a zero byte, and the bytes of an id.

    Raises:
        RepositoryError: it is none that git would write.
    """
    content, at = tree.content, 0
    size = len(tree.id) // 2
    while at < len(content):
        end = content.find(b"\0", at)
        mode, space, name = content[at:end].partition(b" ")
        if end < 0 or not space or len(content) < end + 1 + size:
            raise RepositoryError(
                f"The tree {tree.id} is damaged; `git fsck` tells what else in the repository is."
            )
        yield TreeEntry(mode, content[end + 1 : end + 1 + size].hex(), name)
        at = end + 1 + size


class Trees:
    """The files below some directories of many trees; what they have in common is read once."""

    def __init__(self, git: GitProgram) -> None:
        self._git = git
        self._known: dict[str, tuple[TreeEntry, ...] | None] = {}
        self._whole: set[str] = set()  # those whose trees inside are known, too

    def roots(self, commits: Iterable[str]) -> dict[str, str]:
        """Return the ids of the trees of some commits, in any spelling; none for what is none."""
        asked = {f"{commit}^{{tree}}": commit for commit in commits}
        found = read_objects(self._git, asked)
        for tree in found.values():
            self._known[tree.id] = tuple(entries(tree))
        return {asked[name]: tree.id for name, tree in found.items()}

    def directories(self, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the ids of the directories at some paths below some roots, where there are any."""
        at = {(root, path): root for root, path in places}
        steps = {place: [step for step in place[1].encode("utf-8", "surrogateescape").split(b"/")
                         if step] for place in at}  # fmt: skip
        for depth in range(max(map(len, steps.values()), default=0)):
            self._read(tree for place, tree in at.items() if len(steps[place]) > depth)
            for place in [place for place in at if len(steps[place]) > depth]:
                below = self._below(at.pop(place), steps[place][depth])
                if below is not None:
                    at[place] = below
        return at

    def files(self, trees: Iterable[str], inside: bytes) -> dict[str, dict[str, str]]:
        """Return all files of some trees, by path: of those in them, of `inside` all below.

        Any other directory is left alone; the ids of the files are those of their contents. What
        is no file, such as a link, is left out, and so is what has no name in UTF-8.
        """
        wanted = list(dict.fromkeys(trees))
        self._read(wanted)
        below = [self._below(tree, inside) for tree in wanted]
        self._read_all(tree for tree in below if tree is not None)
        listed: dict[str, dict[str, str]] = {}
        return {
            tree: self._flat(tree, b"") | (self._listed(inner, inside, listed) if inner else {})
            for tree, inner in zip(wanted, below, strict=True)
        }

    def holding(self, trees: Iterable[str], name: str) -> set[str]:
        """Return those of some trees in which a file of that name stands."""
        asked = set(trees)
        self._read(sorted(asked))
        return {tree for tree in asked if name in self._flat(tree, b"")}

    def _listed(
        self, tree: str, inside: bytes, listed: dict[str, dict[str, str]]
    ) -> dict[str, str]:
        if tree not in listed:
            found = self._flat(tree, inside + b"/")
            for entry in self._known[tree] or ():
                if entry.mode == TREE:
                    found |= self._deep(entry.id, inside + b"/" + entry.name + b"/")
            listed[tree] = found
        return listed[tree]

    def _deep(self, tree: str, prefix: bytes) -> dict[str, str]:
        found = self._flat(tree, prefix)
        for entry in self._known[tree] or ():
            if entry.mode == TREE:
                found |= self._deep(entry.id, prefix + entry.name + b"/")
        return found

    def _flat(self, tree: str, prefix: bytes) -> dict[str, str]:
        found = {}
        for entry in self._known[tree] or ():
            if entry.mode in FILES:
                try:
                    found[(prefix + entry.name).decode()] = entry.id
                except UnicodeDecodeError:
                    continue  # no file of a model has such a name
        return found

    def _below(self, tree: str, name: bytes) -> str | None:
        for entry in self._known[tree] or ():
            if entry.name == name and entry.mode == TREE:
                return entry.id
        return None

    def _read_all(self, trees: Iterable[str]) -> None:
        """Read trees and all trees in them, a round for each level."""
        wave = [tree for tree in dict.fromkeys(trees) if tree not in self._whole]
        while wave:
            self._read(wave)
            self._whole.update(wave)
            inside = (
                entry.id
                for tree in wave
                for entry in self._known[tree] or ()
                if entry.mode == TREE and entry.id not in self._whole
            )
            wave = list(dict.fromkeys(inside))

    def _read(self, trees: Iterable[str]) -> None:
        unknown = [tree for tree in trees if tree not in self._known]
        found: Mapping[str, GitObject] = read_objects(self._git, unknown)
        for tree in unknown:
            self._known[tree] = tuple(entries(found[tree])) if tree in found else None
