"""How comparisons become pages: the one place that calls what renders them."""

from __future__ import annotations

from collections.abc import Sequence

from kvcs.commands.diff_all import Outcome
from kvcs.render.flavour import Flavour
from kvcs.render.markdown import markdown, of_one


def sections(
    outcomes: Sequence[Outcome], command: Sequence[str], *, limit: int, flavour: Flavour
) -> str:
    """Return comparisons as Markdown.

    Args:
        outcomes: what was compared.
        command: prints the same on a terminal.
        limit: of characters.
        flavour: `github` or `gitlab`.
    """
    shown = [one for one in outcomes if one.error or one.found is None or one.found.diff.changes]
    models = []
    for one in shown:
        names = one.versions.old, one.versions.new
        diff = None if one.found is None else one.found.diff
        models.append(of_one(one.versions.name, *names, diff, one.error))
    unchanged = len(outcomes) - len(shown)
    return markdown(models, command, unchanged=unchanged, limit=limit, flavour=flavour)


def page(outcomes: Sequence[Outcome], command: Sequence[str]) -> str:
    """Return comparisons as one HTML page; `command` prints the same on a terminal."""
    from kvcs.render import html

    return html.page(outcomes, command)
