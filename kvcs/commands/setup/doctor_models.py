"""`kvcs doctor`: the models of a repository, as git keeps their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kvcs.commands.hooks.checkout import said_of
from kvcs.commands.hooks.commit import LIMIT, LIMIT_KEY
from kvcs.commands.hooks.touched import all_models
from kvcs.commands.setup.findings import Check, missing, note, ok
from kvcs.commands.setup.steps import top_of
from kvcs.render.text import size
from kvcs.repo import Repository, changes
from kvcs.repo.lfs import pointers as lfs_pointers
from kvcs.repo.place import places_above
from kvcs.repo.setup import attributes, ignored, settings

LISTED = 5


def checks(repository: Repository) -> Iterator[Check]:
    """Yield what can be said of the models that git tracks."""
    places = all_models(repository)
    if not places:
        yield note("models", "git tracks none yet", "kvcs export SOURCE DIR")
        yield from _ignored(repository, ["model"])
        return
    files = _files(repository, places)
    yield from _whole(repository, places)
    yield from _converted(repository, files)
    yield from _large(repository, files)
    yield from _pointers(repository, files)
    yield from _ignored(repository, places)


def tensors(repository: Repository) -> list[str]:
    """Return the path of each tensor in the index."""
    found = _files(repository, all_models(repository))
    return [path for path in found if path.endswith(".npy")]


def _files(repository: Repository, models: list[str]) -> dict[str, str]:
    """Return the object of each file of some models, by path from the root of the repository."""
    places = set(models)
    return {
        path: object_id
        for path, object_id in changes.entries(repository.git).items()
        if any(place in places for place in places_above(path))
    }


def _whole(repository: Repository, places: list[str]) -> Iterator[Check]:
    said = list(said_of(repository, places))
    yield from (missing("model", line) for line in said[:LISTED])
    if len(said) > LISTED:
        yield missing("models", f"{len(said) - LISTED} more are not complete", "kvcs verify")
    if not said:
        many = f"{len(places):,} model{'s' * (len(places) != 1)}"
        yield ok("models", f"{many}, no file is missing; `kvcs verify` reads the tensors too")


def _converted(repository: Repository, files: Mapping[str, str]) -> Iterator[Check]:
    """Look for files whose bytes git would change, by what attributes really hold for them."""
    held = attributes.effective(repository.git, top_of(repository), list(files))
    crlf = settings.get(repository.git, "core.autocrlf") in ("true", "input")
    changed = [path for path, each in held.items() if _is_converted(path, each, crlf)]
    if changed:
        yield missing(
            "attributes",
            f"git may change line ends in {_such_as(changed)}",
            "kvcs init\ngit check-attr -a FILE says what holds for a file",
        )
    else:
        yield ok("attributes", f"git changes no byte of {len(held):,} files of models")
    plain = [path for path in held if path.endswith("/model.json") and held[path]["diff"] != "kvcs"]
    if plain:
        yield note("attributes", f"git diff shows as text: {_such_as(plain)}", "kvcs init")


def _is_converted(path: str, held: Mapping[str, str], crlf: bool) -> bool:
    if held["filter"] not in ("unspecified", "unset", "lfs"):
        return True
    if path.endswith(".json") and "/assets/" not in path:
        return held["text"] != "unset" and held["eol"] != "lf" and (crlf or held["eol"] == "crlf")
    if path.endswith(".npy"):
        return held["text"] == "set"  # left to itself, git sees that it is no text
    return held["text"] == "set" or (held["text"] != "unset" and crlf)


def _large(repository: Repository, files: Mapping[str, str]) -> Iterator[Check]:
    limit = settings.get_size(repository.git, LIMIT_KEY, LIMIT)
    sizes = changes.sizes(repository.git, files.values())
    large = [path for path in files if path.endswith(".npy") and sizes.get(files[path], 0) > limit]
    if large and limit > 0:
        yield missing(
            "large tensors",
            f"{_such_as(large)} have more than {size(limit)}, without Git LFS",
            "kvcs init --lfs && git add --renormalize .",
        )


def _pointers(repository: Repository, files: Mapping[str, str]) -> Iterator[Check]:
    listed = [(each, path) for path, each in files.items() if path.endswith(".npy")]
    found = lfs_pointers.pointers(repository.git, listed)
    without = lfs_pointers.without_object(repository.git, found)
    if without:
        says = f"{len(without)} of {len(found)} objects are not here, such as that of {without[0]}"
        yield note("Git LFS", says, "git lfs pull")
    elif found:
        yield ok("Git LFS", f"the objects of {len(found)} pointers are here")


def _ignored(repository: Repository, places: list[str]) -> Iterator[Check]:
    names = ("model.json", "layers/dense/layer.json", "layers/dense/kernel.npy")
    paths = [f"{place}/{name}" if place else name for place in places for name in names]
    rules = ignored.rules_that_ignore(repository.git, top_of(repository), paths)
    for rule, path in list(rules.items())[:LISTED]:
        yield missing(
            "ignored files",
            f"git would leave out {path}, by the rule {rule}",
            "change that rule, or add one that begins with `!` below it",
        )
    if not rules:
        yield ok("ignored files", "no rule leaves out files of models")


def _such_as(paths: list[str]) -> str:
    return f"{len(paths):,} files, such as {paths[0]}" if paths[1:] else paths[0]
