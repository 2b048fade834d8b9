"""The client of Google's decoder for Play Integrity tokens that only Google can open.

It sends POST ``/v1/{package}:decodeIntegrityToken`` to playintegrity.googleapis.com, with a service account
of the Google Cloud project that is linked to the app. It needs the extra ``play-integrity``. The libraries
block, so they run on a few separate threads.
"""

import asyncio
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from device_integrity import PlayDecoderUnavailable, PlayTokenMalformed
from device_integrity.android import MAX_PAYLOAD_BYTES, MAX_TOKEN_BYTES
from formats.extras import missing_extra
from formats.proxies import proxy_named
from server.base.errors import ConfigurationError
from server.base.private_files import read_private_file

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession
    from requests import Response


_SCOPE: Final = "https://www.googleapis.com/auth/playintegrity"
_GOOGLE: Final = "https://playintegrity.googleapis.com"
_MAX_ACCOUNT_BYTES: Final = 256 * 1024
_THREADS: Final = 4
_MAX_WAITING: Final = 64
_PACKAGE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
_MAX_PACKAGE: Final = 256
_OK: Final = 200
_BAD_REQUEST: Final = 400


class GooglePlayDecoder:
    """A ``PlayTokenDecoder`` that sends tokens to Google."""

    def __init__(
        self, *, service_account_file: Path, base_url: str = _GOOGLE, timeout_seconds: float = 5.0
    ) -> None:
        """Read the credentials of a service account; do not connect.

        Args:
            service_account_file: The JSON key file from Google Cloud.
            timeout_seconds: How long one answer may take, including a new access token.

        Raises:
            ConfigurationError: The extra ``play-integrity`` is not installed, or the file is not such a key
                or is accessible to others.
        """
        try:
            from google.auth.exceptions import GoogleAuthError
            from google.auth.transport.requests import AuthorizedSession
            from google.oauth2.service_account import Credentials
        except ImportError as error:
            raise ConfigurationError(
                missing_extra("device_integrity.android.play.service_account_file", "play-integrity")
            ) from error
        try:
            information: Any = json.loads(
                read_private_file(service_account_file, max_bytes=_MAX_ACCOUNT_BYTES)
            )
            credentials = Credentials.from_service_account_info(  # type: ignore[no-untyped-call]  # untyped
                information, scopes=[_SCOPE]
            )
        except (ValueError, TypeError, AttributeError, RecursionError, GoogleAuthError) as error:
            raise ConfigurationError(
                f"{service_account_file} is not the key of a Google service account"
            ) from error
        self._new_session = partial(AuthorizedSession, credentials, refresh_timeout=timeout_seconds)
        self._base_url = base_url
        self._timeout = timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="google-play")
        self._local = threading.local()
        self._sessions: list[AuthorizedSession] = []
        self._waiting = 0

    async def decode(self, *, package: str, token: str) -> bytes:
        """Return the answer of Google's service to one token, JSON of at most 64 KiB.

        Args:
            package: The app that the token belongs to.
            token: The token, at most 64 KiB.

        Raises:
            PlayTokenMalformed: Google refused the token, or it cannot be a token.
            PlayDecoderUnavailable: Google did not answer in time, answered with an error, or does not
                authorise this server; or too many tokens are waiting.
        """
        if len(package) > _MAX_PACKAGE or not _PACKAGE.fullmatch(package):
            raise PlayTokenMalformed("the package is not an Android package name")
        if not 0 < len(token) <= MAX_TOKEN_BYTES or not token.isascii():
            raise PlayTokenMalformed(f"the token is empty, not ASCII or longer than {MAX_TOKEN_BYTES} bytes")
        if self._waiting >= _MAX_WAITING:
            raise PlayDecoderUnavailable("too many tokens are waiting for Google")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(self._timeout):
                return await loop.run_in_executor(self._threads, self._ask, package, token)
        except TimeoutError as error:
            raise PlayDecoderUnavailable("Google did not answer in time") from error
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Cancel waiting requests; running requests end by their own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for session in self._sessions:
            session.close()  # type: ignore[no-untyped-call]  # google-auth is untyped here

    def _ask(self, package: str, token: str) -> bytes:
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        deadline = time.monotonic() + self._timeout
        url = f"{self._base_url}/v1/{quote(package, safe='.')}:decodeIntegrityToken"
        try:
            session = self._session()
            response = session.post(
                url,
                json={"integrityToken": token},
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
            with response:
                return _read(response, deadline)
        except (GoogleAuthError, RequestException, OSError, ValueError) as error:
            # Messages of the libraries may contain the address of a proxy, or parts of an answer.
            raise PlayDecoderUnavailable(
                f"Google's decoder cannot be reached{proxy_named(self._base_url, or_all=True)}"
            ) from error

    def _session(self) -> "AuthorizedSession":
        session: AuthorizedSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._new_session()
            # Without its own authentication, requests would prefer credentials from ~/.netrc.
            session.auth = lambda request: request
            self._sessions.append(session)
        return session


def _read(response: "Response", deadline: float) -> bytes:
    status = response.status_code
    if status == _BAD_REQUEST:
        raise PlayTokenMalformed("Google refused the token")
    if status != _OK:
        raise PlayDecoderUnavailable(f"Google answered with status {status}")
    body = bytearray()
    for part in response.iter_content(8192):
        body += part
        if time.monotonic() > deadline:
            raise PlayDecoderUnavailable("Google did not answer in time")
        if len(body) > MAX_PAYLOAD_BYTES:
            raise PlayDecoderUnavailable(f"Google's answer has more than {MAX_PAYLOAD_BYTES} bytes")
    return bytes(body)
