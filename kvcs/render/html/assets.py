"""What a page is put together from: templates, one script, one style, and the policy for both."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

LIBRARY = "dagre.min.js"  # of @dagrejs/dagre 3.1.3, to the byte
LIBRARY_SHA256 = "54a503e346f93ca0bb10abe7999587e037262935687aca45eb4e4b0f64bbb578"
LICENCE = f"{LIBRARY}.LEGAL.txt"
SCRIPTS = ("elements", "folding", "layout", "shapes", "picture", "panel", "table", "page")
STYLES = ("colours", "page", "graph", "print")
PLOT_STYLES = ("colours", "page", "plots", "print")


def page(template: str, *, interactive: bool, **values: Any) -> str:
    """Return a whole page.

    Args:
        template: its name.
        interactive: whether the script is in it.
        values: what the template shows; text of others is escaped there.
    """
    style = stylesheet(STYLES if interactive else PLOT_STYLES)
    code = script() if interactive else ""
    parts = {"style": _safe(style), "script": _safe(code), "policy": policy(style, code)}
    return _environment().get_template(template).render(values, **parts)


def fragment(template: str, **values: Any) -> str:
    """Return a part of a page, for a notebook: without a script."""
    style = _safe(stylesheet(("fragment",)))
    return _environment().get_template(template).render(values, style=style)


def policy(style: str, code: str) -> str:
    """Return what a page may do: use this style and this script, and ask for nothing at all."""
    sources = [f"style-src {_hash(style)}", *([f"script-src {_hash(code)}"] if code else [])]
    return "; ".join(["default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def script() -> str:
    """Return the script: the library with its licence, and what is our own."""
    own = "".join(_read("script", f"{name}.js") for name in SCRIPTS)
    # Without its last line, with which developer tools would ask for another file.
    library = _read("vendor", LIBRARY).partition("//# sourceMappingURL=")[0]
    return f'\n{_read("vendor", LICENCE)}{library}(() => {{\n"use strict";\n{own}}})();\n'


@cache
def stylesheet(names: Sequence[str]) -> str:
    """Return some styles as one."""
    return "\n" + "".join(_read("style", f"{name}.css") for name in names)


def as_json(value: Any) -> Any:
    """Return a value as JSON that nothing in it can end, nor a log obey, for a template."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for special in ("<", "\u2028", "#"):
        text = text.replace(special, f"\\u{ord(special):04x}")
    return _safe(text)


def _read(directory: str, name: str) -> str:
    place = files("kvcs.render.html").joinpath(directory)
    return place.joinpath(name).read_text(encoding="utf-8")


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("kvcs.render.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
