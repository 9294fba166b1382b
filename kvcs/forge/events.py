"""What the environment of a pipeline says: which commits are compared, and where to comment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvcs.errors import ForgeError

LARGEST = 1 << 25  # bytes of an event; GitHub delivers at most 25 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Two commits that are to be compared, from where their histories part.

    Attributes:
        base: hash of the newest commit of the branch that the change is for.
        head: hash of the newest commit of the change.
        branch: the branch, where only its name is known; then `base` is empty.
    """

    base: str
    head: str
    branch: str = ""


def range_of(environment: Mapping[str, str]) -> Range | None:
    """Return what a pipeline is about; None where this is no pipeline.

    Raises:
        ForgeError: this is one that compares nothing.
    """
    if environment.get("GITHUB_EVENT_NAME"):
        return _of_github(environment["GITHUB_EVENT_NAME"], event(environment))
    return _of_gitlab(environment) if environment.get("GITLAB_CI") else None


def event(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the event that started a workflow of GitHub.

    Raises:
        ForgeError: there is no file of it, or no JSON in it.
    """
    path = environment.get("GITHUB_EVENT_PATH", "")
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
        found = json.loads(content) if len(content) <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ForgeError(f"GITHUB_EVENT_PATH names no event that can be read: {path!r:.200}")
    return found


def _of_github(name: str, event: Mapping[str, Any]) -> Range:
    if name == "pull_request":
        pull = event.get("pull_request")
        return Range(base=_sha(pull, "base", "sha"), head=_sha(pull, "head", "sha"))
    if name == "merge_group":
        group = event.get("merge_group")
        return Range(base=_sha(group, "base_sha"), head=_sha(group, "head_sha"))
    if name == "push" and str(event.get("before", "")).strip("0"):
        return Range(base=_sha(event, "before"), head=_sha(event, "after"))
    if name == "pull_request_target":
        raise ForgeError(
            "on pull_request_target, a workflow holds secrets while it looks at what a stranger "
            "wrote: analyse on pull_request, and comment on workflow_run"
        )
    raise ForgeError(f"an event {name!r:.60} has no two commits to compare: give --base and --head")


def _sha(found: Any, *keys: str) -> str:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return _checked(found, ".".join(keys))


def _checked(found: Any, what: str) -> str:
    if not isinstance(found, str) or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", found):
        raise ForgeError(f"the pipeline names no commit as {what}: give --base and --head")
    return found


def _of_gitlab(environment: Mapping[str, str]) -> Range:
    """Return the commits of a merge request.

    `CI_MERGE_REQUEST_DIFF_BASE_SHA` is where the branches part. The rules that hold are those of
    the target branch as it is now, which is known by its name.
    """
    if not environment.get("CI_MERGE_REQUEST_IID"):
        raise ForgeError(
            "this pipeline is for no merge request: run it on merge_request_event, or give --base "
            "and --head"
        )
    head = environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or environment.get("CI_COMMIT_SHA")
    base = environment.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "")
    branch = environment.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "")
    if not base and not branch:
        raise ForgeError("the pipeline names no target branch: give --base and --head")
    return Range(
        base=_checked(base, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA") if base else "",
        head=_checked(head, "CI_COMMIT_SHA"),
        branch="" if base else branch,
    )
