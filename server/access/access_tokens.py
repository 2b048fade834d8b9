"""Access tokens of an OIDC issuer (RFC 9068): the settings, the verification, and the mapping to rights.

A token is a JWT that the issuer signed for this server. It grants what entries of the settings give to its
claims, and nothing else. Neither logs nor errors repeat any part of a token; the audit log names its subject
and issuer (``caller_name``).
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from pydantic import AfterValidator, Field, model_validator

from server.access.callers import Caller, Rights
from server.access.signing_keys import ALGORITHMS, Issuer, SigningKey, require_encrypted
from server.base.errors import Reason, Refusal
from server.base.table import Table

MAX_TOKEN_CHARACTERS: Final = 7168
"""gRPC accepts 8 KiB of metadata, of which other headers need a part."""
LEEWAY: Final = timedelta(seconds=30)
"""How far the clock of the issuer may be ahead. Expiry has no leeway."""
_LONGEST_ID: Final = 256
_LONGEST_SUBJECT: Final = 255
_LONGEST_NAME: Final = 64
_SPACED: Final = frozenset({"scope", "scp"})
_TYPES: Final = {
    "at+jwt": frozenset({"at+jwt", "application/at+jwt"}),
    "JWT": frozenset({"jwt", "application/jwt", "at+jwt", "application/at+jwt"}),
}


class TokenGrant(Rights):
    """What a claim of an access token grants."""

    claim: str = Field(default="scope", min_length=1, max_length=256)
    """The name of the claim, such as ``scope``, ``scp``, ``roles`` or ``groups``; or the path to one, such as
    ``realm_access.roles``, if no claim has that name."""
    value: str = Field(min_length=1, max_length=256)
    """The value that the claim must contain, character by character. ``scope`` and ``scp`` are words with
    spaces between them; another claim is a text or a list of texts."""


class OidcSettings(Table):
    """The OIDC issuer whose access tokens identify callers; see ``docs/console.md``."""

    issuer: Annotated[str, Field(max_length=512), AfterValidator(require_encrypted)]
    """The issuer, in the exact form of ``iss`` in its tokens, such as
    ``https://login.bank.example/realms/bank``. HTTPS unless it is on this machine."""
    audience: str = Field(min_length=1, max_length=256)
    """What ``aud`` in a token must contain: the name of this server at the issuer."""
    token_type: Literal["at+jwt", "JWT"] = "at+jwt"  # noqa: S105 - a type's name, not a secret
    """``typ`` in the header of a token. ``JWT`` is for issuers that do not mark access tokens, such as Entra
    ID: a token must then name its client (``azp`` or ``client_id``), other than the audience, so that no ID
    token passes."""
    jwks_file: Path | None = None
    """JSON file with the public keys of the issuer (JWKS), for servers that cannot reach it; read again when
    it changes."""
    grants: tuple[TokenGrant, ...] = Field(min_length=1, max_length=256)
    """What tokens grant. A token has the roles of all entries that its claims match; they must be of one
    tenant. Without one, its calls are refused."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        known = {(grant.claim, grant.value, grant.tenant, grant.sandbox) for grant in self.grants}
        if len(known) < len(self.grants):
            raise ValueError("grants: two entries are of one claim, value and tenant; join them")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """What an access token must be.

    Attributes:
        token_type: ``at+jwt`` or ``JWT``; see ``OidcSettings.token_type``.
    """

    issuer: str
    audience: str
    token_type: Literal["at+jwt", "JWT"] = "at+jwt"  # noqa: S105 - a type's name, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A verified access token.

    Attributes:
        subject: The person or client that it stands for: 1 to 255 printable characters.
        expires: The time from which it is refused.
        claims: Everything that the issuer states in it.
    """

    issuer: str
    subject: str
    expires: datetime
    claims: Mapping[str, Any] = field(repr=False)


def _registry() -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=[*ALGORITHMS], strict_check_header=False)
    registry.max_header_length = 1024
    # An RSA key of 8192 bits signs with 1024 bytes, which are this many characters.
    registry.max_signature_length = 1366
    # EdDSA is the older name, and a key of no other curve is accepted.
    registry.algorithms = {**registry.algorithms, "EdDSA": registry.algorithms["Ed25519"]}
    return registry


_REGISTRY: Final = _registry()


async def refresh_key(issuer: Issuer, token: str, *, longest: int = MAX_TOKEN_CHARACTERS) -> None:
    """Ask the issuer for its keys if it is time, or the key (``kid``) that a token names is not known."""
    try:
        identifier = _identifier(_parse(token, longest=longest)[1])
    except Refusal:
        return
    if identifier is not None:
        await issuer.refresh(identifier)


def verify_access_token(
    token: str, *, policy: TokenPolicy, key: Callable[[str], SigningKey], now: datetime
) -> AccessToken:
    """Verify a token (RFC 9068, 4).

    Args:
        token: The token in the JWS compact serialization.
        key: Returns the key of a ``kid``, or raises a ``Refusal``.

    Raises:
        Refusal: UNAUTHENTICATED: the token is malformed, of another type, issuer or audience, is not signed
            with a key of the issuer and an accepted algorithm, or is not valid now. Or what ``key`` raises.
    """
    claims = signed_claims(token, what="access token", types=_TYPES[policy.token_type], key=key)
    return _valid(claims, policy=policy, now=now)


def signed_claims(
    token: str,
    *,
    what: str,
    types: Collection[str],
    key: Callable[[str], SigningKey],
    longest: int = MAX_TOKEN_CHARACTERS,
) -> Mapping[str, Any]:
    """Return the claims of a JWT whose signature is valid. The caller verifies the claims.

    Args:
        what: What the token is, for messages.
        types: The accepted ``typ``, in small letters; ``""`` for a header without it.
        key: Returns the key of a ``kid``, or raises a ``Refusal``.

    Raises:
        Refusal: UNAUTHENTICATED; or what ``key`` raises.
    """
    parsed, header = _parse(token, what=what, longest=longest)
    kind, algorithm = header.get("typ", ""), header.get("alg")
    if not isinstance(kind, str) or kind.lower() not in types:
        raise _refused(f"the credential is a JWT, but no {what} (typ)")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _refused(f"the {what} is not signed with an accepted algorithm: ES256, RS256, PS256 or EdDSA")
    identifier = _identifier(header)
    if "crit" in header or "b64" in header or identifier is None:
        raise _refused(f"the header of the {what} has a bad kid, or extensions (crit) that are not accepted")
    signing = key(identifier).by_algorithm.get(algorithm)
    if signing is None:
        raise _refused(f"the key of the {what} is for another algorithm")
    try:
        if not jws.validate_compact(parsed, signing, registry=_REGISTRY):
            raise _refused(f"the signature of the {what} is wrong")
        claims = json.loads(parsed.payload)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise _malformed(what) from error
    if not isinstance(claims, dict):
        raise _malformed(what)
    return claims


def _parse(
    token: str, *, what: str = "access token", longest: int = MAX_TOKEN_CHARACTERS
) -> tuple[jws.CompactSignature, Mapping[str, Any]]:
    if len(token) > longest:
        raise _refused(f"the {what} has more than {longest} characters; let the issuer state fewer claims")
    try:
        # Decodes the payload, too, and parses nothing of it.
        parsed = jws.extract_compact(token.encode("ascii"), registry=_REGISTRY)
        header = parsed.headers()
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _malformed(what) from error
    if not isinstance(header, dict):
        raise _malformed(what)
    return parsed, header


def _identifier(header: Mapping[str, Any]) -> str | None:
    """Return the ``kid``: empty if there is none, ``None`` if it is no text, or too long."""
    identifier = header.get("kid")
    if identifier is None:
        return ""
    return identifier if isinstance(identifier, str) and len(identifier) <= _LONGEST_ID else None


def _valid(claims: Mapping[str, Any], *, policy: TokenPolicy, now: datetime) -> AccessToken:
    if claims.get("iss") != policy.issuer:
        raise _refused("the access token is of another issuer")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or policy.audience not in audiences:
        raise _refused("the access token is for another audience; ask the issuer for one for this server")
    if policy.token_type == "JWT":  # noqa: S105 - a type's name, not a secret
        client = claims.get("azp", claims.get("client_id"))
        if not isinstance(client, str) or client in audiences:
            raise _refused("the JWT may be an ID token: its client is not named, or is its audience")
    seconds = now.timestamp()
    expires, issued = seconds_of(claims, "exp"), seconds_of(claims, "iat")
    if expires is None or issued is None:
        raise _refused("the access token states no exp or no iat")
    if seconds >= expires:
        raise _refused("the access token has expired; get a new one")
    begins = seconds_of(claims, "nbf") if "nbf" in claims else issued
    if begins is None or max(begins, issued) > seconds + LEEWAY.total_seconds():
        raise _refused(
            "the access token is not valid yet (iat, nbf); correct the clocks of issuer and server"
        )
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise _refused("the access token names no subject (sub)")
    return AccessToken(
        issuer=policy.issuer, subject=subject, expires=datetime.fromtimestamp(expires, UTC), claims=claims
    )


def seconds_of(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a NumericDate as seconds since 1970; ``None`` if it is none, or after the year 9999."""
    value = claims.get(name)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else within_time(value)


def within_time(seconds: float) -> float | None:
    """Return seconds since 1970; ``None`` if they are before it, or after the year 9999."""
    return float(seconds) if 0 <= seconds <= _LAST_SECOND else None


_LAST_SECOND: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def _malformed(what: str) -> Refusal:
    return _refused(f"the {what} is not a JWT that this server accepts; get one from the issuer")


def _refused(message: str) -> Refusal:
    return Refusal(Reason.UNAUTHENTICATED, message)


def caller_of(token: AccessToken, grants: Sequence[TokenGrant], *, what: str = "access token") -> Caller:
    """Return the caller that a token stands for, with the rights of every entry that its claims match.

    Args:
        what: What the token is, for messages. The claims of an ID token have the same form.

    Raises:
        Refusal: PERMISSION_DENIED: no entry matches, or entries of several tenants do.
    """
    name = caller_name(token.issuer, token.subject)
    granted = [grant.of_caller(name) for grant in grants if grant.value in _values(token.claims, grant.claim)]
    if not granted:
        raise Refusal(Reason.PERMISSION_DENIED, _not_granted(token.claims, grants, what=what))
    if len({caller.scope for caller in granted}) > 1:
        raise Refusal(
            Reason.PERMISSION_DENIED,
            f"the claims of this {what} match entries of several tenants (oidc.grants); ask for one with the "
            "scope or group of one tenant",
        )
    return replace(
        granted[0],
        roles=frozenset().union(*(caller.roles for caller in granted)),
        scopes=frozenset().union(*(caller.scopes for caller in granted)),
        expires=token.expires,
    )


def _not_granted(claims: Mapping[str, Any], grants: Sequence[TokenGrant], *, what: str) -> str:
    """Return why no entry matches; it repeats names of the settings, and nothing of the token."""
    wanted = sorted({grant.claim for grant in grants})
    missing = [name for name in wanted if _claim(claims, name) is None]
    elsewhere = claims.get("_claim_names")
    moved = [
        name
        for name in missing
        if (isinstance(elsewhere, Mapping) and name in elsewhere)
        or (name == "groups" and claims.get("hasgroups") in (True, "true"))
    ]
    if moved:
        return (
            f"the issuer left {', '.join(moved)} out of the {what}: the person has too many (Entra ID states "
            "200 at most); grant app roles (claim roles), or let the issuer state only the groups that are "
            "assigned to the application"
        )
    if missing == wanted:
        return (
            f"the {what} has no claim that an entry of the server (oidc.grants) names: {', '.join(missing)}; "
            "let the issuer state it, or correct the entry"
        )
    stated = ", ".join(name for name in wanted if name not in missing)
    return (
        f"no entry of the server (oidc.grants) gives a role to what this {what} states in {stated}; "
        "ask the operator for one, or the issuer for the scope or group"
    )


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """Return the claim of that very name, or else the one at that path, such as ``realm_access.roles``."""
    found: object = claims.get(name)
    if found is None and "." in name:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _values(claims: Mapping[str, Any], name: str) -> Collection[str]:
    value = _claim(claims, name)
    if isinstance(value, str):
        return value.split(" ") if name in _SPACED else [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def caller_name(issuer: str, subject: str) -> str:
    """Return the name of a subject in the audit log and in approvals: ``<subject>@<host of the issuer>``.

    A name has at most 64 characters. If it would be longer, 16 hexadecimal digits of the SHA-256 of the
    issuer stand for the host, and, if need be, 40 digits of that of the subject for the subject.
    """
    short = hashlib.sha256(issuer.encode()).hexdigest()[:16]
    hashed = hashlib.sha256(subject.encode()).hexdigest()[:40]
    names = (f"{subject}@{urlsplit(issuer).hostname}", f"{subject}@{short}", f"{hashed}@{short}")
    return next(name for name in names if len(name) <= _LONGEST_NAME)


class AccessTokens:
    """The access tokens that may call. Use it on the event loop only."""

    def __init__(self, settings: OidcSettings, issuer: Issuer) -> None:
        """Set what tokens must be and what they grant.

        Args:
            issuer: The keys of the issuer that ``settings`` name.
        """
        self._grants = settings.grants
        self._policy = TokenPolicy(
            issuer=settings.issuer, audience=settings.audience, token_type=settings.token_type
        )
        self.issuer = issuer

    @property
    def callers(self) -> tuple[Caller, ...]:
        """A caller for each entry of the settings, under the name of its claim."""
        return tuple(grant.of_caller(f"{grant.claim}={grant.value}") for grant in self._grants)

    @property
    def described(self) -> Mapping[str, str]:
        """The entries in words, for the audit log, by the SHA-256 of issuer, audience and claim."""
        found = {}
        for caller in self.callers:
            place = f"issuer {self._policy.issuer}; audience {self._policy.audience}"
            digest = hashlib.sha256(f"{place}; {caller.scope}; {caller.name}".encode()).hexdigest()
            found[f"token {digest[:16]}"] = f"{caller.described}; {place}"
        return found

    async def refresh(self, token: str) -> None:
        """Get the keys of the issuer if the token names an unknown one, or they are old."""
        await refresh_key(self.issuer, token)

    def find(self, token: str, *, now: datetime) -> Caller:
        """Return the caller of a token.

        Raises:
            Refusal: See ``verify_access_token``, ``Issuer.find`` and ``caller_of``.
        """
        verified = verify_access_token(token, policy=self._policy, key=self.issuer.find, now=now)
        return caller_of(verified, self._grants)
