"""`kvcs ci analyse`: compare what a pipeline is about, and judge it. Nothing is posted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kvcs.commands.check import judged
from kvcs.commands.ci import results
from kvcs.commands.ci.outputs import tell
from kvcs.commands.ci.results import Analysis
from kvcs.commands.diff_all import diff_all
from kvcs.commands.rules_file import rules_for
from kvcs.commands.versions import versions
from kvcs.comparison.weighing import Report as Progress
from kvcs.errors import ForgeError, KvcsError
from kvcs.forge.events import Range, range_of
from kvcs.render.flavour import Flavour


def analyse(
    directory: Path,
    environment: Mapping[str, str],
    *,
    base: str = "",
    head: str = "",
    paths: Sequence[str] = (),
    progress: Progress = lambda done, total: None,
) -> Analysis:
    """Compare two commits from where their histories part, and write what came out.

    Args:
        directory: where to.
        environment: of the pipeline.
        base, head: revisions to compare; what is empty, the pipeline says.
        paths: only models at or below one of these.
        progress: told of how many bytes of weights how many are compared.

    Raises:
        KvcsError: nothing could be compared. That is written to the directory too.
    """
    try:
        found = _analysed(environment, base, head, paths, progress)
    except Exception as error:  # also a fault of kvcs, or an older comment would stay as it is
        told = isinstance(error, KvcsError)
        reason = str(error) if told else "kvcs itself failed; the log of the job says how"
        files = results.write_failure(directory, reason)
        _tell(environment, files, "review", True)
        raise
    files = results.write(directory, found)
    _tell(environment, files, found.report.status, found.changed)
    return found


def _tell(
    environment: Mapping[str, str], files: Mapping[str, Path], status: str, changed: bool
) -> None:
    summary = files[results.SUMMARY].read_text(encoding="utf-8")
    tell(environment, outputs(files, status, changed), summary)


def outputs(files: Mapping[str, Path], status: str, changed: bool) -> dict[str, str]:
    """Return what a step says of an analysis; the path of a file that is not there is empty."""
    names = {
        "report": results.REPORT,
        "comment": results.COMMENT,
        "summary": results.SUMMARY,
        "check": results.CHECK,
        "sarif": results.SARIF,
    }
    paths = {f"{key}-path": str(files.get(name, "")) for key, name in names.items()}
    return {"changed": str(changed).lower(), "review-status": status, **paths}


def _analysed(
    environment: Mapping[str, str],
    base: str,
    head: str,
    paths: Sequence[str],
    progress: Progress,
) -> Analysis:
    between = _between(environment, base, head)
    operands = [f"{between.base}...{between.head}"]
    rules = rules_for(operands, list(paths) or None)
    asked = versions(operands, list(paths) or None)
    outcomes = diff_all(
        asked, hints={}, stats=True, numbers=True, histograms=True, alone=True, report=progress
    )
    flavour: Flavour = "gitlab" if environment.get("GITLAB_CI") else "github"
    return Analysis(
        report=judged(rules, outcomes, whole=not paths),
        outcomes=outcomes,
        base=between.base,
        head=between.head,
        flavour=flavour,
    )


def _between(environment: Mapping[str, str], base: str, head: str) -> Range:
    """Return the commits that are compared; those that the pipeline names are fetched."""
    from kvcs.repo import Repository

    with Repository.discover() as repository:
        if base and head:
            return Range(base=repository.resolve(base), head=repository.resolve(head))
        found = range_of(environment)
        if found is None:
            raise ForgeError(
                "this is no pipeline of GitHub or GitLab: say with --base and --head what to "
                "compare"
            )
        named = [commit for commit in (found.base, found.head) if commit]
        newest = repository.bring(named, found.branch)
        found = replace(found, base=found.base or newest)
        given = {"base": base, "head": head}
        return replace(
            found, **{key: repository.resolve(name) for key, name in given.items() if name}
        )
