"""The block of attributes that kvcs keeps in `.gitattributes`, among lines that are not its own.

Bytes throughout: the file may be in any encoding, and what is not kvcs's comes back as it was.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kvcs.errors import RepositoryError
from kvcs.repo.program import READING, GitProgram, decode

BEGIN = b"# kvcs: begin"
END = b"# kvcs: end"
# Behind `BEGIN`, so that an undo gives back the file to the byte.
_NO_NEWLINE = b" (the line above had no end)"
_EMPTY = b" (in an empty file)"

_TENSOR = {"text": "unset", "delta": "unset", "diff": "kvcs-npy"}
_LFS_TENSOR = {"filter": "lfs", "diff": "lfs", "merge": "lfs", "text": "unset"}
_JSON = {"text": "set", "eol": "lf"}
_AS_IT_IS = {"text": "unset"}
_ASSETS = ("layers/words/assets/words.txt", "layers/words/assets/vocabulary.json")
ATTRIBUTES = ("text", "eol", "delta", "diff", "filter", "merge")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: a pattern, its attributes as `git check-attr` calls them, and paths it is for."""

    pattern: str
    wanted: Mapping[str, str]
    samples: tuple[str, ...]

    def line(self) -> bytes:
        """Return the line as it stands in the file."""
        words = [_quoted(self.pattern), *(_word(*each) for each in self.wanted.items())]
        return " ".join(words).encode("utf-8", "surrogateescape")


def rules(*, lfs: bool, apart: Iterable[str] = ()) -> list[Rule]:
    """Return what holds for the files of any model, and of those models with tensors at their top.

    Args:
        lfs: whether Git LFS keeps the tensors.
        apart: directories of models with tensors or assets that no common pattern is sure of.
    """
    tensor = _LFS_TENSOR if lfs else _TENSOR
    found = [
        Rule("model.json", {**_JSON, "diff": "kvcs"}, ("model.json",)),
        *(Rule(name, _JSON, (name,)) for name in ("layer.json", "training.json", "state.json")),
        Rule("**/optimizer/index.json", _JSON, ("optimizer/index.json",)),
        Rule("**/layers/*/**/*.npy", tensor, ("layers/dense/kernel.npy",)),
        Rule("**/optimizer/**/*.npy", tensor, ("optimizer/iterations.npy",)),
        Rule("**/layers/*/**/assets/**", _AS_IT_IS, _ASSETS),
    ]
    for place in sorted(set(apart)):
        top = f"/{_literal(place)}/" if place else "/"
        below = f"{place}/" if place else ""
        found.append(Rule(f"{top}**/*.npy", tensor, (f"{below}offset.npy",)))
        found.append(Rule(f"{top}assets/**", _AS_IT_IS, (f"{below}assets/words.txt",)))
    return found


def needs_own_rule(path: str) -> bool:
    """Tell whether a file of a model, by its path from there, is met by no common pattern."""
    return not re.search(r"(^|/)(layers/[^/]+|optimizer)/", path) and (
        path.endswith(".npy") or path.startswith("assets/")
    )


@dataclass(frozen=True, slots=True)
class AttributesFile:
    """A `.gitattributes` in three parts: lines above the block, lines of it, lines below.

    Attributes:
        before, after: what is not kvcs's.
        block: the lines between the marks; None without a block.
        note: what stands behind the first mark.
    """

    before: bytes
    block: tuple[bytes, ...] | None
    after: bytes
    note: bytes = b""

    @property
    def has_lfs(self) -> bool:
        """Whether the block gives tensors to Git LFS."""
        return any(b"filter=lfs" in line for line in self.block or ())

    def with_block(self, lines: Sequence[bytes]) -> AttributesFile:
        """Return the file with these lines in the block; lines of the user in it stay."""
        note = self.note
        if self.block is None:
            lacks_end = self.before and not self.before.endswith(b"\n")
            note = _NO_NEWLINE if lacks_end else note
        return replace(self, block=(*lines, *self._strange()), note=note)

    def without_block(self) -> AttributesFile:
        """Return the file as it was before there was a block; lines of the user in it stay."""
        before, strange = self.before, self._strange()
        if self.note == _NO_NEWLINE and not strange and not self.after:
            before = before.removesuffix(b"\n").removesuffix(b"\r")
        kept = b"".join(line + self._end() for line in strange)
        return AttributesFile(before + kept, None, self.after)

    def content(self) -> bytes:
        """Return the bytes of the file."""
        if self.block is None:
            return self.before + self.after
        end = self._end()
        before = self.before
        if before and not before.endswith(b"\n"):
            before += end
        lines = (BEGIN + self.note, *self.block, END)
        return before + b"".join(line + end for line in lines) + self.after

    def _end(self) -> bytes:
        return b"\r\n" if b"\r\n" in self.before + self.after else b"\n"

    def _strange(self) -> list[bytes]:
        return [line for line in self.block or () if line.strip() and not _is_own(line)]


def parse(content: bytes | None) -> AttributesFile:
    """Take a `.gitattributes` apart; None is a file that is not there.

    Raises:
        RepositoryError: if only one of the two marks is there.
    """
    lines = (content or b"").splitlines(keepends=True)
    marks = [[at for at, line in enumerate(lines) if line.startswith(m)] for m in (BEGIN, END)]
    if marks == [[], []]:
        return AttributesFile(content or b"", None, b"", _EMPTY if content == b"" else b"")
    if [len(found) for found in marks] != [1, 1] or marks[0] > marks[1]:
        raise RepositoryError(
            f"The lines '{decode(BEGIN)}' and '{decode(END)}' in .gitattributes are not a pair any "
            "more; remove what is left of kvcs's block there."
        )
    (begin,), (end,) = marks
    return AttributesFile(
        before=b"".join(lines[:begin]),
        block=tuple(line.rstrip(b"\r\n") for line in lines[begin + 1 : end]),
        after=b"".join(lines[end + 1 :]),
        note=lines[begin].rstrip(b"\r\n").removeprefix(BEGIN),
    )


def is_created(file: AttributesFile) -> bool:
    """Tell whether there was no file before there was a block."""
    return file.note != _EMPTY and not file.without_block().content()


def agreeable(
    git_dir: Path, file: AttributesFile, wanted: Sequence[Rule], places: Iterable[str]
) -> tuple[list[Rule], list[str]]:
    """Leave out of rules what contradicts attributes that the user has set.

    Args:
        git_dir: the repository.
        file: its `.gitattributes`.
        wanted: the rules.
        places: directories of models, for which the user may have set something.

    Returns:
        The rules, and a sentence for each attribute that is left to the user.
    """
    outside = file.without_block().content()
    below = ["", *(f"{place}/" for place in places if place)]
    samples = [place + sample for place in below for rule in wanted for sample in rule.samples]
    held = _attributes(git_dir, outside, samples)
    found, said = [], []
    for rule in wanted:
        theirs = [held[place + sample] for place in below for sample in rule.samples]
        clash = {
            name: each[name]
            for name, value in rule.wanted.items()
            for each in theirs
            if _clashes(each[name], value)
        }
        kept = {name: value for name, value in rule.wanted.items() if name not in clash}
        said += [
            f"{rule.pattern} has {_word(name, value)} already, so not "
            f"{_word(name, rule.wanted[name])}"
            for name, value in clash.items()
        ]
        if kept:
            found.append(replace(rule, wanted=kept))
    return found, said


def effective(git: GitProgram, top: Path, paths: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the attributes that hold for paths from the top of the work tree, by path."""
    asked = {str(top / path): path for path in paths}
    found = _checked(git, list(asked), READING)
    return {path: found[name] for name, path in asked.items()}


def _attributes(git_dir: Path, content: bytes, paths: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the attributes that would hold if `.gitattributes` had this content."""
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        (top / ".gitattributes").write_bytes(content)
        environment = {
            **READING,
            "GIT_DIR": str(git_dir),
            "GIT_WORK_TREE": scratch,
            "GIT_INDEX_FILE": str(top / "none"),  # or git looks there for other .gitattributes
        }
        return _checked(GitProgram(top), paths, environment)


def _checked(
    git: GitProgram, paths: Sequence[str], environment: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    names = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    done = git.check(
        "check-attr", "-z", "--stdin", *ATTRIBUTES, stdin=names, environment=environment
    )
    texts = [decode(record) for record in done.records]
    found: dict[str, dict[str, str]] = {path: {} for path in paths}
    for at in range(0, len(texts), 3):
        found[texts[at]][texts[at + 1]] = texts[at + 2]
    return found


def _clashes(theirs: str, ours: str) -> bool:
    # `* text=auto` is no word about models: it leaves to git what is text.
    return theirs not in ("unspecified", "auto", ours)


def _is_own(line: bytes) -> bool:
    text = decode(line)
    pattern = text.rsplit('" ', 1)[0] + '"' if text.startswith('"') else text.split()[0]
    common = {_quoted(rule.pattern) for rule in rules(lfs=False)}
    return (
        pattern in common
        or re.fullmatch(r'"?/(.+/)?(\*\*/\*\.npy|assets/\*\*)"?', pattern) is not None
    )


def _word(name: str, value: str) -> str:
    return {"set": name, "unset": f"-{name}"}.get(value, f"{name}={value}")


def _literal(path: str) -> str:
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def _quoted(pattern: str) -> str:
    if not re.search(r'[\s"]', pattern):
        return pattern
    return '"' + pattern.replace("\\", "\\\\").replace('"', '\\"') + '"'
