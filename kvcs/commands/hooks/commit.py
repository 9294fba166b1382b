"""The hook `pre-commit`: staged models are whole, and no tensor is too large for git alone.

Judged by the index, which is what will be committed. Of a model that is touched, every JSON file is
read; a tensor is read only where its file or its description differs from HEAD, and not at all
where the index holds the pointer of Git LFS, which names the checksum itself, or `kvcs commit` has
just read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from kvcs.commands.hooks.hook import STOPPING, Outcome
from kvcs.commands.hooks.touched import Touched, touched

if TYPE_CHECKING:
    from kvcs.repo import Repository, RevisionTree
    from kvcs.tree.verify import Recorded

LIMIT_KEY = "kvcs.maxTensorSize"
LIMIT = 50 * 1024 * 1024
LISTED = 10


def pre_commit() -> Outcome:
    """Check what is staged.

    Raises:
        RepositoryError: git cannot say what is.
    """
    from kvcs.repo import Repository, changes

    with Repository.discover() as repository:
        found = changes.staged(repository.git)
        models = touched(repository, (change.path for change in found))
        if not models.models and not models.headless:
            return Outcome()
        new = {change.path: change.object_id for change in found if change.object_id}
        sizes = changes.sizes(repository.git, new.values())
        lines = [*_broken(repository, models, sizes), *_too_large(repository, models, new, sizes)]
    if not lines:
        return Outcome()
    way_around = f"`{STOPPING['pre-commit']}` commits it all the same"
    return Outcome(("nothing was committed:", *lines, way_around), stops=True)


def _broken(repository: Repository, found: Touched, sizes: Mapping[str, int]) -> Iterator[str]:
    for place in found.headless:
        yield f"{place or '.'} has layers staged, but no model.json: `git add {place or '.'}`"
    for place, paths in found.models.items():
        problems = _problems(repository, place, paths, sizes)
        if problems:
            name = place or "."
            yield f"{name} is not whole as it is staged: `git add {name}` stages all of it"
            yield from (f"  {problem}" for problem in problems[:LISTED])
            if len(problems) > LISTED:
                yield f"  … and {len(problems) - LISTED} more"


def _problems(
    repository: Repository, place: str, changed: frozenset[str], sizes: Mapping[str, int]
) -> list[str]:
    from kvcs.errors import DamageError, NotAModelError
    from kvcs.tree.verify import verify

    try:
        tree = repository.revision(f":{place}")
        report = verify(tree, place, _known(tree, changed, sizes))
    except (DamageError, NotAModelError) as error:
        return [str(error)]
    return [str(problem) for problem in report.problems]


def _known(
    tree: RevisionTree, changed: frozenset[str], sizes: Mapping[str, int]
) -> Callable[[Recorded], bool]:
    """Return what tells of a tensor or asset that it need not be read."""
    from kvcs import pointer as lfs
    from kvcs.repo import changes

    read_before = changes.read_before()

    def known(recorded: Recorded) -> bool:
        path = recorded.path
        if path not in tree:
            return False
        if path not in changed and _description(path, tree) not in changed:
            return True  # as in HEAD, and so is what describes it
        object_id = tree.object_id(path) or ""
        if read_before.get(object_id) == recorded.sha256:
            return True
        if sizes.get(object_id, 0) >= lfs.LIMIT:
            return False  # a tensor, to be read once
        pointer = lfs.parse(tree.stored(path))
        return pointer is not None and pointer.oid == recorded.sha256

    return known


def _description(path: str, tree: RevisionTree) -> str:
    """Return the file that describes a tensor or asset."""
    if path.startswith("state/"):
        return "state.json"
    if path.startswith("optimizer/"):
        return "optimizer/index.json"
    place = path.rpartition("/")[0]
    while place:
        for name in ("layer.json", "model.json"):
            if f"{place}/{name}" in tree:
                return f"{place}/{name}"
        place = place.rpartition("/")[0]
    return "model.json"


def _too_large(
    repository: Repository, found: Touched, new: Mapping[str, str], sizes: Mapping[str, int]
) -> Iterator[str]:
    from kvcs.render.text import size
    from kvcs.repo.setup import settings

    limit = settings.get_size(repository.git, LIMIT_KEY, LIMIT)
    of_models = [
        f"{place}/{path}" if place else path
        for place, changed in found.models.items()
        for path in sorted(changed)
        if path.endswith(".npy")
    ]
    large = [path for path in of_models if path in new and sizes.get(new[path], 0) > limit > 0]
    for path in large[:LISTED]:
        many = size(sizes[new[path]])
        yield f"{path} has {many}, and a tensor without Git LFS at most {size(limit)}"
    if large:
        yield (
            f"  {len(large)} in all: `kvcs init --lfs` and `git add --renormalize .` give tensors "
            f"to Git LFS, `git config {LIMIT_KEY} 200m` sets another limit"
        )
