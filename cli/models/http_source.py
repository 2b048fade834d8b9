"""Fetches a file over HTTP. Resumes partial downloads, and never exceeds the expected size."""

import asyncio
import importlib.metadata
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from cli.errors import FileNotOffered, MirrorUnusable, TransferFailed, WrongSize
from cli.models.files import CHUNK
from cli.models.part_file import PartFile
from cli.models.progress import PullProgress
from vision.packs import CatalogueEntry

__all__ = ["HttpSource", "Patience", "open_session"]

_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Object stores answer 403 for a missing file if the caller may not list.
_NOT_OFFERED: Final = frozenset({401, 403, 404, 410})
# Few, so that a machine without a network fails soon.
_TRIES_TO_CONNECT: Final = 3
_BUSY: Final = frozenset({408, 425, 429})
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Time limits and retries for a server.

    Attributes:
        connect_seconds: Limit for a connection, with name look-up and TLS.
        stall_seconds: Limit without a single byte.
        tries: Tries for one file, including the first.
        pause_seconds: Pause before the second try; doubled for each further one.
        longest_pause_seconds: Longest of these pauses, even if the server asks for more.
    """

    connect_seconds: float = 15.0
    stall_seconds: float = 30.0
    tries: int = 6
    pause_seconds: float = 0.5
    longest_pause_seconds: float = 15.0


class _TryAgain(Exception):
    """An error that may be temporary."""

    def __init__(self, text: str, *, after: float = 0.0, tries: int | None = None) -> None:
        super().__init__(text)
        self.after = after
        self.tries = tries


@asynccontextmanager
async def open_session(patience: Patience) -> AsyncIterator[aiohttp.ClientSession]:
    """Opens a session that takes proxies from the environment and does not decompress bodies."""
    timeout = aiohttp.ClientTimeout(
        total=None, connect=patience.connect_seconds, sock_read=patience.stall_seconds
    )
    headers = {
        # A compressed body would break resuming and the count of bytes.
        "Accept-Encoding": "identity",
        "User-Agent": f"facegate/{importlib.metadata.version('facegate')}",
    }
    async with aiohttp.ClientSession(
        timeout=timeout, headers=headers, trust_env=True, auto_decompress=False
    ) as session:
        yield session


class HttpSource:
    """Fetches files from addresses. Implements ``cli.models.sources.Source``."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        addresses: Callable[[CatalogueEntry], Sequence[URL]],
        progress: PullProgress,
        patience: Patience,
    ) -> None:
        """Fetches over ``session``; ``addresses`` returns possible addresses, the most probable first."""
        self._session = session
        self._addresses = addresses
        self._progress = progress
        self._patience = patience

    async def fetch(self, part: PartFile) -> str:
        """Fetches the missing bytes of ``part``.

        Raises:
            FileNotOffered: None of the addresses has the file.
            WrongSize: The server offers more or fewer bytes than the catalogue states.
            TransferFailed: The server cannot be reached or fails, even after several tries.
            MirrorUnusable: An address is malformed.
            FolderUnusable: The received data cannot be written.
        """
        refusals = []
        for url in self._addresses(part.entry):
            try:
                await self._fetch_patiently(url, part)
            except FileNotOffered as error:
                refusals.append(str(error))
            else:
                return _shown(url)
        raise FileNotOffered(
            f"{part.entry.file_name} is not offered: "
            + ("; ".join(refusals) or "the catalogue has no address for it")
            + ". Give a mirror that has it with --mirror."
        )

    async def _fetch_patiently(self, url: URL, part: PartFile) -> None:
        patience, pause = self._patience, self._patience.pause_seconds
        for number in range(1, patience.tries + 1):
            try:
                await self._fetch_once(url, part)
            except _TryAgain as error:
                if number >= min(patience.tries, error.tries or patience.tries):
                    raise TransferFailed(
                        f"{part.entry.file_name} could not be fetched from {_shown(url)}: {error}. Tried "
                        f"{number} times; {part.size:,} bytes are kept. Pull again to continue, or give "
                        "another mirror with --mirror."
                    ) from error
                self._progress.say(f"{part.entry.file_name}: {error}; trying again")
                await asyncio.sleep(min(max(pause, error.after), patience.longest_pause_seconds))
                pause *= 2
            else:
                return

    async def _fetch_once(self, url: URL, part: PartFile) -> None:
        if part.whole:
            return
        try:
            async with self._answer(url, _headers(url, part)) as response:
                self._examine(url, response, part)
                # Small chunks: with whole megabytes, an interruption would lose more data.
                async for chunk in response.content.iter_chunked(CHUNK):
                    part.append(chunk)
        except aiohttp.InvalidURL as error:
            raise MirrorUnusable(f"the address {_shown(url)} is malformed: correct it") from error
        except aiohttp.ClientSSLError as error:
            raise TransferFailed(
                f"no secure connection to {_shown(url)}: {error}. Check the clock and the certificates of "
                "this machine (SSL_CERT_FILE), or give another mirror with --mirror."
            ) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise _TryAgain(f"no connection within {self._patience.connect_seconds:g} s") from error
        except TimeoutError as error:
            raise _TryAgain(f"no byte for {self._patience.stall_seconds:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise _TryAgain(f"no connection ({_reason(error)})", tries=_TRIES_TO_CONNECT) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _TryAgain(f"the connection failed ({_reason(error)})") from error
        except ValueError as error:
            raise TransferFailed(
                f"{_shown(url)} cannot be fetched: {error}. Check the proxies in the environment."
            ) from error
        if part.entry.size is not None and part.size < part.entry.size:
            raise _TryAgain(f"the answer ended after {part.size:,} of {part.entry.size:,} bytes")

    @asynccontextmanager
    async def _answer(self, url: URL, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yields the response to a GET, after redirects. A redirect from https to http is refused."""
        seen, here = {url}, url
        while True:
            async with self._session.get(here, headers=headers, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    yield response
                    return
                there = _target(url, here, response.headers.get("Location", ""))
            if there in seen or len(seen) > _MOST_REDIRECTS:
                raise TransferFailed(
                    f"{_shown(url)} redirects in a loop, or more than {_MOST_REDIRECTS} times. Report it to "
                    "the server's operator, or give another mirror with --mirror."
                )
            seen.add(there)
            here = there

    def _examine(self, url: URL, response: aiohttp.ClientResponse, part: PartFile) -> None:
        """Tests the response's head. Afterwards ``part`` ends where the body begins."""
        status = response.status
        if status in _NOT_OFFERED:
            raise FileNotOffered(f"{_shown(url)} answered {status} {response.reason}")
        if status in _BUSY or status >= 500:
            raise _TryAgain(f"the server answered {status} {response.reason}", after=_retry_after(response))
        if status == 416:
            part.restart()
            raise _TryAgain("the server does not have the rest of the file")
        if status not in {200, 206}:
            raise TransferFailed(
                f"{_shown(url)} answered {status} {response.reason}, expected the file. Check the address, "
                "or give another mirror with --mirror."
            )
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise TransferFailed(
                f"{_shown(url)} sends the file compressed, against the request. Disable compression on "
                "the server, or give another mirror with --mirror."
            )
        if status == 200:
            offered = response.content_length
            if part.size:
                part.restart()
        else:
            start, offered = _range(response)
            if start != part.size:
                part.restart()
                raise _TryAgain("the server sent another part of the file")
        if offered is not None and (offered > part.limit or part.entry.size not in {None, offered}):
            part.discard()
            expected = f"at most {part.limit:,}" if part.entry.size is None else f"{part.entry.size:,}"
            raise WrongSize(
                f"{part.entry.file_name} at {_shown(url)} has {offered:,} bytes, expected {expected}. "
                "Nothing was installed. Pull from another mirror, or report it to the operator of this one."
            )
        part.save_validator(_shown(url), _validator(response))


def _headers(url: URL, part: PartFile) -> dict[str, str]:
    if not part.size:
        return {}
    validator = part.validator(_shown(url))
    # Without a validator, the hash decides whether the pieces belong together.
    return {"Range": f"bytes={part.size}-"} | ({} if validator is None else {"If-Range": validator})


def _validator(response: aiohttp.ClientResponse) -> str | None:
    tag = response.headers.get("ETag")
    # If-Range demands a strong one (RFC 9110, 13.1.5).
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _range(response: aiohttp.ClientResponse) -> tuple[int | None, int | None]:
    """Returns first byte and whole size of a partial response; None for a value that it does not state."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if found is None:
        return None, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _retry_after(response: aiohttp.ClientResponse) -> float:
    with suppress(ValueError):  # A date is allowed too; then our own pause is used.
        return float(response.headers.get("Retry-After", ""))
    return 0.0


def _target(first: URL, here: URL, location: str) -> URL:
    try:
        # The server's own encoding: signatures in the address cover it.
        there = here.join(URL(location, encoded=True)).with_fragment(None)
    except ValueError as error:
        raise TransferFailed(f"{_shown(first)} redirects to a malformed address") from error
    if not location or there.scheme not in {"http", "https"} or not there.host:
        raise TransferFailed(
            f"{_shown(first)} redirects to no http or https address: give another mirror with --mirror"
        )
    if here.scheme == "https" and there.scheme != "https":
        raise TransferFailed(
            f"{_shown(first)} redirects from https to {_shown(there)}, where anybody on the network could "
            "replace the file. It was not followed. Give another mirror with --mirror."
        )
    return there


def _shown(url: URL) -> str:
    """Returns an address without its parts that may be secret."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
