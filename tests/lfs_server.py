"""A real LFS server on loopback: giftless, in a process of its own, that keeps what it was asked.

python tests/lfs_server.py STORAGE LOG
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Server:
    """A server: the address of its repository, and where it notes requests."""

    url: str
    log: Path

    def requests(self) -> list[str]:
        """Return what it was asked since the last time, as `POST objects/batch` or `GET <oid>`."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines


@contextmanager
def serving(directory: Path) -> Iterator[Server]:
    """Run a server that keeps its objects in a directory."""
    log = directory / "requests"
    log.touch()
    command = [sys.executable, "-W", "ignore", __file__, str(directory / "objects"), str(log)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Server(f"http://127.0.0.1:{port}/models/digits.git/info/lfs", log)
        finally:
            process.terminate()


def everybody(request: Any) -> Any:
    """Let everybody do everything; giftless' own way of that fails for single objects."""
    from giftless.auth.identity import Identity

    class Everybody(Identity):
        def is_authorized(self, *what: Any, **where: Any) -> bool:
            return True

    return Everybody("everybody")


def _noting(app: Callable[..., Iterable[bytes]], log: Path) -> Callable[..., Iterable[bytes]]:
    def noting(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        _, _, what = environ["PATH_INFO"].partition("/info/lfs/")
        with log.open("a") as file:
            file.write(f"{environ['REQUEST_METHOD']} {what.removeprefix('objects/storage/')}\n")
        return app(environ, start)

    return noting


def main(storage: str, log: str) -> None:
    """Serve until the process is ended; print the port."""
    from giftless.app import init_app
    from werkzeug.serving import make_server

    local = {
        "factory": "giftless.transfer.basic_streaming:factory",
        "options": {
            "storage_class": "giftless.storage.local_storage:LocalStorage",
            "storage_options": {"path": storage},
        },
    }
    settings = {
        "LEGACY_ENDPOINTS": False,
        "AUTH_PROVIDERS": ["__main__:everybody"],
        "PRE_AUTHORIZED_ACTION_PROVIDER": None,
        "TRANSFER_ADAPTERS": {"basic": local},
    }
    app = init_app(additional_config=settings)
    app.wsgi_app = _noting(app.wsgi_app, Path(log))  # type: ignore[method-assign]
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
