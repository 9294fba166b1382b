"""Canonical names: what a layer is called whatever was built before it in the process.

Keras numbers automatic names per process: building the same model twice gives `dense` and then
`dense_1`. Here such names are numbered anew within their container, in order; names that a person
chose stay. Directory names follow from canonical names, so that every file system takes them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from unicodedata import normalize

LIVE = "the live model"  # what a model in memory is called, which has no other name

MAX_SEGMENT = 100
_MANY = 4096  # names that are worth remembering: `kernel` and `dense` come in every model
_PLAIN = re.compile(r"[A-Za-z0-9_.-]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.DOTALL)


@lru_cache(_MANY)
def snake_case(class_name: str) -> str:
    """Return the automatic name of a class, by the rule of `keras.src.utils.naming`."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def is_automatic(name: str, class_name: str) -> bool:
    """Tell whether Keras may have made the name up; a person can have typed it all the same."""
    return automatic_stem(name, class_name) is not None


@lru_cache(_MANY)
def automatic_stem(name: str, class_name: str) -> str | None:
    """Return an automatic name without its number; None for a name that a person chose."""
    stem = snake_case(class_name)
    # Bidirectional puts a word before the names of its two layers.
    found = re.fullmatch(rf"((forward_|backward_)?{re.escape(stem)})(_[0-9]+)?", name)
    if found is not None:
        return found[1]
    # Cut out of a larger graph, an input is named after the tensor it replaces.
    if class_name == "InputLayer" and re.fullmatch(r"keras_tensor(_[0-9]+)?(CLONE)*", name):
        return stem
    return None


def canonical_names(named: Sequence[tuple[str, str]]) -> list[str]:
    """Return the canonical names of the members of one container.

    Args:
        named: live name and class name of every member, in order.
    """
    taken = {name for name, class_name in named if not is_automatic(name, class_name)}
    numbered: dict[str, Iterator[str]] = {}
    canonical = []
    for name, class_name in named:
        stem = automatic_stem(name, class_name)
        if stem is not None:
            free = numbered.setdefault(stem, _numbered(stem, taken))
            name = next(free)
        canonical.append(name)
    return canonical


def _numbered(stem: str, taken: set[str]) -> Iterator[str]:
    """Yield the names of a stem that are free, and take them: `dense_1` has two stems."""
    for number in count():
        name = f"{stem}_{number}" if number else stem
        if name not in taken:
            taken.add(name)
            yield name


def segments(names: Sequence[str]) -> list[str]:
    """Return a directory name for each name: plain ASCII, and different even to a file system
    that ignores case."""
    taken: set[str] = set()
    found = []
    for name in names:
        plain = segment(name)
        candidates = _numbered_segments(plain)
        free = next(one for one in candidates if one.lower() not in taken)
        taken.add(free.lower())
        found.append(free)
    return found


def _numbered_segments(plain: str) -> Iterator[str]:
    yield plain
    for number in count(2):
        ending = f"~{number}"
        yield plain[: MAX_SEGMENT - len(ending)] + ending


def folded(path: str) -> str:
    """Return what two paths have in common that some file system takes for the same one.

    Some ignore case, and some how a character with an accent is composed.
    """
    return normalize("NFC", normalize("NFD", path).casefold())


@lru_cache(_MANY)
def segment(name: str) -> str:
    """Return a name as one component of a path.

    Letters, digits, `_`, `-` and `.` stand for themselves, everything else is percent-encoded
    UTF-8 (RFC 3986); so are a leading or last dot and the first letter of a name that Windows
    reserves. What is longer than 100 characters is cut and ends in `~` and its own SHA-256.
    """
    encoded = [char if _PLAIN.match(char) else _percent(char) for char in name]
    for end in (0, -1):
        if encoded and encoded[end] == ".":
            encoded[end] = "%2E"
    if _RESERVED.fullmatch(name):
        encoded[0] = _percent(name[0])
    plain = "".join(encoded) or "%"
    if len(plain) > MAX_SEGMENT:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        plain = f"{plain[: MAX_SEGMENT - 17].rstrip('.')}~{digest[:16]}"
    return plain


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
