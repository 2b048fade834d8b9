"""Object stores: a folder, memory, or any store that ``obstore`` supports (S3, GCS, Azure), by URL."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, MemoryStore, from_url

from formats.proxies import proxy_named
from server.base.private_files import make_private_folder, tighten
from server.storage.errors import ObjectNotFound, StorageUnavailable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig


P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 16
_TRIES: Final = 4
"""How often a file is written whose folder is removed at the same moment, which is rare."""
_CALL_SECONDS: Final = 4.0
"""How long a call to a remote store may take, including retries and the wait for a thread.

A device waits for its images to be stored and, after a failure, for their removal: at most twice this time.
"""
_PREFIXES: Final = {
    **dict.fromkeys(("s3", "s3a"), "aws"),
    "gs": "google",
    **dict.fromkeys(("az", "adl", "azure", "abfs", "abfss"), "azure"),
}
"""The prefix of environment variables, by the scheme of a store's URL."""
_HOSTS: Final = {
    "amazonaws.com": "aws",
    "r2.cloudflarestorage.com": "aws",
    "core.windows.net": "azure",
    "fabric.microsoft.com": "azure",
}
"""The same, by the end of an https URL's host."""
_CLIENT_OPTIONS: Final = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "default_content_type",
        "http1_only",
        "http2_keep_alive_interval",
        "http2_keep_alive_timeout",
        "http2_keep_alive_while_idle",
        "http2_max_frame_size",
        "http2_only",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_ca_certificate",
        "proxy_excludes",
        "proxy_url",
        "randomize_addresses",
        "timeout",
        "user_agent",
    }
)
"""The options that obstore reads from the environment after that prefix: its ``ClientConfig``."""
_STAGED: Final = re.compile(r"#[0-9]+$")
"""The end of the name under which obstore writes a file before it renames it."""
# obstore raises ValueError for an invalid key, such as one with "..".
_FAILURES = (BaseError, OSError, ValueError)
_NOT_CONNECTED: Final = re.compile(r"(https?://[^\s/]+)[\s\S]*kind: Connect,")
"""What obstore says of a call that reached no server, with the address; that of a proxy is not in it."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a listing.

    Attributes:
        modified: When it was written, in timezone-aware UTC by the store's clock.
    """

    key: str
    modified: datetime


def open_object_store(url: str, *, failed: Callable[[str], None] = lambda _operation: None) -> "ObjectStore":
    """Open a store; create the folder if it is missing.

    Args:
        url: A folder's path, ``file:///folder``, ``memory://``, or a URL of obstore such as
            ``s3://bucket/prefix``. Credentials come from the environment, as obstore documents.
        failed: Called with the operation when the store fails: ``put``, ``get``, ``delete``, ``list`` or
            ``look up``.

    Raises:
        StorageUnavailable: The folder cannot be created, or the URL cannot be used.
    """
    folder = folder_of(url)
    try:
        if folder is not None:
            make_private_folder(folder)
            return _FolderObjects(LocalStore(folder), folder=folder.resolve(), failed=failed)
        if url.startswith("memory:"):
            return ObjectStore(MemoryStore(), failed=failed)
        # By default obstore retries for three minutes, in a thread that no caller waits for any more.
        retries: RetryConfig = {"retry_timeout": timedelta(seconds=_CALL_SECONDS)}
        store = from_url(url, client_options=_client_options(url, os.environ), retry_config=retries)
        return ObjectStore(store, call_seconds=_CALL_SECONDS, failed=failed)
    except (BaseError, ValueError, OSError) as error:
        raise StorageUnavailable(
            f"the object store cannot be opened ({type(error).__name__}): expected a folder, file:///folder, "
            "memory://, or a URL such as s3://bucket/prefix"
        ) from error


def _client_options(url: str, environment: Mapping[str, str]) -> "ClientConfig":
    """Return time limits and the environment's options, which obstore ignores once options are given."""
    parts = urlsplit(url)
    prefix = _PREFIXES.get(parts.scheme)
    if prefix is None:
        host = parts.hostname or ""
        prefix = next((owner for end, owner in _HOSTS.items() if host.endswith(end)), None)
    options = {"timeout": f"{_CALL_SECONDS}s", "connect_timeout": f"{_CALL_SECONDS}s"}
    for name, value in environment.items():
        owner, _, option = name.lower().partition("_")
        if owner == prefix and option in _CLIENT_OPTIONS:
            options[option] = value
    return cast("ClientConfig", options)


def folder_of(url: str) -> Path | None:
    """Return the folder that a URL of a store names; ``None`` for other stores."""
    if "://" not in url and not url.startswith("memory:"):
        return Path(url)
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


class ObjectStore:
    """Stores bytes under keys. Every method may raise ``StorageUnavailable``.

    A call to a remote store ends within seconds. A call that timed out may still take effect later and leave
    an object without a row, which ``EvidenceStore.sweep_orphans`` removes.

    A key consists of segments of letters, digits, ``-``, ``_`` and ``.``, joined by ``/``.

    The blocking calls of obstore run in this class's threads. Its asynchronous calls would end in obstore's
    own threads, which still need the interpreter for a moment afterwards; a process that exits in that moment
    is aborted.
    """

    def __init__(
        self,
        store: obstore.store.ObjectStore,
        *,
        failed: Callable[[str], None],
        call_seconds: float | None = None,
    ) -> None:
        """Wrap a store of obstore.

        Args:
            failed: Called with the name of an operation, such as ``put``, if it fails.
            call_seconds: The time limit of one call; ``None`` for no limit.
        """
        self._failed = failed
        self._store = store
        self._call_seconds = call_seconds
        # A separate pool, so that a store that hangs delays nothing else.
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="objects")

    async def put(self, key: str, data: bytes) -> None:
        """Store ``data`` durably and atomically, in place of an existing object."""
        with self._failing("put"):
            await self._run(obstore.put, self._store, key, data)

    async def get(self, key: str) -> bytes:
        """Return the bytes under ``key``.

        Raises:
            ObjectNotFound: There is no such object.
        """
        with self._failing("get"):
            try:
                return await self._run(self._get, key)
            except (NotFoundError, FileNotFoundError) as error:
                raise ObjectNotFound(key) from error

    async def delete(self, key: str) -> None:
        """Delete an object; do nothing if there is none."""
        with self._failing("delete"), suppress(NotFoundError, FileNotFoundError):
            await self._run(obstore.delete, self._store, key)

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """List every object whose key begins with the segments of ``prefix``, in no order."""
        with self._failing("list"):
            batches = iter(obstore.list(self._store, prefix=prefix))
            while batch := await self._run(next, batches, None):
                for entry in batch:
                    yield ObjectInfo(key=entry["path"], modified=entry["last_modified"])

    async def remove_interrupted(self, prefix: str, *, older_than: datetime) -> int:
        """Delete the unfinished objects of processes that were killed during ``put``; return their number.

        ``list`` does not show such objects. In a folder, old folders without files are removed, too.

        Args:
            prefix: As in ``list``.
            older_than: Objects that were written later are kept, because their ``put`` may still run.
        """
        # Other stores have no object until it is complete.
        return 0

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        # A store that never answers fails like a store that refuses, because TimeoutError is an OSError.
        async with asyncio.timeout(self._call_seconds):
            return await loop.run_in_executor(
                self._threads, copy_context().run, partial(call, *args, **kwargs)
            )

    @contextmanager
    def _failing(self, operation: str) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            self._failed(operation)
            tried = _NOT_CONNECTED.search(str(error))
            through = proxy_named(tried[1], or_all=True) if tried else ""
            raise StorageUnavailable(
                f"the object store could not {operation} an object{through} ({type(error).__name__})"
            ) from error

    def _get(self, key: str) -> bytes:
        return bytes(obstore.get(self._store, key).bytes())


class _FolderObjects(ObjectStore):
    """A folder. obstore writes a temporary file and renames it; this class makes both durable and private."""

    def __init__(self, store: LocalStore, *, folder: Path, failed: Callable[[str], None]) -> None:
        super().__init__(store, failed=failed)
        self._folder = folder

    async def put(self, key: str, data: bytes) -> None:
        with self._failing("put"):
            await self._run(_write, self._store, key, data)
            await asyncio.to_thread(_keep, self._folder / key, self._folder)

    async def delete(self, key: str) -> None:
        await super().delete(key)
        folder = (self._folder / key).parent
        if folder != self._folder:
            # Its name tells the check whose images it had. It stays if it is not empty.
            with suppress(OSError):
                await asyncio.to_thread(folder.rmdir)

    async def remove_interrupted(self, prefix: str, *, older_than: datetime) -> int:
        with self._failing("delete"):
            return await asyncio.to_thread(_remove_staged, self._folder / prefix, older_than.timestamp())


def _write(store: obstore.store.ObjectStore, key: str, data: bytes) -> None:
    # obstore makes the folder, and fails if another process, which removes it when it is empty, does so at
    # that moment. A store that failed for another reason fails again.
    for _ in range(_TRIES - 1):
        with suppress(BaseError):
            obstore.put(store, key, data)
            return
    obstore.put(store, key, data)


def _remove_staged(folder: Path, older_than: float) -> int:
    """Remove old parts of files, and old folders without files; return the number of parts."""
    removed = 0
    # What vanishes meanwhile was completed or removed by another process.
    for place, _, names in os.walk(folder, topdown=False):
        here = Path(place)
        for path in (here / name for name in names if _STAGED.search(name)):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < older_than:
                    path.unlink()
                    removed += 1
        # A process that was killed between a deletion and the removal of the folder left it.
        with suppress(OSError):
            if here != folder and here.stat().st_mtime < older_than:
                here.rmdir()
    return removed


def _keep(file: Path, top: Path) -> None:
    # The order is: the file's bytes, its name, and the names of the folders that were created for it.
    for path in (file, *file.parents):
        if path != top:
            # The top folder may be shared with other replicas; it keeps other users out until then.
            tighten(path)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if path == top:
            return
