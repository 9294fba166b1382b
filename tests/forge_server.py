"""GitHub and GitLab on this machine: the few calls that kvcs makes, over real HTTP.

`Forge` keeps comments and pull requests, and answers as the two do: in pages with a Link header,
with a limit of requests, with errors. It stops by itself at the end of its `with`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

PAGE = 2  # comments in a page, so that few of them fill several


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    document: Any


@dataclass(frozen=True)
class Answer:
    """An answer that is given once, before all others."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b'{"message": "no"}'


class Forge:
    """A server with a token, comments by author, and pull requests.

    Attributes:
        comments: what is there; tests put others' comments in.
        pulls: as the API gives them.
        answers: given before all others, one for each request.
        requests: what was asked, in order.
    """

    token = "t0ken"
    login = "github-actions[bot]"
    user = 7

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.of_commits: dict[str, list[dict[str, Any]]] = {}
        self.answers: list[Answer] = []
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def add(self, body: str, login: str = "somebody", user: int = 1) -> int:
        number = len(self.comments) + 1
        author = {"login": login, "id": user}
        self.comments.append({"id": number, "body": body, "user": author, "author": author})
        return number

    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.comments]

    def __enter__(self) -> Forge:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # --- answers ---------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        given = request.headers.get("authorization", request.headers.get("private-token", ""))
        if given.removeprefix("Bearer ") != self.token:
            return Answer(401)
        for pattern, method in _ROUTES.items():
            verb, _, path = pattern.partition(" ")
            found = re.fullmatch(path, request.path)
            if found and verb == request.method:
                return getattr(self, method)(request, *found.groups())  # type: ignore[no-any-return]
        return Answer(404)

    def viewer(self, request: Request) -> Answer:
        return _json({"data": {"viewer": {"login": self.login}}})

    def me(self, request: Request) -> Answer:
        return _json({"id": self.user})

    def listed(self, request: Request) -> Answer:
        return self._page(request, self.comments)

    def created(self, request: Request) -> Answer:
        number = self.add(request.document["body"], self.login, self.user)
        return _json({"id": number}, 201)

    def updated(self, request: Request, number: str) -> Answer:
        self.comments[int(number) - 1]["body"] = request.document["body"]
        return _json({"id": int(number)})

    def pulled(self, request: Request) -> Answer:
        head = request.query["head"]
        return self._page(request, [one for one in self.pulls if one["label"] == head])

    def of_commit(self, request: Request, commit: str) -> Answer:
        return self._page(request, self.of_commits.get(commit, []))

    def _page(self, request: Request, items: list[Any]) -> Answer:
        page = int(request.query.get("page", 1))
        start = (page - 1) * PAGE
        headers = {}
        if start + PAGE < len(items):
            query = urlencode({**request.query, "page": page + 1})
            headers["Link"] = (
                f'<{self.url}{request.path}?page=1>; rel="first", '
                f'<{self.url}{request.path}?{query}>; rel="next"'
            )
        return _json(items[start : start + PAGE], headers=headers)


_REPOSITORY = "/repos/owner/name"
_NOTES = "/api/v4/projects/3/merge_requests/5/notes"
_ROUTES = {
    "POST /graphql": "viewer",
    f"GET {_REPOSITORY}/issues/5/comments": "listed",
    f"POST {_REPOSITORY}/issues/5/comments": "created",
    rf"PATCH {_REPOSITORY}/issues/comments/(\d+)": "updated",
    f"GET {_REPOSITORY}/pulls": "pulled",
    f"GET {_REPOSITORY}/commits/(.*)/pulls": "of_commit",
    "GET /api/v4/user": "me",
    f"GET {_NOTES}": "listed",
    f"POST {_NOTES}": "created",
    rf"PUT {_NOTES}/(\d+)": "updated",
}


def _json(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, json.dumps(document).encode())


def _handler(forge: Forge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer takes 40 ms

        def respond(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {key.lower(): value for key, value in self.headers.items()}
            document = json.loads(body) if body else None
            answer = forge.answer(Request(self.command, parts.path, query, headers, document))
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = do_PUT = respond  # noqa: N815

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Say nothing."""

    return Handler
