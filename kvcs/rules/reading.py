"""The text of a `.kvcs.toml` becomes a policy; whatever is no rule is refused with its place."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

from kvcs.errors import PolicyError
from kvcs.rules.catalogue import KINDS, Kind, texts
from kvcs.rules.values import LEVELS, Policy, Rule

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = ".kvcs.toml"
LONGEST = 1 << 20  # bytes; somebody else may have written the file
_COMMON = ("rule", "level", "models")


def read(content: bytes, source: str = FILE) -> Policy:
    """Read a policy.

    Args:
        content: of the file.
        source: what to call the file.

    Raises:
        PolicyError: it is no TOML, or says something that kvcs does not know; the text says where.
    """
    document = _parsed(content, source)
    for key in document:
        if key != "rules":
            _unknown(source, "key", key, ("rules",))
    rules = document.get("rules", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise PolicyError(f"{source}: rules must be a list of tables, each begun by [[rules]]")
    read = [_rule(rule, f"{source}: rules[{at}]") for at, rule in enumerate(rules)]
    return Policy(rules=tuple(read), source=source)


def _parsed(content: bytes, source: str) -> dict[str, Any]:
    if len(content) > LONGEST:
        raise PolicyError(f"{source} has {len(content):,} bytes, which is too long for rules")
    try:
        found: dict[str, Any] = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise PolicyError(
            f"{source} is not UTF-8, and so no TOML: save it again as UTF-8"
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = "values stand too deep in each other"
        reason = reason if isinstance(error, RecursionError) else str(error)
        raise PolicyError(f"{source} is no TOML: {reason}") from None
    return found


def _rule(table: Mapping[str, Any], place: str) -> Rule:
    name = _text(table, "rule", place)
    if name not in KINDS:
        _unknown(place, "rule", name, KINDS)
    kind = KINDS[name]
    known = (*_COMMON, *(("layers",) if kind.layers else ()), *kind.options)
    for key in table:
        if key not in known:
            _unknown(place, f"key of {name}", key, known)
    options = dict(_options(table, kind, place))
    if len(options) < kind.least:
        raise PolicyError(f"{place}: {name} needs {' or '.join(kind.options)}")
    if kind.needs_layers and "layers" not in table:
        raise PolicyError(f'{place}: {name} needs layers, such as layers = ["encoder/*"]')
    level = _text(table, "level", place) if "level" in table else "error"
    if level not in LEVELS:
        _unknown(place, "level", level, LEVELS)
    globs = {
        key: _value(table[key], key, place, texts) for key in ("models", "layers") if key in table
    }
    return Rule(name=name, level=level, options=options, **globs)


def _options(table: Mapping[str, Any], kind: Kind, place: str) -> Iterator[tuple[str, Any]]:
    for key, reader in kind.options.items():
        if key in table:
            yield key, _value(table[key], key, place, reader)


def _value(value: Any, key: str, place: str, reader: Any) -> Any:
    try:
        return reader(value)
    except ValueError as error:
        raise PolicyError(f"{place}.{key}: expected {error}, got {_shown(value)}") from None


def _text(table: Mapping[str, Any], key: str, place: str) -> str:
    value = table.get(key)
    if key not in table:
        raise PolicyError(f'{place}: {key} is missing, as in {key} = "same-interface"')
    if not isinstance(value, str):
        raise PolicyError(f"{place}.{key}: expected a text, got {_shown(value)}")
    return value


def _unknown(place: str, what: str, given: str, known: Collection[str]) -> NoReturn:
    near = get_close_matches(given, known, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise PolicyError(
        f"{place}: unknown {what} {_shown(given)}: {hint}Known are {', '.join(known)}"
    )


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.60}"
    except ValueError:  # a whole number with more digits than Python prints
        return "a number of thousands of digits"
