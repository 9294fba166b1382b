"""Requests to one host that speaks JSON.

A token is sent to the host it is for and to no other: redirections are followed on that host alone,
and without TLS nothing is sent but to this machine. What is waited for has an end.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from kvcs.errors import ForgeError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

Json: TypeAlias = Any

TIMEOUT = 30.0  # seconds for one answer
PATIENCE = 120.0  # seconds to wait in all, where the host asks for it
WAITS = 10  # a host could ask for no time at all, again and again
LARGEST = 1 << 26  # bytes of an answer: a hundred comments, each as long as it may be
REDIRECTIONS = 3
PAGES = 100
_LINK = re.compile(r"<([^>]*)>([^<]*)")
_NEXT = re.compile(r""";\s*rel\s*=\s*(?:next\b|"next"|'next')""")
_HERE = ("127.0.0.1", "::1", "localhost")
_MOVED = (301, 302, 307, 308)
# What was posted may have been done without an answer: a comment would stand there twice.
_AGAIN = ("GET", "PATCH", "PUT")
_TOLD = 300  # characters of what a host says of an error


class Client:
    """Speaks with one host.

    Args:
        base: where its API begins, such as `https://api.github.com`.
        headers: sent with each request, such as the one that holds a token.
        patience: seconds to wait in all, where the host asks for it.
        backoff: seconds to wait before the second try of a request; more before later ones.

    Raises:
        ForgeError: the address is none that a token may be sent to.
    """

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        *,
        patience: float = PATIENCE,
        backoff: float = 0.5,
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
            raise ForgeError(
                f"{base!r} is no address that begins with https://: no token goes there"
            )
        self._base = base.rstrip("/")
        self._host = parts.netloc
        self._headers = {**headers, "User-Agent": "kvcs", "Content-Type": "application/json"}
        self._patience = patience
        self._backoff = backoff
        self._pool = _pool(parts.scheme, parts.hostname or "")

    def get(self, path: str, **query: str | int) -> Json:
        """Return what stands at a path.

        Raises:
            ForgeError: the host does not answer, or says no.
        """
        return self._answer("GET", self._url(path, query))[0]

    def pages(self, path: str, **query: str | int) -> Iterator[Json]:
        """Yield the items of a list that comes in pages, of which each links the next."""
        url = self._url(path, {**query, "per_page": 100})
        for _ in range(PAGES):
            items, following = self._answer("GET", url)
            if not isinstance(items, list):
                raise ForgeError(f"{self._host} gave no list at {urlsplit(url).path}")
            yield from items
            if not following:
                return
            url = following
        raise ForgeError(f"{self._host} has more than {PAGES} pages at {urlsplit(url).path}")

    def send(self, method: str, path: str, document: Json) -> Json:
        """Send JSON, and return the answer.

        Raises:
            ForgeError: the host does not answer, or says no.
        """
        body = json.dumps(document).encode()
        return self._answer(method, self._url(path, {}), body)[0]

    def _url(self, path: str, query: Mapping[str, str | int]) -> str:
        url = path if path.startswith(("https:", "http:")) else f"{self._base}/{path}"
        self._check(url)
        return f"{url}?{urlencode(query)}" if query else url

    def _check(self, url: str) -> None:
        """Refuse another host."""
        mine, parts = urlsplit(self._base), urlsplit(url)
        if (parts.scheme, parts.netloc) != (mine.scheme, mine.netloc):
            raise ForgeError(f"{self._host} refers to {parts.netloc!r}: no token is sent there")

    def _answer(self, method: str, url: str, body: bytes | None = None) -> tuple[Json, str]:
        """Return the answer to a request as JSON, and the address of the next page."""
        response = self._patiently(method, url, body)
        for _ in range(REDIRECTIONS):
            if response.status in _MOVED:
                url = self._moved(method, url, response)
                response = self._patiently(method, url, body)
        content = self._read(response)
        if not 200 <= response.status < 300:
            raise ForgeError(self._refusal(method, url, response.status, content))
        return self._parsed(content), self._next(response)

    def _patiently(self, method: str, url: str, body: bytes | None) -> BaseHTTPResponse:
        """Return the first answer that does not ask to wait."""
        waited = 0.0
        for _ in range(WAITS):
            response = self._request(method, url, body)
            seconds = _asked_to_wait(response)
            if seconds is None:
                return response
            waited += seconds
            if waited > self._patience:
                break
            time.sleep(seconds)
        raise ForgeError(
            f"{self._host} takes no more requests, and asked to wait for {waited:,.0f} seconds: "
            "run this job again later"
        )

    def _request(self, method: str, url: str, body: bytes | None) -> BaseHTTPResponse:
        from urllib3 import Retry, Timeout
        from urllib3.exceptions import HTTPError

        retries = Retry(
            total=3, redirect=0, other=0, read=0 if method == "POST" else None,
            status_forcelist=(500, 502, 503, 504), allowed_methods=_AGAIN,
            backoff_factor=self._backoff, respect_retry_after_header=False,
            raise_on_status=False, raise_on_redirect=False,
        )  # fmt: skip
        try:
            return self._pool.request(
                method, url, body=body, headers=self._headers, redirect=False, retries=retries,
                timeout=Timeout(connect=TIMEOUT, read=TIMEOUT), preload_content=False,
            )  # fmt: skip
        except HTTPError as error:
            reason = _reason(error)
            raise ForgeError(f"{self._host} does not answer: {reason}; try again later") from None

    def _moved(self, method: str, url: str, response: BaseHTTPResponse) -> str:
        response.drain_conn()
        target = urljoin(url, response.headers.get("Location", ""))
        self._check(target)
        if method != "GET" and response.status in (301, 302):
            raise ForgeError(
                f"{self._host} has what was {urlsplit(url).path} at {urlsplit(target).path} now: "
                "say so where this job gets its address from"
            )
        return target

    def _read(self, response: BaseHTTPResponse) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            content = response.read(LARGEST + 1)
        except HTTPError as error:
            raise ForgeError(f"the answer of {self._host} broke off: {_reason(error)}") from None
        if len(content) > LARGEST:
            raise ForgeError(f"the answer of {self._host} has more than {LARGEST:,} bytes")
        response.release_conn()
        return content

    def _parsed(self, content: bytes) -> Json:
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError):
            raise ForgeError(f"the answer of {self._host} is no JSON") from None

    def _next(self, response: BaseHTTPResponse) -> str:
        """Return the address behind `rel="next"` in the Link header, which is on this host."""
        for target, rest in _LINK.findall(response.headers.get("Link", "")):
            if _NEXT.search(rest):
                self._check(target)
                return str(target)
        return ""

    def _refusal(self, method: str, url: str, status: int, content: bytes) -> str:
        where = f"{self._host} refused {method} {urlsplit(url).path} ({status})"
        advice = {
            401: "the token is not, or no longer, valid",
            403: "the token may not do that: on GitHub, the job needs pull-requests: write",
            404: "there is nothing there, or the token may not see it",
            422: "it does not take what was sent",
        }
        told = _message(content)
        reason = "; ".join(filter(None, (advice.get(status, "try again later"), told)))
        return f"{where}: {reason}"


def _pool(scheme: str, host: str) -> PoolManager:
    """Return connections, through the proxy that the environment names."""
    try:
        from urllib3 import PoolManager, ProxyManager
    except ModuleNotFoundError:
        raise ForgeError("comments need urllib3: pip install 'kvcs[ci]'") from None

    proxy = getproxies().get(scheme)
    if proxy and host not in _HERE and not proxy_bypass(host):
        return ProxyManager(proxy if "://" in proxy else f"http://{proxy}")
    return PoolManager()


def _asked_to_wait(response: BaseHTTPResponse) -> float | None:
    """Return how many seconds a host that limits requests asks to wait; None for any other answer.

    GitHub answers 403 or 429, with `retry-after` or with the time at which its limit begins anew;
    GitLab answers 429.
    """
    headers = response.headers
    after = headers.get("Retry-After", "")
    spent = headers.get("X-RateLimit-Remaining") == "0"
    if response.status != 429 and not (response.status == 403 and (after or spent)):
        return None
    response.drain_conn()
    if after.isascii() and after.isdecimal():
        return float(after)
    reset = headers.get("X-RateLimit-Reset", headers.get("RateLimit-Reset", ""))
    if reset.isascii() and reset.isdecimal():
        return max(0.0, float(reset) - time.time())
    return 60.0  # what GitHub asks for where it says nothing


def _message(content: bytes) -> str:
    """Return what a host says of an error, which is anybody's text."""
    try:
        found = json.loads(content)["message"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""
    text = found if isinstance(found, str) else json.dumps(found)
    return f"it says {text[:_TOLD]!r}"


def _reason(error: Exception) -> str:
    """Return why there is no answer, without addresses of objects and without what was sent."""
    inner = getattr(error, "reason", None) or error
    return type(inner).__name__
