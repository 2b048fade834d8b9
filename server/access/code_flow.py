"""The log-in of people at an OIDC issuer: the authorization code flow with PKCE, and what the issuer states.

State, nonce and code verifier of a log-in are derived from one secret, which only the browser keeps. Neither
logs nor errors repeat any part of a code or a token.
"""

import asyncio
import hmac
import json
import math
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote_plus, urlencode

import aiohttp
import structlog
from pydantic import AfterValidator, Field, StringConstraints

from server.access.access_tokens import (
    LEEWAY,
    AccessToken,
    TokenGrant,
    caller_of,
    refresh_key,
    seconds_of,
    signed_claims,
    within_time,
)
from server.access.callers import Caller
from server.access.signing_keys import Issuer, SigningKeysInvalid, ask, require_encrypted
from server.base.errors import Reason, Refusal
from server.base.private_files import read_private_file
from server.base.table import Table

_LONGEST_TOKEN: Final = 32 * 1024
_LONGEST_SECRET: Final = 4096
_SECONDS: Final = 10.0
_LONGEST_ID: Final = 255
_ID_TOKEN_TYPES: Final = frozenset({"", "jwt", "application/jwt"})
_LOGOUT_TYPES: Final = _ID_TOKEN_TYPES | {"logout+jwt", "application/logout+jwt"}
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_AGE: Final = timedelta(minutes=5)

_ERRORS: Final = frozenset(
    {
        "access_denied",
        "account_selection_required",
        "consent_required",
        "interaction_required",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    }
)
"""What an issuer may state as ``error`` (RFC 6749, 4.1.2.1 and 5.2; OpenID Connect Core 1.0, 3.1.2.6).
Messages name no other one, because a browser brings it."""

_log = structlog.get_logger(__name__)

_Word = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,256}$")]


def _with_openid(scope: str) -> str:
    if "openid" not in scope.split(" "):
        raise ValueError('scope contains "openid", or the issuer makes no ID token')
    return scope


class ConsoleOidcSettings(Table):
    """The OIDC issuer at which people log in at the console; see ``docs/console.md``."""

    issuer: Annotated[str, Field(max_length=512), AfterValidator(require_encrypted)]
    """The issuer, in the exact form of ``iss`` in its tokens. HTTPS unless it is on this machine."""
    client_id: str = Field(min_length=1, max_length=256)
    """The name of the console at the issuer."""
    client_secret_file: Path | None = None
    """File with the secret of the client. Only its owner may have access. It is read at each log-in. Without
    it, the console is a public client."""
    scope: Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_with_openid)] = "openid"
    """What the console asks for, such as ``openid groups``: words with spaces between them."""
    acr_values: tuple[_Word, ...] = Field(default=(), max_length=16)
    """The authentication context classes (``acr``), such as that of a second factor, of which a log-in must
    have one before exports and erasures; empty for any."""
    grants: tuple[TokenGrant, ...] = Field(min_length=1, max_length=256)
    """What ID tokens grant. A person has the roles of all entries that the claims match; they must be of one
    tenant. Without one, nobody logs in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person whom the issuer identified.

    Attributes:
        authenticate_time: When the person proved who they are; ``None`` if the issuer does not state it.
        strong: Whether the log-in has one of the demanded context classes, and a time.
        session: The session at the issuer (``sid``); empty if it states none.
    """

    caller: Caller
    subject: str
    authenticate_time: datetime | None
    strong: bool
    session: str


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """Whom the issuer logged out: a session (``sid``), or a subject with all its sessions."""

    subject: str
    session: str


class CodeFlow:
    """Sends people to the issuer, and learns from it who they are. Use it on the event loop only."""

    def __init__(self, settings: ConsoleOidcSettings, issuer: Issuer) -> None:
        """Set the client.

        Args:
            issuer: The issuer that ``settings`` name.

        Raises:
            ConfigurationError: The file of the client's secret cannot be used.
        """
        self.settings = settings
        self.issuer = issuer
        _client_secret(settings)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the settings: log-ins under other ones do not count any more."""
        return sha256(self.settings.model_dump_json(exclude={"client_secret_file"}).encode()).digest()

    async def begin(self, secret: str, *, redirect_uri: str, step_up: bool) -> str:
        """Return the address at the issuer where a person logs in.

        Args:
            redirect_uri: Where the issuer sends the browser afterwards.
            step_up: Whether the person has to prove again who they are.

        Raises:
            Refusal: The issuer is away (NOT_SERVING).
        """
        challenge = urlsafe_b64encode(sha256(_derived(secret, "verifier").encode()).digest())
        query = {
            "response_type": "code",
            "response_mode": "query",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.scope,
            "state": _derived(secret, "state"),
            "nonce": _derived(secret, "nonce"),
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if step_up:
            query["max_age"] = "0"
        if step_up and self.settings.acr_values:
            query["acr_values"] = " ".join(self.settings.acr_values)
        endpoint = await self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def end_session_address(self, redirect_uri: str) -> str | None:
        """Return the address at which a person logs out at the issuer; ``None`` if it has none."""
        document = self.issuer.document or {}
        if "end_session_endpoint" not in document:
            return None
        try:
            endpoint = _encrypted(document, "end_session_endpoint")
        except Refusal:
            return None
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": redirect_uri}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def finish(
        self, answer: Mapping[str, str], secret: str, *, redirect_uri: str, now: datetime
    ) -> Identity:
        """Return who logged in.

        Args:
            answer: The parameters with which the issuer sent the browser back.
            secret, redirect_uri: Those of ``begin``.

        Raises:
            Refusal: UNAUTHENTICATED: the answer is of another log-in, the issuer refused it, or its ID token
                is not valid. PERMISSION_DENIED: its claims grant nothing. NOT_SERVING: the issuer is away.
        """
        if not hmac.compare_digest(
            answer.get("state", "").encode("utf-8", "surrogatepass"), _derived(secret, "state").encode()
        ):
            raise _refused("this log-in was not begun here, or has ended; begin again")
        document = await self._document()
        required = document.get("authorization_response_iss_parameter_supported") is True
        if answer.get("iss", self.issuer.url if not required else "") != self.issuer.url:
            raise _refused("the answer is of another issuer")
        code = answer.get("code", "")
        if "error" in answer or not code:
            raise _refused(f"the issuer refused the log-in{_known_error(answer)}")
        token = await self._exchange(code, _derived(secret, "verifier"), redirect_uri=redirect_uri)
        await refresh_key(self.issuer, token, longest=_LONGEST_TOKEN)
        claims = signed_claims(
            token, what="ID token", types=_ID_TOKEN_TYPES, key=self.issuer.find, longest=_LONGEST_TOKEN
        )
        return self._identity(claims, nonce=_derived(secret, "nonce"), now=now)

    async def logged_out(self, token: str, *, now: datetime) -> LoggedOut:
        """Return whom a logout token names (OpenID Connect Back-Channel Logout 1.0, 2.6).

        Raises:
            Refusal: The token is not valid (UNAUTHENTICATED), or the issuer is away (NOT_SERVING).
        """
        await refresh_key(self.issuer, token)
        claims = signed_claims(token, what="logout token", types=_LOGOUT_TYPES, key=self.issuer.find)
        issued = self._validate(claims, what="logout token", now=now)
        events = claims.get("events")
        if not isinstance(events, dict) or _LOGOUT_EVENT not in events or "nonce" in claims:
            raise _refused("the token is no logout token")
        if now.timestamp() - issued > _LOGOUT_AGE.total_seconds():
            raise _refused("the logout token is too old")
        found = LoggedOut(_text(claims, "sub"), _text(claims, "sid"))
        if not found.subject and not found.session:
            raise _refused("the logout token names nobody")
        return found

    def _identity(self, claims: Mapping[str, Any], *, nonce: str, now: datetime) -> Identity:
        self._validate(claims, what="ID token", now=now)
        sent = claims.get("nonce")
        if not isinstance(sent, str) or not hmac.compare_digest(
            sent.encode("utf-8", "surrogatepass"), nonce.encode()
        ):
            raise _refused("the ID token is of another log-in (nonce)")
        subject, expires = _text(claims, "sub"), seconds_of(claims, "exp")
        if not subject or not subject.isprintable() or expires is None:
            raise _refused("the ID token names no subject (sub), or no end (exp)")
        authenticated = _authenticated(claims)
        if authenticated is not None and authenticated > now.timestamp() + LEEWAY.total_seconds():
            raise _refused("the ID token states a log-in in the future (auth_time)")
        caller = caller_of(
            AccessToken(
                issuer=self.issuer.url,
                subject=subject,
                expires=datetime.fromtimestamp(expires, UTC),
                claims=claims,
            ),
            self.settings.grants,
            what="ID token",
        )
        demanded = self.settings.acr_values
        weak = authenticated is None or bool(demanded and claims.get("acr") not in demanded)
        if weak:
            _log.warning(
                "log_in_not_strong",
                issuer=self.issuer.url,
                why="the ID token states no auth_time that can be read"
                if authenticated is None
                else "the ID token states none of acr_values (acr)",
            )
        return Identity(
            caller=caller,
            subject=subject,
            authenticate_time=None if authenticated is None else datetime.fromtimestamp(authenticated, UTC),
            strong=not weak,
            session=_text(claims, "sid"),
        )

    def _validate(self, claims: Mapping[str, Any], *, what: str, now: datetime) -> float:
        """Validate what ID tokens and logout tokens share; return the time of the issue."""
        client = self.settings.client_id
        if claims.get("iss") != self.issuer.url:
            raise _refused(f"the {what} is of another issuer")
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        if not isinstance(audiences, list) or client not in audiences:
            raise _refused(f"the {what} is for another client")
        # Of several audiences, the authorized party says for whom it is.
        if claims.get("azp", client if len(audiences) == 1 else None) != client:
            raise _refused(f"the {what} is for another client (azp)")
        seconds = now.timestamp()
        # Logout tokens of older issuers have no exp.
        issued = seconds_of(claims, "iat")
        expires = seconds_of(claims, "exp") if "exp" in claims else math.inf
        if issued is None or expires is None or seconds >= expires:
            raise _refused(f"the {what} has expired, or states no time; try again")
        if issued > seconds + LEEWAY.total_seconds():
            raise _refused(f"the {what} is not valid yet; correct the clocks of issuer and server")
        return issued

    async def _exchange(self, code: str, verifier: str, *, redirect_uri: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        secret = await asyncio.to_thread(_client_secret, self.settings)
        methods = (await self._document()).get("token_endpoint_auth_methods_supported")
        if secret is None:
            form["client_id"] = self.settings.client_id
        elif isinstance(methods, list) and "client_secret_basic" not in methods:
            form |= {"client_id": self.settings.client_id, "client_secret": secret}
        else:
            pair = f"{quote_plus(self.settings.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        endpoint = await self._endpoint("token_endpoint")
        try:
            answer = await _post(endpoint, form, headers)
        except (SigningKeysInvalid, aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            # Messages of the library may contain the address of a proxy, or parts of an answer.
            _log.error("issuer_unavailable", issuer=self.issuer.url, why=type(error).__name__)
            raise _away() from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            _log.warning("code_refused", issuer=self.issuer.url)
            raise _refused(f"the issuer did not confirm the log-in{_known_error(answer)}; begin again")
        return token

    async def _endpoint(self, name: str) -> str:
        return _encrypted(await self._document(), name)

    async def _document(self) -> Mapping[str, Any]:
        if self.issuer.document is None:
            await self.issuer.refresh("")
        document = self.issuer.document
        if document is None:
            raise _away()
        return document


def _client_secret(settings: ConsoleOidcSettings) -> str | None:
    if settings.client_secret_file is None:
        return None
    content = read_private_file(settings.client_secret_file, max_bytes=_LONGEST_SECRET)
    return content.decode("utf-8-sig").strip()


def _derived(secret: str, what: str) -> str:
    digest = hmac.digest(secret.encode("utf-8", "surrogatepass"), f"facegate/v1/{what}".encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _encrypted(document: Mapping[str, Any], name: str) -> str:
    location = document.get(name)
    try:
        if not isinstance(location, str):
            raise ValueError("it is missing")
        # Some issuers have a query there.
        require_encrypted(location.partition("?")[0])
    except ValueError as error:
        _log.error("issuer_unusable", endpoint=name, why=str(error))
        raise _away() from error
    return location


async def _post(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, Any]:
    status, body = await ask(url, "POST", seconds=_SECONDS, data=form, headers=headers)
    try:
        document = json.loads(body)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        return {}
    return document if status < 400 else {"error": document.get("error")}


def _known_error(answer: Mapping[str, Any]) -> str:
    stated = answer.get("error")
    return f" ({stated})" if isinstance(stated, str) and stated in _ERRORS else ""


def _authenticated(claims: Mapping[str, Any]) -> float | None:
    """Return ``auth_time`` as seconds since 1970: a NumericDate, or a text in ISO 8601, as of AD FS."""
    stated = claims.get("auth_time")
    if not isinstance(stated, str):
        return seconds_of(claims, "auth_time")
    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        return None
    return None if moment.tzinfo is None else within_time(moment.timestamp())


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and len(value) <= _LONGEST_ID else ""


def _refused(message: str) -> Refusal:
    return Refusal(Reason.UNAUTHENTICATED, message)


def _away() -> Refusal:
    return Refusal(
        Reason.NOT_SERVING, "the issuer of the log-in does not answer; try again", retry_after=30.0
    )
