"""`kvcs.diff`: what changed between two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kvcs import comparison
from kvcs.commands.fetching import fetch_changed
from kvcs.commands.operand import Model, Stored, described
from kvcs.comparison.weighing import Report
from kvcs.spec import StoredModel
from kvcs.tree.skeletons import Parser

if TYPE_CHECKING:
    from kvcs.render.flavour import Flavour


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `kvcs.diff` found; true when the models differ.

    Attributes:
        old_name, new_name: the operands.
        diff: the differences as values.
        models: the two, as they are stored; no tensor is among them.
    """

    old_name: str
    new_name: str
    diff: comparison.Diff
    models: tuple[StoredModel, StoredModel] = field(repr=False, compare=False)

    def __bool__(self) -> bool:
        return bool(self.diff)

    @property
    def summary(self) -> dict[str, int]:
        """How many changes of each kind there are."""
        return self.diff.summary

    @property
    def unread(self) -> list[str]:
        """Why weights that changed could not be read: the statistics lack them."""
        return self.diff.unread()

    def only(self, *levels: str) -> Comparison:
        """Return the changes of some levels alone, such as `architecture` or `weights`.

        Raises:
            KvcsError: there is no such level.
        """
        return replace(self, diff=comparison.only(self.diff, levels))

    def in_layers(self, *globs: str) -> Comparison:
        """Return the changes of layers alone whose path on either side matches."""
        return replace(self, diff=comparison.in_layers(self.diff, globs))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON, in the form of `kvcs/comparison/schema.json`."""
        return comparison.to_dict(self.diff)

    def to_text(
        self,
        *,
        ascii: bool = False,  # noqa: A002  (as the option)
        width: int | None = None,
        everything: bool = False,
    ) -> str:
        """Return it for a person, as `kvcs diff` prints it without colours.

        Args:
            ascii: nothing but ASCII.
            width: columns after which a line goes on in the next one; None breaks no line.
            everything: also layers in which nothing changed, and each member of a group.
        """
        from kvcs.render.diff import text

        names = self.old_name, self.new_name
        return text(self.diff, *names, ascii=ascii, width=width, everything=everything)

    def to_markdown(self, *, flavour: Flavour = "github") -> str:
        """Return it for a comment on a pull request: at most 60,000 characters.

        Args:
            flavour: where the comment is to be shown, `github` or `gitlab`.
        """
        from kvcs.render.markdown import markdown, of_one

        model = of_one(self.new_name, self.old_name, self.new_name, self.diff)
        return markdown([model], flavour=flavour)

    def to_html(self) -> str:
        """Return it as one page for a browser, which asks for nothing from anywhere.

        How the changes of weights are spread is drawn if `kvcs.diff` was asked for `histograms`.
        """
        from kvcs.render.html import compared_page

        return compared_page(self)

    def _repr_html_(self) -> str:
        """Return it for a notebook, in short."""
        from kvcs.render.html import compared_fragment

        return compared_fragment(self)

    def _repr_markdown_(self) -> str:
        """Return it for a notebook that shows no HTML."""
        return self.to_markdown()


def diff(
    a: Model,
    b: Model,
    *,
    map: Mapping[str, str] | None = None,  # noqa: A002  (the option's name)
    stats: bool = True,
    histograms: bool = False,
    custom_objects: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare two models as models, whatever their layers are called.

    Args:
        a: any MODEL, the old one.
        b: any MODEL, the new one.
        map: layers of `a`, by path such as `encoder/dense`, and which of `b` they are, where the
            comparison finds another pair.
        stats: read weights that changed, and say how much. Without, no weight is read.
        histograms: with the statistics, say how the changes of each weight are spread, which
            `to_html` draws.
        custom_objects: needed for a Keras file with custom classes.

    Raises:
        KvcsError: there is no such model, it is not whole, or `map` names no layer of it. A weight
            that cannot be read is no error: see `Comparison.unread`.
    """
    return compared(
        a, b, hints=map, stats=stats, histograms=histograms, custom_objects=custom_objects
    )


def compared(
    a: Model,
    b: Model,
    *,
    hints: Mapping[str, str] | None = None,
    stats: bool = True,
    numbers: bool = True,
    histograms: bool = False,
    custom_objects: Mapping[str, Any] | None = None,
    report: Report = lambda done, total: None,
) -> Comparison:
    """Do what `diff` does.

    Args:
        a, b, stats, histograms, custom_objects: as for `diff`.
        hints: its `map`.
        numbers: without, weights that changed are not put in numbers, but layers are matched alike.
        report: told of how many bytes of weights how many are compared.
    """
    with described(a, custom_objects) as old, described(b, custom_objects) as new:
        parser = Parser()
        models = old.model(parser), new.model(parser)
        weighed = {"numbers": numbers, "histograms": numbers and histograms, "report": report}
        found = _compared((old, new), models, hints, weighed if stats else None)
        return Comparison(old.name, new.name, found, models)


def _compared(
    sides: tuple[Stored, Stored],
    models: tuple[StoredModel, StoredModel],
    hints: Mapping[str, str] | None,
    weighed: Mapping[str, Any] | None,
) -> comparison.Diff:
    """Compare two models; with `weighed`, options of `weighed_diff`, their weights are read."""
    old, new = sides
    has_weights = old.has_weights, new.has_weights
    if not all(has_weights):
        return comparison.weightless_diff(*models, has_weights, hints=hints)
    if weighed is None:
        return comparison.diff(*models, hints=hints)
    fetch_changed(old.files, new.files, models)
    contents = old.contents(models[0]), new.contents(models[1])
    return comparison.weighed_diff(*models, *contents, hints=hints, **weighed)


def selected(found: Comparison, levels: Sequence[str], layers: Sequence[str]) -> Comparison:
    """Return what is left of a comparison when only some levels, or some layers, are looked at."""
    found = found.only(*levels) if levels else found
    return found.in_layers(*layers) if layers else found
