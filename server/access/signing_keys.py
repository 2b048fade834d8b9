"""The keys with which an OIDC issuer signs: from its JWKS, or from a file with one.

The issuer is asked by OpenID Connect Discovery 1.0: its document names the JWKS, and must state the very
issuer that the settings name. Answers are bounded in size and time, and redirects are not followed. Every use
of the issuer, such as access tokens and the log-in of people, shares one ``Issuer``, and so its document and
keys.

::

    SigningKeysInvalid      a JWKS or a discovery document cannot be used
"""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from formats.proxies import proxy_named
from server.base.errors import ConfigurationError, Reason, Refusal
from server.base.private_files import WatchedFile, read_trusted_file
from server.base.table import is_loopback

FRESH_SECONDS: Final = 300.0
"""The age from which keys are fetched again, so that a withdrawn key is refused."""
RETRY_SECONDS: Final = 30.0
"""The issuer is asked at most once in this time, however many unknown keys callers name."""
KEPT_SECONDS: Final = 24 * 3600.0
"""How long the last keys are used while the issuer is away."""
_SECONDS: Final = 5.0
_MAX_BYTES: Final = 256 * 1024
_MAX_KEYS: Final = 64
_LONGEST_ID: Final = 256
_RSA_BITS: Final = range(2048, 8192 + 1)
_OK: Final = 200

_OF_TYPE: Final = {
    "EC": frozenset({"ES256"}),
    "OKP": frozenset({"EdDSA", "Ed25519"}),
    "RSA": frozenset({"RS256", "PS256"}),
}
ALGORITHMS: Final = frozenset().union(*_OF_TYPE.values())
"""The signature algorithms that are accepted: asymmetric ones only. ``Ed25519`` is the name that RFC 9864
gives EdDSA on that curve."""

_log = structlog.get_logger(__name__)


class SigningKeysInvalid(Exception):
    """A JWKS or a discovery document cannot be used. The message repeats nothing of it."""


_Key = ECKey | OKPKey | RSAKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What an issuer signs with under one ``kid``.

    Attributes:
        by_algorithm: The public key for each algorithm of ``ALGORITHMS`` that may be used; an issuer may list
            one ``kid`` for several (RFC 7517, 4.5).
    """

    by_algorithm: Mapping[str, _Key]


SigningKeys = Mapping[str, SigningKey]
"""The keys of an issuer by their identifier (``kid``); under ``""`` those without one."""


@dataclass(frozen=True, slots=True)
class IssuerAnswer:
    """What an issuer answered: its discovery document, and the keys of its JWKS."""

    document: Mapping[str, Any]
    keys: SigningKeys


def parse_jwks(data: bytes) -> SigningKeys:
    """Return the keys of a JWKS (RFC 7517, 5) that signatures can be verified with.

    Left out are symmetric keys, keys for encryption, and those of other types, curves, sizes or algorithms.
    Of two different keys of one ``kid`` and algorithm nobody can say which is meant: neither is used.

    Raises:
        SigningKeysInvalid: It is no JWKS, has too many keys or none that can be used, or has a private key.
    """
    document = _object(data, "the JWKS")
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > _MAX_KEYS:
        raise SigningKeysInvalid(f"the JWKS has no list of at most {_MAX_KEYS} keys")
    found: dict[str, dict[str, _Key]] = {}
    doubtful: set[tuple[str, str]] = set()
    left_out: Counter[str] = Counter()
    exact: set[tuple[str, str]] = set()
    given = [
        {name: value for name, value in entry.items() if value is not None}
        for entry in entries
        if isinstance(entry, dict)
    ]
    # An entry that states its algorithm goes before one for all algorithms of its type.
    for entry in sorted(given, key=lambda entry: "alg" not in entry):
        if "d" in entry:
            raise SigningKeysInvalid("the JWKS has a private key; publish public keys only")
        try:
            identifier, algorithms, key = _signing_key(entry)
        except _LeftOut as why:
            left_out[str(why)] += 1
            continue
        same = found.setdefault(identifier, {})
        for algorithm in algorithms:
            if "alg" in entry:
                exact.add((identifier, algorithm))
            elif (identifier, algorithm) in exact:
                continue
            if same.setdefault(algorithm, key).thumbprint() != key.thumbprint():
                doubtful.add((identifier, algorithm))
    for identifier, algorithm in doubtful:
        left_out["another key has its kid and algorithm"] += 1
        del found[identifier][algorithm]
    for reason, count in left_out.items():
        _log.warning("issuer_key_left_out", why=reason, entries=count)
    keys = {identifier: SigningKey(MappingProxyType(same)) for identifier, same in found.items() if same}
    if not keys:
        reasons = f" (left out: {'; '.join(sorted(left_out))})" if left_out else ""
        raise SigningKeysInvalid(
            f"the JWKS has no key that can be used, for ES256, RS256, PS256 or EdDSA{reasons}"
        )
    return MappingProxyType(keys)


class _LeftOut(Exception):
    """Why an entry cannot be used; repeats nothing of it."""


def _signing_key(entry: Mapping[str, Any]) -> tuple[str, frozenset[str], _Key]:
    identifier, kind = entry.get("kid", ""), entry.get("kty")
    if not isinstance(identifier, str) or len(identifier) > _LONGEST_ID:
        raise _LeftOut(f"its kid is no text of at most {_LONGEST_ID} characters")
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise _LeftOut("it is not for signatures (use, key_ops)")
    algorithms = _OF_TYPE.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
    if "alg" in entry:
        algorithms = frozenset(name for name in algorithms if name == entry["alg"])
    if not algorithms:
        raise _LeftOut("it is for another algorithm (kty, alg)")
    key: _Key
    try:
        match kind, entry.get("crv"):
            case "EC", "P-256":
                key = ECKey.import_key({name: entry[name] for name in ("kty", "crv", "x", "y")})
            case "OKP", "Ed25519":
                key = OKPKey.import_key({name: entry[name] for name in ("kty", "crv", "x")})
            case "RSA", _:
                # Some issuers pad the numbers, which RFC 7515 (2) forbids and joserfc refuses.
                numbers = {name: entry[name].rstrip("=") for name in ("n", "e")}
                if _bits(numbers["n"]) not in _RSA_BITS:
                    raise _LeftOut(f"its modulus is not of {_RSA_BITS.start} to {_RSA_BITS.stop - 1} bits")
                key = RSAKey.import_key({"kty": "RSA", **numbers})
            case _:
                raise _LeftOut("it is on another curve (crv)")
        # Read now, because joserfc reads the numbers of a key when it is first used.
        _ = key.public_key
    except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _LeftOut("its numbers cannot be read") from error
    return identifier, algorithms, key


def _bits(number: str) -> int:
    return int.from_bytes(urlsafe_b64decode(number + "=" * (-len(number) % 4))).bit_length()


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SigningKeysInvalid(f"{what} is not JSON") from error
    if not isinstance(document, dict):
        raise SigningKeysInvalid(f"{what} is not a JSON object")
    return document


def read_jwks_file(path: Path) -> SigningKeys:
    """Read the keys of an issuer from a file.

    Raises:
        ConfigurationError: The file cannot be read, others may write it, or it is no JWKS with usable keys.
    """
    try:
        data = read_trusted_file(path, max_bytes=_MAX_BYTES)
        if len(data) > _MAX_BYTES:
            raise SigningKeysInvalid(f"it has more than {_MAX_BYTES} bytes")
        return parse_jwks(data)
    except (OSError, SigningKeysInvalid) as error:
        raise ConfigurationError(
            f"{path}: {error}; save the document that jwks_uri of the issuer names (jwks_file)"
        ) from error


def require_encrypted(url: str) -> str:
    """Return the URL of an issuer or of its JWKS.

    Raises:
        ValueError: It is not ``https://``, or ``http://`` on this machine; or has credentials, a query or a
            fragment. The message does not repeat it.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise ValueError("it is not a URL") from error
    if not host or parts.scheme not in {"http", "https"}:
        raise ValueError("write a URL such as https://login.bank.example/realms/bank")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("write https://: whoever is on the network between could replace the keys")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("leave out credentials, query and fragment")
    return url


async def fetch_issuer(issuer: str) -> IssuerAnswer:
    """Fetch the discovery document and the keys of an issuer, within 5 seconds.

    Proxies and certificate authorities come from the environment (``HTTPS_PROXY``, ``SSL_CERT_FILE``).

    Raises:
        SigningKeysInvalid: The issuer does not answer in time, or what it answers cannot be used.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            document = _object(
                await _get(issuer.removesuffix("/") + "/.well-known/openid-configuration"),
                "the discovery document",
            )
            if document.get("issuer") != issuer:
                raise SigningKeysInvalid("the discovery document is of another issuer than the setting names")
            location = document.get("jwks_uri")
            if not isinstance(location, str):
                raise SigningKeysInvalid("the discovery document has no jwks_uri")
            try:
                # Some issuers have a query there.
                require_encrypted(location.partition("?")[0])
            except ValueError as error:
                raise SigningKeysInvalid(f"jwks_uri: {error}") from error
            return IssuerAnswer(MappingProxyType(document), parse_jwks(await _get(location)))
    except TimeoutError as error:
        raise SigningKeysInvalid(f"the issuer did not answer in time{_proxy(issuer)}") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # Messages of the library may contain the address of a proxy, or parts of an answer.
        raise SigningKeysInvalid(
            f"the issuer cannot be reached{_proxy(issuer)} ({type(error).__name__})"
        ) from error


def _proxy(url: str) -> str:
    return "" if is_loopback(urlsplit(url).hostname or "") else proxy_named(url)


async def _get(url: str) -> bytes:
    status, body = await ask(url, "GET", seconds=_SECONDS, headers={"Accept": "application/json"})
    if status != _OK:
        raise SigningKeysInvalid(f"the issuer answered with the HTTP status {status}")
    return body


async def ask(url: str, method: str, *, seconds: float, **sent: Any) -> tuple[int, bytes]:
    """Return status and body of an answer of the issuer; follow no redirect.

    Args:
        sent: What aiohttp sends.

    Raises:
        SigningKeysInvalid: The answer is too large.
        aiohttp.ClientError, OSError, ValueError, TimeoutError: There is none.
    """
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=seconds),
            # Nothing on this machine is behind a proxy.
            trust_env=not is_loopback(urlsplit(url).hostname or ""),
        ) as session,
        session.request(method, url, allow_redirects=False, **sent) as answer,
    ):
        body = bytearray()
        async for part in answer.content.iter_any():
            body += part
            if len(body) > _MAX_BYTES:
                raise SigningKeysInvalid(f"the answer of the issuer has more than {_MAX_BYTES} bytes")
        return answer.status, bytes(body)


class Issuer:
    """The keys of an issuer, and its discovery document. Use it on the event loop only.

    Keys are fetched when they are older than ``FRESH_SECONDS``, and for an unknown ``kid``; at most once in
    ``RETRY_SECONDS``. While the issuer is away, the last keys are
    used for ``KEPT_SECONDS``. With a file, the issuer is never asked, and there is no document.
    """

    def __init__(
        self,
        url: str,
        *,
        file: WatchedFile[SigningKeys] | None,
        monotonic: Callable[[], float],
        fetch: Callable[[str], Awaitable[IssuerAnswer]] = fetch_issuer,
    ) -> None:
        """Set the issuer; nothing is fetched before ``refresh``.

        Args:
            url: The issuer, in the exact form of its tokens.
            file: The file with its keys; ``None`` if the issuer is asked.
            fetch: Asks the issuer, or raises ``SigningKeysInvalid``.
        """
        self.url = url
        self._file = file
        self._monotonic = monotonic
        self._fetch = fetch
        self._answer: IssuerAnswer | None = None
        self._answered = self._tried = float("-inf")
        self._away = False
        self._fetching: asyncio.Task[None] | None = None

    @property
    def document(self) -> Mapping[str, Any] | None:
        """The discovery document as last fetched; ``None`` before that, and with a file."""
        return None if self._answer is None else self._answer.document

    @property
    def is_asked(self) -> bool:
        """Whether the issuer is asked: there is no file."""
        return self._file is None

    @property
    def away(self) -> bool:
        """Whether the last fetch failed."""
        return self._away

    async def refresh(self, identifier: str | None) -> None:
        """Fetch the keys if that of ``identifier`` (``kid``) is unknown or old, unless that was just tried.

        Does not wait for an issuer that is away if the key is known.

        Args:
            identifier: ``None`` if no key is needed now: to learn whether the issuer answers.
        """
        if self._file is not None:
            return
        now = self._monotonic()
        known = identifier is None or identifier in (self._keys() or {})
        if known and now - self._answered < FRESH_SECONDS:
            return
        if self._fetching is None and now - self._tried >= RETRY_SECONDS:
            self._tried = now
            # A task of its own: a caller that gives up must not end the fetch for the others.
            self._fetching = asyncio.create_task(self._fetch_keys())
        if self._fetching is not None and not (known and self._away):
            await asyncio.wait({self._fetching})

    def find(self, identifier: str) -> SigningKey:
        """Return a key.

        Args:
            identifier: Its ``kid``; ``""`` for a token without one, which an issuer with one key may give.

        Raises:
            Refusal: UNAUTHENTICATED: the issuer publishes no such key. NOT_SERVING: it is not known whether
                it does, because the issuer is away.
        """
        keys = self._keys()
        key = None if keys is None else keys.get(identifier)
        if keys is not None and not identifier and len(keys) == 1:
            (key,) = keys.values()
        if key is not None:
            return key
        if keys is None or self._away:
            wait = RETRY_SECONDS - (self._monotonic() - self._tried)
            raise Refusal(
                Reason.NOT_SERVING,
                "the server does not know the key of this token, and cannot get the keys of the "
                "issuer at present; try again",
                retry_after=min(max(wait, 1.0), RETRY_SECONDS),
            )
        raise Refusal(
            Reason.UNAUTHENTICATED,
            "the token is signed with a key that its issuer does not publish; get a new one",
        )

    def read_file(self) -> bool:
        """Read the file of keys again if it changed; return whether it did. It blocks for a moment.

        Raises:
            ConfigurationError: The file cannot be used; the keys stay in force.
        """
        return self._file is not None and self._file.refresh()

    async def close(self) -> None:
        """End a fetch that still runs."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _keys(self) -> SigningKeys | None:
        if self._file is not None:
            return self._file.content
        if self._answer is None or self._monotonic() - self._answered >= KEPT_SECONDS:
            return None
        return self._answer.keys

    async def _fetch_keys(self) -> None:
        try:
            answer = await self._fetch(self.url)
        except SigningKeysInvalid as error:
            self._away = True
            _log.error("issuer_unavailable", issuer=self.url, why=str(error))
        else:
            if self._answer is None or answer.keys.keys() != self._answer.keys.keys():
                _log.info("issuer_read", issuer=self.url, entries=len(answer.keys))
            self._answer, self._answered, self._away = answer, self._monotonic(), False
        finally:
            self._fetching = None
