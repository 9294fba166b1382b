"""Tensors of a stored model of which only pointers are there, as Git LFS leaves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kvcs.errors import AbsentError, DamageError
from kvcs.npy import Array
from kvcs.spec import StoredModel
from kvcs.tree import reader

POINTER = b"version https://git-lfs.github.com/spec/v1\n"
LONGEST = 1024  # bytes of a pointer, by its specification


class Contents(Mapping[str, Callable[[], Array | bytes]]):
    """The tensors and assets of a stored model; one that is a pointer is said to be one."""

    def __init__(
        self, checked: reader.Contents, files: Mapping[str, bytes], model: StoredModel, name: str
    ) -> None:
        self._checked, self._files, self._name = checked, files, name
        self._digests = {path: tensor.sha256 for path, (_, tensor) in reader.tensors(model)}

    def __getitem__(self, path: str) -> Callable[[], Array | bytes]:
        read = self._checked[path]

        def told() -> Array | bytes:
            try:
                return read()
            except DamageError:
                if not self._is_pointer(path):
                    raise
                raise AbsentError(
                    f"{self._name} has pointers of Git LFS in the place of weights: "
                    "`git lfs pull` fetches the objects"
                ) from None

        return told

    def __iter__(self) -> Iterator[str]:
        return iter(self._checked)

    def __len__(self) -> int:
        return len(self._checked)

    def _is_pointer(self, path: str) -> bool:
        """Tell whether a file is a pointer to the very bytes that should stand there."""
        data = self._files.get(path, b"")
        if not data.startswith(POINTER) or len(data) > LONGEST:
            return False
        return f"oid sha256:{self._digests.get(path)}".encode() in data.splitlines()
