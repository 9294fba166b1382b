"""`kvcs ci comment`: post what an analysis left, as the one comment on its change.

It looks at no repository, and trusts nothing in the directory: the host tells where to comment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kvcs.commands.ci.results import COMMENT
from kvcs.errors import ForgeError
from kvcs.forge import body, events, github, gitlab
from kvcs.forge.sticky import Comments, put


def comment(directory: Path, environment: Mapping[str, str]) -> str:
    """Write the comment, or write it anew.

    Args:
        directory: what `analyse` wrote.
        environment: of the pipeline.

    Returns:
        What was done, in a sentence.

    Raises:
        ForgeError: there is no comment that could be posted, or the host says no.
    """
    text = body.read(directory / COMMENT)
    if environment.get("GITLAB_CI"):
        return _done(_of_gitlab(environment), text)
    if not environment.get("GITHUB_EVENT_NAME"):
        raise ForgeError("this is no pipeline of GitHub or GitLab: there is nothing to comment on")
    event = events.event(environment)
    if environment["GITHUB_EVENT_NAME"] == "workflow_run":
        return _on_run(environment, event, text)
    if environment["GITHUB_EVENT_NAME"] == "pull_request":
        return _on_pull(environment, event, text)
    raise ForgeError("comments are written on workflow_run, or on pull_request of a branch")


def _done(comments: Comments, text: str) -> str:
    return f"The comment was {put(comments, text)}."


def _on_run(environment: Mapping[str, str], event: Mapping[str, Any], text: str) -> str:
    repository = environment.get("GITHUB_REPOSITORY", "")
    client = github.client(environment)
    number = github.pull_of_run(client, repository, event)
    if number is None:
        return "No comment: the pull request is closed, or was pushed to in the meantime."
    return _done(_pull(environment, client, number), text)


def _on_pull(environment: Mapping[str, str], event: Mapping[str, Any], text: str) -> str:
    pull: Any = event.get("pull_request")
    try:
        number = int(pull["number"])
        head = pull["head"]["repo"]["id"] if pull["head"]["repo"] else None
        is_fork = head != pull["base"]["repo"]["id"]
    except (KeyError, TypeError, ValueError):
        raise ForgeError("the event names no pull request") from None
    if is_fork:
        return "No comment: the token of a fork's pull request may not write. See docs/ci.md."
    return _done(_pull(environment, github.client(environment), number), text)


def _pull(environment: Mapping[str, str], client: Any, number: int) -> Comments:
    return github.PullRequest(
        client=client,
        graphql=github.graphql(environment),
        repository=environment.get("GITHUB_REPOSITORY", ""),
        number=number,
    )


def _of_gitlab(environment: Mapping[str, str]) -> Comments:
    project = environment.get("CI_MERGE_REQUEST_PROJECT_ID", "")
    number = environment.get("CI_MERGE_REQUEST_IID", "")
    if not all(text.isascii() and text.isdecimal() for text in (project, number)):
        raise ForgeError("this pipeline is for no merge request: there is nothing to comment on")
    return gitlab.MergeRequest(
        client=gitlab.client(environment), project=int(project), number=int(number)
    )
