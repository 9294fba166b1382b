"""Files on their way to the disk: large ones in the background, many small ones all at once."""

from __future__ import annotations

import os
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from kvcs.workdir.filesystem import can_sync, sync

THREADS = 8  # a disk takes several files in hardly more time than one
IN_FLIGHT = 64  # files that are still open, with data that is perhaps in memory only
LARGE = 8 << 20  # bytes; worth being brought to the disk while the next file is produced
FEW = 64  # small files; of more, the whole file system is faster brought to the disk


class Disk:
    """Brings written files to the disk and closes them.

    Large files are brought there one by one, while the next ones are produced. Small ones wait:
    a model has thousands, and one sync of the file system takes less time than a hundred of files.
    For few it would be a bad bargain, since it also brings there what other programs have written.

    Threads are started with the first files. None is left after `finish` or `give_up`; all files
    are closed then, too.
    """

    def __init__(self) -> None:
        # Simple queues only: an interrupt can leave other queues and semaphores locked for ever.
        self._files: SimpleQueue[BinaryIO | None] = SimpleQueue()  # None ends a thread
        self._room: SimpleQueue[None] = SimpleQueue()  # as many as files may still come
        for _ in range(IN_FLIGHT):
            self._room.put(None)
        self._threads: list[Thread] = []
        self._errors: list[BaseException] = []
        self._given_up = False
        self._waiting: list[BinaryIO] = []
        self._many = False

    def take(self, file: BinaryIO, size: int) -> None:
        """Take a file over, written and flushed; raise what went wrong with this or another."""
        if size >= LARGE:
            self._start(file)
        elif self._many:
            file.close()
        else:
            self._waiting.append(file)
            if len(self._waiting) > FEW:
                self._stop_waiting()

    def finish(self) -> None:
        """Wait until the disk has all files; raise what went wrong with one."""
        if self._many:
            with self._waiting.pop() as first:
                sync(first.fileno())
        else:
            while self._waiting:
                self._start(self._waiting.pop(0))
        self._end_threads()
        self._check()

    def give_up(self) -> None:
        """Close what is still open; whether it reaches the disk no longer matters."""
        self._given_up = True
        for file in self._waiting:
            self._settle(file)
        self._end_threads()

    def _stop_waiting(self) -> None:
        """Leave what waits to a sync of the file system, or bring it to the disk by itself."""
        self._many = can_sync(self._waiting[0].fileno())
        # The first stays open: a sync tells of the errors since the file it is called for was.
        while len(self._waiting) > self._many:
            file = self._waiting.pop()
            file.close() if self._many else self._start(file)

    def _start(self, file: BinaryIO) -> None:
        if len(self._threads) < THREADS:
            self._start_thread()
        if self._threads:
            self._room.get()
            self._files.put(file)
        else:
            self._settle(file)
        self._check()

    def _start_thread(self) -> None:
        # Listed before its start, and a daemon, so that one whose start is interrupted ends, or
        # at least does not keep the process from ending.
        thread = Thread(target=self._work, name="kvcs-disk", daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:  # no more threads to be had, or the interpreter is about to end
            self._threads.remove(thread)

    def _end_threads(self) -> None:
        for _ in self._threads:
            self._files.put(None)
        for thread in self._threads:
            if thread.is_alive():  # not so if its start was interrupted
                thread.join()
        self._threads.clear()

    def _work(self) -> None:
        for file in iter(self._files.get, None):
            self._settle(file)
            self._room.put(None)

    def _settle(self, file: BinaryIO) -> None:
        try:
            with file:
                if not self._given_up:
                    # Some file systems report a full disk only now; and after a power cut, a new
                    # name must not stand for a file that never reached the disk.
                    os.fsync(file.fileno())
        except BaseException as error:  # whatever it is, it is for the one who waits
            self._errors.append(error)

    def _check(self) -> None:
        if self._errors:
            raise self._errors[0]
