"""What is asked of GitHub and GitLab, and what of their answers and events is believed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forge_server import Answer, Forge

from kvcs.errors import ForgeError
from kvcs.forge import body, events, github, gitlab
from kvcs.forge.http import Client
from kvcs.forge.sticky import MARKER, put

SHA, OTHER = "a" * 40, "b" * 40
BODY = f"{MARKER}\nnew\n"


@pytest.fixture
def forge() -> Iterator[Forge]:
    with Forge() as found:
        yield found


def client(forge: Forge, patience: float = 1.0) -> Client:
    headers = {"Authorization": f"Bearer {forge.token}"}
    return Client(forge.url, headers, patience=patience, backoff=0)


def pull_request(forge: Forge) -> github.PullRequest:
    return github.PullRequest(
        client=client(forge), graphql=f"{forge.url}/graphql", repository="owner/name", number=5
    )


def merge_request(forge: Forge) -> gitlab.MergeRequest:
    speaking = Client(f"{forge.url}/api/v4", {"PRIVATE-TOKEN": forge.token}, backoff=0)
    return gitlab.MergeRequest(client=speaking, project=3, number=5)


@pytest.mark.parametrize("comments", [pull_request, merge_request])
class TestTheOneComment:
    def test_is_created(self, forge: Forge, comments: Any) -> None:
        assert put(comments(forge), BODY) == "created"
        assert forge.bodies() == [BODY]

    def test_is_found_on_a_later_page_and_updated(self, forge: Forge, comments: Any) -> None:
        for _ in range(4):
            forge.add("chatter")
        forge.add("mine, and another one", forge.login, forge.user)
        forge.add(f"{MARKER}\r\nold", forge.login, forge.user)
        forge.add("chatter")
        assert put(comments(forge), BODY) == "updated"
        assert forge.bodies()[4:6] == ["mine, and another one", BODY]
        assert len(forge.comments) == 7

    def test_is_left_alone_when_it_is_the_same(self, forge: Forge, comments: Any) -> None:
        forge.add(f"{MARKER}\r\nnew", forge.login, forge.user)
        assert put(comments(forge), BODY) == "unchanged"

    def test_of_another_author_is_not_ours(self, forge: Forge, comments: Any) -> None:
        forge.add(f"{MARKER}\nforged", "stranger", 99)
        forge.add(f"quoted {MARKER}", forge.login, forge.user)
        assert put(comments(forge), BODY) == "created"
        assert forge.bodies()[0] == f"{MARKER}\nforged"


class TestGitHub:
    def test_the_name_of_an_app_without_its_suffix(self, forge: Forge) -> None:
        forge.login = "github-actions"
        forge.add(f"{MARKER}\nold", "github-actions[bot]")
        assert put(pull_request(forge), BODY) == "updated"

    def test_a_token_that_is_nobodys(self, forge: Forge) -> None:
        forge.answers = [Answer(200, content=b'{"data": null}')]
        with pytest.raises(ForgeError, match="does not say whose token"):
            put(pull_request(forge), BODY)

    def test_a_repository_that_is_none(self, forge: Forge) -> None:
        comments = github.PullRequest(
            client=client(forge), graphql=f"{forge.url}/graphql", repository="a/../b", number=5
        )
        with pytest.raises(ForgeError, match="expected a repository as OWNER/NAME"):
            comments.create(BODY)


def pull(number: int, sha: str = SHA, **fields: Any) -> dict[str, Any]:
    found = {
        "number": number, "state": "open", "label": "stranger:topic",
        "head": {"sha": sha, "repo": {"id": 20}}, "base": {"repo": {"full_name": "Owner/Name"}},
    }  # fmt: skip
    return {**found, **fields}


def run(**fields: Any) -> dict[str, Any]:
    found = {
        "event": "pull_request", "head_sha": SHA, "head_branch": "topic", "pull_requests": [],
        "head_repository": {"id": 20, "owner": {"login": "stranger"}},
    }  # fmt: skip
    return {"workflow_run": {**found, **fields}}


class TestWhichPullRequest:
    def asked(self, forge: Forge, event: dict[str, Any] | None = None) -> int | None:
        return github.pull_of_run(client(forge), "owner/name", event or run())

    def test_by_the_branch_of_the_fork(self, forge: Forge) -> None:
        forge.pulls = [pull(number, OTHER) for number in range(3)] + [pull(5)]
        assert self.asked(forge) == 5

    def test_by_the_commit(self, forge: Forge) -> None:
        forge.of_commits = {SHA: [pull(5)]}
        assert self.asked(forge) == 5

    @pytest.mark.parametrize(
        "other",
        [
            pull(6, OTHER),
            pull(6, state="closed"),
            pull(6, head={"sha": SHA, "repo": {"id": 21}}),
            pull(6, head={"sha": SHA, "repo": None}),
            pull(6, base={"repo": {"full_name": "stranger/name"}}),
            {"number": 6, "label": "stranger:topic"},
        ],
    )
    def test_no_other_counts(self, forge: Forge, other: dict[str, Any]) -> None:
        forge.pulls = [other]
        forge.of_commits = {SHA: [other]}
        assert self.asked(forge) is None

    def test_of_two_it_cannot_be_told(self, forge: Forge) -> None:
        forge.pulls = [pull(5), pull(6)]
        with pytest.raises(ForgeError, match="a commit of 2 pull requests"):
            self.asked(forge)

    @pytest.mark.parametrize("event", [{}, {"workflow_run": 1}, run(event="push")])
    def test_other_runs(self, forge: Forge, event: dict[str, Any]) -> None:
        with pytest.raises(ForgeError, match="did not run for a pull request"):
            self.asked(forge, event or {"x": 1})

    def test_hostile_names_stay_in_their_place(self, forge: Forge) -> None:
        assert self.asked(forge, run(head_sha="../x?y#z", head_branch="a&state=all#")) is None
        pulls, commits = forge.requests
        assert pulls.query["head"] == "stranger:a&state=all#"
        assert pulls.query["state"] == "open"
        assert commits.path == "/repos/owner/name/commits/..%2Fx%3Fy%23z/pulls"


class TestRequests:
    @pytest.mark.parametrize(
        ("status", "says"),
        [
            (401, "the token is not, or no longer, valid; it says 'no'"),
            (403, "the job needs pull-requests: write; it says 'no'"),
            (404, "there is nothing there, or the token may not see it; it says 'no'"),
            (422, "it does not take what was sent; it says 'no'"),
            (418, "try again later; it says 'no'"),
        ],
    )
    def test_refusals(self, forge: Forge, status: int, says: str) -> None:
        forge.answers = [Answer(status)]
        with pytest.raises(ForgeError, match="refused GET /x") as caught:
            client(forge).get("x")
        assert says in str(caught.value)
        assert forge.token not in str(caught.value)

    def test_a_server_that_stumbles(self, forge: Forge) -> None:
        forge.answers = [Answer(502), Answer(503), Answer(200, content=b"[1]")]
        assert client(forge).get("x") == [1]
        forge.answers = [Answer(500)] * 9
        with pytest.raises(ForgeError, match=r"\(500\)"):
            client(forge).get("x")
        assert len(forge.answers) == 5

    def test_a_comment_is_not_posted_twice(self, forge: Forge) -> None:
        forge.answers = [Answer(502)]
        with pytest.raises(ForgeError, match=r"\(502\)"):
            client(forge).send("POST", "x", {})
        assert len(forge.requests) == 1

    @pytest.mark.parametrize(
        "limited",
        [
            Answer(429, {"Retry-After": "0"}),
            Answer(403, {"Retry-After": "0"}),
            Answer(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}),
            Answer(429, {"RateLimit-Reset": "1"}),
        ],
    )
    def test_a_limit_that_ends_soon(self, forge: Forge, limited: Answer) -> None:
        forge.answers = [limited, limited, Answer(200, content=b"{}")]
        assert client(forge).send("POST", "x", {}) == {}

    @pytest.mark.parametrize(
        "limited",
        [
            Answer(429, {"Retry-After": "3600"}),
            Answer(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"}),
            Answer(429, {"Retry-After": "soon"}),
            Answer(429, {"Retry-After": "0"}),
        ],
    )
    def test_a_limit_that_does_not(self, forge: Forge, limited: Answer) -> None:
        forge.answers = [limited] * 20
        with pytest.raises(ForgeError, match=r"asked to wait for [\d,]+ seconds: run this job"):
            client(forge).get("x")

    def test_no_token_goes_to_another_host(self, forge: Forge) -> None:
        with Forge() as other:
            forge.answers = [Answer(302, {"Location": f"{other.url}/x"})]
            with pytest.raises(ForgeError, match="no token is sent there"):
                client(forge).get("x")
            link = {"Link": f'<{other.url}/x?page=2>; rel="next"'}
            forge.answers = [Answer(200, link, b"[1]")]
            with pytest.raises(ForgeError, match="no token is sent there"):
                list(client(forge).pages("x"))
            assert other.requests == []

    def test_a_repository_that_moved(self, forge: Forge) -> None:
        moved = Answer(301, {"Location": "/repositories/1/x"})
        forge.answers = [moved, Answer(200, content=b"[1]")]
        assert client(forge).get("x") == [1]
        assert forge.requests[1].path == "/repositories/1/x"
        forge.answers = [moved]
        with pytest.raises(ForgeError, match="has what was /x at /repositories/1/x now"):
            client(forge).send("POST", "x", {})
        forge.answers = [moved] * 9
        with pytest.raises(ForgeError, match=r"\(301\)"):
            client(forge).get("x")

    def test_answers_that_are_none(self, forge: Forge) -> None:
        forge.answers = [Answer(200, content=b"<html>"), Answer(200, content=b"{}")]
        with pytest.raises(ForgeError, match="is no JSON"):
            client(forge).get("x")
        with pytest.raises(ForgeError, match="gave no list at /x"):
            list(client(forge).pages("x"))

    @pytest.mark.parametrize("rel", ['rel="next"', "rel=next", 'title="a, b"; rel="next"'])
    def test_links(self, forge: Forge, rel: str) -> None:
        link = f'<{forge.url}/x?head=a,b>; rel="first", <{forge.url}/y?head=a,b>; {rel}'
        forge.answers = [Answer(200, {"Link": link}, b"[1]"), Answer(200, content=b"[2]")]
        assert list(client(forge).pages("x")) == [1, 2]
        assert [request.path for request in forge.requests] == ["/x", "/y"]

    def test_pages_without_end(self, forge: Forge) -> None:
        link = {"Link": f'<{forge.url}/x>; rel="next"'}
        forge.answers = [Answer(200, link, b"[]")] * 200
        with pytest.raises(ForgeError, match="more than 100 pages"):
            list(client(forge).pages("x"))

    def test_nobody_is_there(self) -> None:
        with Forge() as gone:
            url = gone.url
        with pytest.raises(ForgeError, match="does not answer: NewConnectionError"):
            Client(url, {}, backoff=0).get("x")

    @pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1", "example.org", ""])
    def test_where_no_token_goes(self, url: str) -> None:
        with pytest.raises(ForgeError, match="no token goes there"):
            Client(url, {})


class TestTokens:
    def test_are_missing(self) -> None:
        with pytest.raises(ForgeError, match="set GITHUB_TOKEN"):
            github.client({})
        with pytest.raises(ForgeError, match="masked variable KVCS_GITLAB_TOKEN"):
            gitlab.client({})
        with pytest.raises(ForgeError, match="CI_API_V4_URL is not set"):
            gitlab.client({"KVCS_GITLAB_TOKEN": "x"})

    def test_addresses_of_ones_own(self) -> None:
        assert github.graphql({}) == "https://api.github.com/graphql"
        own = {"GITHUB_GRAPHQL_URL": "https://git.example.org/api/graphql"}
        assert github.graphql(own) == "https://git.example.org/api/graphql"


class TestEvents:
    def of_github(self, tmp_path: Path, name: str, event: Any) -> events.Range | None:
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event))
        return events.range_of({"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path)})

    def test_of_github(self, tmp_path: Path) -> None:
        expected = events.Range(base=SHA, head=OTHER)
        request = {"pull_request": {"base": {"sha": SHA}, "head": {"sha": OTHER}}}
        assert self.of_github(tmp_path, "pull_request", request) == expected
        group = {"merge_group": {"base_sha": SHA, "head_sha": OTHER}}
        assert self.of_github(tmp_path, "merge_group", group) == expected
        push = {"before": SHA, "after": OTHER}
        assert self.of_github(tmp_path, "push", push) == expected

    @pytest.mark.parametrize(
        ("name", "event", "says"),
        [
            ("pull_request", {}, "no commit as base.sha: give --base and --head"),
            ("pull_request", {"pull_request": {"base": {"sha": "--x"}}}, "no commit as base.sha"),
            ("push", {"before": "0" * 40, "after": SHA}, "'push' has no two commits to compare"),
            ("schedule", {}, "'schedule' has no two commits"),
            ("pull_request_target", {}, "analyse on pull_request, and comment on workflow_run"),
            ("pull_request", [], "GITHUB_EVENT_PATH names no event that can be read"),
        ],
    )
    def test_that_name_none(self, tmp_path: Path, name: str, event: Any, says: str) -> None:
        with pytest.raises(ForgeError, match=says):
            self.of_github(tmp_path, name, event)

    def test_without_a_file(self) -> None:
        with pytest.raises(ForgeError, match="names no event"):
            events.range_of({"GITHUB_EVENT_NAME": "push"})

    def test_of_gitlab(self) -> None:
        job = {"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "5", "CI_COMMIT_SHA": OTHER,
               "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}  # fmt: skip
        assert events.range_of(job) == events.Range(base="", head=OTHER, branch="main")
        merged = {**job, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": SHA,
                  "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "c" * 40}  # fmt: skip
        assert events.range_of(merged) == events.Range(base=SHA, head="c" * 40)
        with pytest.raises(ForgeError, match="is for no merge request"):
            events.range_of({"GITLAB_CI": "true"})

    def test_of_nothing(self) -> None:
        assert events.range_of({}) is None


class TestTheFileOfAComment:
    def test_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text(BODY)
        assert body.read(tmp_path / "a") == BODY

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text(BODY)
        (tmp_path / "b").symlink_to("a")
        with pytest.raises(ForgeError, match=r"there is no comment in .*/b: "):
            body.read(tmp_path / "b")

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ForgeError, match="is no file"):
            body.read(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "none"):
            with pytest.raises(ForgeError, match="there is no comment in "):
                body.read(path)

    @pytest.mark.parametrize("content", [b"\xff", b"x" * 300_000, f"{MARKER}\n\0".encode()])
    def test_what_kvcs_did_not_write(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(ForgeError, match="the comment in "):
            body.read(tmp_path / "a")
