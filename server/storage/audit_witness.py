"""The witness of the audit log: the newest checkpoints, kept outside the database.

Each object holds the newest checkpoint (JWS) of every tenant, one a line, and its key states the position of
the newest of all. An object is never overwritten by another content, and older ones are removed after a newer
one is stored, so that replicas that write at the same time never move the witness backwards. Removal may
fail: a store may keep its objects for ever.
"""

import asyncio
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from server.storage.errors import ObjectNotFound, StorageUnavailable
from server.storage.objects import ObjectStore, folder_of, open_object_store

_PREFIX: Final = "audit-witness"
_OBJECT: Final = re.compile(rf"{_PREFIX}/([0-9]{{16}})\.jws")
_TRIES: Final = 3


class AuditWitness:
    """Reads and writes the witness. Every method may raise ``StorageUnavailable``."""

    def __init__(self, url: str) -> None:
        """Name the store, which is opened at its first use: if it is down, a server can still start.

        Args:
            url: See ``server.storage.objects.open_object_store``. The witness uses a prefix of its own.
        """
        self._url = url
        self._opened: ObjectStore | None = None
        self._keys: tuple[str, ...] = ()

    @property
    def position(self) -> int:
        """The position of the newest checkpoint that ``read`` found, as its object is named; 0 for none."""
        named = _OBJECT.fullmatch(self._keys[-1]) if self._keys else None
        return int(named[1]) if named else 0

    async def read(self) -> tuple[str, ...]:
        """Return the newest checkpoint (JWS) of each tenant; empty if nothing was ever written.

        Makes no folder.
        """
        folder = folder_of(self._url)
        if folder is not None and not await asyncio.to_thread(os.path.lexists, folder):
            return ()
        objects = self._opened = self._opened or open_object_store(self._url)
        for _ in range(_TRIES):
            self._keys = tuple(sorted([info.key async for info in objects.list(_PREFIX)]))
            if not self._keys:
                return ()
            # Another replica may just have stored a newer one and removed this one.
            with suppress(ObjectNotFound):
                return tuple((await objects.get(self._keys[-1])).decode("utf-8", "replace").split())
        raise StorageUnavailable("the witness of the audit log changes faster than it can be read")

    async def write(self, checkpoints: Sequence[str], *, position: int) -> None:
        """Store the newest checkpoints, and remove what ``read`` found before, if that is older.

        Args:
            checkpoints: The newest checkpoint (JWS) of each tenant.
        """
        key = f"{_PREFIX}/{position:016d}.jws"
        objects = self._opened = self._opened or open_object_store(self._url)
        await objects.put(key, "".join(f"{signed}\n" for signed in checkpoints).encode())
        with suppress(StorageUnavailable):
            for older in self._keys:
                if older < key:
                    await objects.delete(older)
