"""JSON taken apart key by key, with a complaint that says where it found what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kvcs import canon
from kvcs.checksum import is_sha256
from kvcs.errors import FormatError
from kvcs.spec import MISSING

T = TypeVar("T")


class Object:
    """A JSON object that is taken apart key by key; `done` says what was left over."""

    def __init__(self, value: Any) -> None:
        self.left = dict(expect(value, dict))

    def take(self, key: str, kind: type[T] | tuple[type, ...], default: Any = MISSING) -> Any:
        """Return a value of one of some kinds, and strike it out."""
        if key not in self.left:
            if default is not MISSING:
                return default
            raise FormatError(f"key {key!r} is missing")
        try:
            return expect(self.left.pop(key), kind)
        except FormatError as error:
            raise error.within(key) from None

    def parse(self, key: str, read: Callable[[Any], T], default: Any = MISSING) -> T:
        """Return a value as a reader of its own makes of it, and strike it out."""
        if key not in self.left:
            if default is not MISSING:
                return default  # type: ignore[no-any-return]
            raise FormatError(f"key {key!r} is missing")
        try:
            return read(self.left.pop(key))
        except FormatError as error:
            raise error.within(key) from None

    def done(self) -> None:
        """Refuse what nobody asked for."""
        if self.left:
            raise FormatError(f"unknown key {min(self.left)!r}")


class at:  # noqa: N801  (reads as a statement: with at(key))
    """Prefix the address of any FormatError that passes."""

    def __init__(self, outer: str) -> None:
        self.outer = outer

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FormatError):
            raise error.within(self.outer) from None


def expect(value: Any, kind: Any) -> Any:
    """Return a value of one of some kinds; a bool is no int."""
    if type(value) is kind:
        return value
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if isinstance(value, bool) and object not in kinds and bool not in kinds:
        raise FormatError(f"expected {_kind_names(kinds)}, got a bool")
    if not isinstance(value, kinds):
        raise FormatError(f"expected {_kind_names(kinds)}, got {_kind_names((type(value),))}")
    return value


def _kind_names(kinds: tuple[type, ...]) -> str:
    words = {dict: "an object", list: "a list", str: "a string", int: "an int", type(None): "null"}
    return " or ".join(words.get(kind, f"a {kind.__name__}") for kind in kinds)


def list_of(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Return the reader of a list of what `read` reads."""

    def read_list(value: Any) -> tuple[T, ...]:
        found: list[T] = []
        items = expect(value, list)
        try:
            for item in items:
                found.append(read(item))
        except FormatError as error:
            raise error.within(f"[{len(found)}]") from None
        return tuple(found)

    return read_list


def dict_of(read: Callable[[Any], T]) -> Callable[[Any], dict[str, T]]:
    """Return the reader of an object with values that `read` reads."""

    def read_dict(value: Any) -> dict[str, T]:
        found: dict[str, T] = {}
        items = expect(value, dict)
        key = ""
        try:
            for key, item in items.items():
                found[key] = read(item)
        except FormatError as error:
            raise error.within(f"[{key!r}]") from None
        return found

    return read_dict


def or_null(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return the reader of what `read` reads, or null."""
    return lambda value: None if value is None else read(value)


def string(value: Any) -> str:
    """Read a string."""
    found: str = expect(value, str)
    return found


def integer(value: Any) -> int:
    """Read an integer."""
    found: int = expect(value, int)
    return found


def natural(value: Any) -> int:
    """Read the size of an axis."""
    if integer(value) < 0:
        raise FormatError(f"expected a size, got {value}")
    return int(value)


def digest(value: Any) -> str:
    """Read a SHA-256."""
    if not is_sha256(string(value)):
        raise FormatError("expected the 64 hexadecimal digits of a SHA-256")
    return str(value)


def path_from_json(value: Any) -> str:
    """Read a path of a stored model: relative, plain, below its directory."""
    parts = string(value).split("/")
    if any(part in ("", ".", "..") or _strange(part) for part in parts):
        raise FormatError(f"not a path below the model: {value!r}")
    return str(value)


def _strange(part: str) -> bool:
    # Not by `isprintable`, which moves with the version of Unicode that Python knows.
    return canon.INVISIBLE.search(part) is not None or any(
        char in '\\:*?"<>|' or char < " " for char in part
    )
