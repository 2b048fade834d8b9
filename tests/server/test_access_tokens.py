"""Access tokens of an OIDC issuer: verification, keys, mapping and settings."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from pydantic import ValidationError

from server.access import signing_keys
from server.access.access_tokens import (
    LEEWAY,
    MAX_TOKEN_CHARACTERS,
    AccessToken,
    AccessTokens,
    OidcSettings,
    TokenGrant,
    TokenPolicy,
    caller_name,
    caller_of,
    refresh_key,
    verify_access_token,
)
from server.access.callers import SCOPES, Role, Scope
from server.access.signing_keys import (
    FRESH_SECONDS,
    KEPT_SECONDS,
    RETRY_SECONDS,
    Issuer,
    IssuerAnswer,
    SigningKey,
    SigningKeys,
    SigningKeysInvalid,
    fetch_issuer,
    parse_jwks,
    read_jwks_file,
)
from server.base.errors import ConfigurationError, Reason, Refusal
from server.base.private_files import WatchedFile
from server.configuration.settings import ServiceListener
from tests.proxies import connect_proxy

_ISSUER = "https://login.bank.example/realms/bank"
_NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
_SECONDS = int(_NOW.timestamp())
_POLICY = TokenPolicy(issuer=_ISSUER, audience="facegate")
_CLAIMS: dict[str, Any] = {
    "iss": _ISSUER,
    "aud": "facegate",
    "sub": "officer-4711",
    "client_id": "console",
    "iat": _SECONDS - 10,
    "exp": _SECONDS + 300,
    "scope": "facegate.evidence openid",
}

_PRIVATE: dict[str, ECKey | OKPKey | RSAKey] = {
    "ES256": ECKey.generate_key("P-256"),
    "RS256": RSAKey.generate_key(2048),
    "EdDSA": OKPKey.generate_key("Ed25519"),
}
_PRIVATE |= {"PS256": _PRIVATE["RS256"], "Ed25519": _PRIVATE["EdDSA"]}
_OTHER = ECKey.generate_key("P-256")


def _public(key: ECKey | OKPKey | RSAKey, **more: object) -> dict[str, Any]:
    return {**key.as_dict(private=False), **more}


def _jwks(*entries: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": entries}).encode()


_GOOD = _public(_PRIVATE["ES256"], kid="a")
_SECOND_RSA = RSAKey.generate_key(2048)
_KEYS = parse_jwks(_jwks(*(_public(key, kid=name) for name, key in _PRIVATE.items())))


def _key(identifier: str) -> SigningKey:
    if identifier not in _KEYS:
        raise Refusal(Reason.UNAUTHENTICATED, "no such key")
    return _KEYS[identifier]


def _part(value: object) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _sign(header: object, claims: object, *, key: Any = _PRIVATE["ES256"], algorithm: str = "ES256") -> str:
    """A JWT with any header, signed with a key as ``algorithm`` says."""
    signed = f"{_part(header)}.{_part(claims)}"
    signature = jws.JWSRegistry.algorithms[algorithm].sign(signed.encode(), key)
    return f"{signed}.{_part(signature)}"


def _token(algorithm: str = "ES256", header: Mapping[str, Any] | None = None, **claims: object) -> str:
    """A good token but for what is given; ``None`` leaves a field out."""
    fields = {"alg": algorithm, "typ": "at+jwt", "kid": algorithm, **(header or {})}
    stated = {**_CLAIMS, **claims}
    return _sign(
        {name: value for name, value in fields.items() if value is not None},
        {name: value for name, value in stated.items() if value is not None},
        key=_PRIVATE[algorithm],
        # joserfc warns of the name EdDSA, which issuers use.
        algorithm="Ed25519" if algorithm == "EdDSA" else algorithm,
    )


def _verified(token: str, policy: TokenPolicy = _POLICY) -> AccessToken:
    return verify_access_token(token, policy=policy, key=_key, now=_NOW)


def _why(token: str, policy: TokenPolicy = _POLICY) -> str:
    with pytest.raises(Refusal) as caught:
        _verified(token, policy)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    assert not caught.value.details
    return str(caught.value)


# -- verification


@pytest.mark.parametrize("algorithm", _PRIVATE)
def test_a_token_of_the_issuer_is_accepted_with_each_algorithm(algorithm: str) -> None:
    token = _verified(_token(algorithm))
    assert (token.issuer, token.subject) == (_ISSUER, "officer-4711")
    assert token.expires == _NOW + timedelta(seconds=300)
    assert token.claims["scope"] == "facegate.evidence openid"
    assert "openid" not in repr(token)


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_of_access_tokens_has_two_forms(kind: str) -> None:
    assert _verified(_token(header={"typ": kind})).subject


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"typ": "JWT"}, "no access token"),
        ({"typ": None}, "no access token"),
        ({"typ": ["at+jwt"]}, "no access token"),
        ({"alg": "ES512"}, "accepted algorithm"),
        ({"alg": None}, "not a JWT"),
        ({"alg": ["ES256"]}, "accepted algorithm"),
        ({"alg": "RS256"}, "for another algorithm"),
        ({"kid": 1}, "kid"),
        ({"kid": "x" * 300}, "kid"),
        ({"kid": "unknown"}, "no such key"),
        ({"crit": ["exp"], "exp": 1}, "crit"),
        ({"crit": []}, "crit"),
        ({"b64": True}, "kid"),
        ({"b64": False}, "not a JWT"),
    ],
)
def test_a_token_with_another_header_is_refused(header: dict[str, Any], said: str) -> None:
    assert said in _why(_token(header=header))


def test_parameters_of_the_header_that_name_keys_are_ignored() -> None:
    stranger = {"jwk": _public(_OTHER), "jku": "https://evil.example/jwks", "x5t": "A"}
    assert _verified(_token(header=stranger)).subject
    forged = _sign({"alg": "ES256", "typ": "at+jwt", "kid": "ES256", **stranger}, _CLAIMS, key=_OTHER)
    assert "signature" in _why(forged)


def test_an_unsigned_token_is_refused() -> None:
    for algorithm in ("none", "None", "NONE"):
        header = {"alg": algorithm, "typ": "at+jwt", "kid": "ES256"}
        assert "algorithm" in _why(f"{_part(header)}.{_part(_CLAIMS)}.")
    head, claims, _ = _token().split(".")
    assert "signature" in _why(f"{head}.{claims}.")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_a_token_with_the_public_key_as_secret_is_refused(algorithm: str, form: str) -> None:
    public = _PRIVATE["RS256"]
    secret = {
        "pem": public.as_pem(private=False),
        "der": public.as_der(private=False),
        "jwk": json.dumps(_public(public)).encode(),
    }[form]
    signed = f"{_part({'alg': algorithm, 'typ': 'at+jwt', 'kid': 'RS256'})}.{_part(_CLAIMS)}"
    mac = hmac.digest(secret, signed.encode(), f"sha{algorithm[2:]}")
    assert "algorithm" in _why(f"{signed}.{_part(mac)}")


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://login.bank.example/realms/test"}, "another issuer"),
        ({"iss": _ISSUER + "/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "audience"),
        ({"aud": ["other", "facegate2"]}, "audience"),
        ({"aud": {"facegate": 1}}, "audience"),
        ({"aud": "facegate other"}, "audience"),
        ({"exp": None}, "no exp"),
        ({"exp": True}, "no exp"),
        ({"exp": float("nan")}, "no exp"),
        ({"exp": 10**400}, "no exp"),
        ({"exp": -1}, "no exp"),
        ({"exp": _SECONDS}, "expired"),
        ({"iat": None}, "no iat"),
        ({"iat": _SECONDS + LEEWAY.seconds + 1}, "not valid yet"),
        ({"nbf": _SECONDS + LEEWAY.seconds + 1}, "not valid yet"),
        ({"nbf": "soon"}, "not valid yet"),
        ({"sub": None}, "subject"),
        ({"sub": "x" * 256}, "subject"),
        ({"sub": "a\nb"}, "subject"),
    ],
)
def test_a_token_with_other_claims_is_refused(claims: dict[str, Any], said: str) -> None:
    assert said in _why(_token(**claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["other", "facegate"]},
        {"exp": _SECONDS + 0.5},
        {"iat": _SECONDS + LEEWAY.seconds},
        {"nbf": _SECONDS + LEEWAY.seconds},
        {"sub": "x" * 255},
    ],
)
def test_claims_at_their_limits_are_accepted(claims: dict[str, Any]) -> None:
    assert _verified(_token(**claims)).subject


def test_a_token_is_bounded_in_size() -> None:
    free = MAX_TOKEN_CHARACTERS - len(_token(groups=""))
    assert _verified(_token(groups="x" * (free * 3 // 4 - 2))).subject
    assert str(MAX_TOKEN_CHARACTERS) in _why(_token(groups="x" * free))


_JWT = TokenPolicy(issuer=_ISSUER, audience="facegate", token_type="JWT")


@pytest.mark.parametrize(
    ("header", "claims", "works"),
    [
        ("JWT", {"client_id": None, "azp": "console"}, True),
        ("JWT", {}, True),
        ("at+jwt", {}, True),
        # The ID tokens that a log-in client with the name of the audience gets.
        ("JWT", {"client_id": None, "azp": "facegate"}, False),
        ("JWT", {"client_id": None}, False),
        ("JWT", {"azp": "console", "aud": ["facegate", "console"]}, False),
        ("logout+jwt", {}, False),
        (None, {}, False),
    ],
)
def test_of_an_issuer_without_the_type_no_id_token_is_accepted(
    header: str | None, claims: dict[str, Any], works: bool
) -> None:
    token = _token(header={"typ": header}, **claims)
    if works:
        assert _verified(token, _JWT).subject
    else:
        assert _why(token, _JWT)


# -- hostile tokens

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _is_refused_or_good(token: str) -> None:
    issuer: Any = SimpleNamespace(refresh=AsyncMock())
    asyncio.run(refresh_key(issuer, token))
    refusal = None
    try:
        _verified(token)
    except Refusal as error:
        refusal = error
    if refusal is not None:
        assert refusal.reason is Reason.UNAUTHENTICATED
        assert all(len(part) < 12 or part not in str(refusal) for part in token.split("."))


@given(st.text(max_size=200) | st.text(alphabet="ey.AbJ0-_=", max_size=200))
@example("..")
@example("\udc80.a.b")
@example(_part(b"[" * 400 + b'"alg"' + b"]" * 400) + ".e30.AA")
@example(_part(["alg"]) + ".e30.AA")
@example(_part({"alg": {}}) + ".e30.AA")
def test_no_text_does_more_than_be_refused(text: str) -> None:
    _is_refused_or_good(text)


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x5c", "zip"]), _JSON), _JSON
)
def test_no_header_does_more_than_be_refused(header: dict[str, Any], claims: object) -> None:
    _is_refused_or_good(_sign({"alg": "ES256", "typ": "at+jwt", "kid": "ES256", **header}, claims))


@given(st.dictionaries(st.sampled_from(sorted({*_CLAIMS, "nbf", "azp", "groups"})), _JSON))
def test_no_claims_do_more_than_be_refused(claims: dict[str, Any]) -> None:
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "ES256"}
    _is_refused_or_good(_sign(header, {**_CLAIMS, **claims}))


@given(st.integers(min_value=0), st.characters(max_codepoint=127))
def test_a_changed_token_is_never_another_valid_one(place: int, character: str) -> None:
    token = _token()
    changed = token[: place % len(token)] + character + token[place % len(token) + 1 :]
    try:
        verified = _verified(changed)
    except Refusal:
        return
    # The last bits of base64 are padding, and some decoders skip what is no base64.
    assert verified == _verified(token)


# -- the keys of an issuer


def test_keys_that_are_of_no_use_are_ignored() -> None:
    weak = {"kty": "RSA", "e": "AQAB", "n": _part(((1 << 1023) + 1).to_bytes(128))}
    keys = parse_jwks(
        _jwks(
            _public(_PRIVATE["ES256"], kid="good", use="sig", alg="ES256", key_ops=["verify"]),
            _public(_PRIVATE["RS256"], kid="one", alg="PS256"),
            _public(_PRIVATE["RS256"], kid="encryption", use="enc"),
            _public(_PRIVATE["RS256"], kid="wrapping", alg="RSA-OAEP"),
            _public(_PRIVATE["ES256"], kid="signing", key_ops=["sign"]),
            _public(_PRIVATE["ES256"], kid=5),
            _public(_PRIVATE["ES256"], kid="x" * 300),
            {"kty": "oct", "k": "AAAA", "kid": "shared"},
            _public(ECKey.generate_key("P-384"), kid="P-384"),
            {**weak, "kid": "weak"},
            {"kty": "EC", "kid": "cut", "crv": "P-256", "x": "AA"},
            {"kty": "EC", "kid": "off", "crv": "P-256", "x": _part(b"1" * 32), "y": _part(b"2" * 32)},
            {"kty": "new", "kid": "new"},
        )
    )
    assert _algorithms(keys) == {"good": {"ES256"}, "one": {"PS256"}}


def _algorithms(keys: SigningKeys) -> dict[str, set[str]]:
    return {name: set(key.by_algorithm) for name, key in keys.items()}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([("RS256", {"alg": "RS256"}), ("RS256", {"alg": "PS256"})], {"k": {"RS256", "PS256"}}),
        ([("RS256", {}), ("RS256", {"alg": "RS256"})], {"k": {"RS256", "PS256"}}),
        ([("RS256", {}), ("RS256", {})], {"k": {"RS256", "PS256"}}),
        # Different keys: one that states the algorithm goes first; of two alike, neither is used.
        ([("RS256", {}), ("other", {"alg": "RS256"})], {"k": {"RS256", "PS256"}}),
        ([("RS256", {"alg": "RS256"}), ("other", {"alg": "PS256"})], {"k": {"RS256", "PS256"}}),
        ([("RS256", {"alg": "RS256"}), ("other", {"alg": "RS256"})], {}),
        ([("RS256", {}), ("other", {})], {}),
        ([("RS256", {"alg": "RS256"}), ("other", {"alg": "RS256"}), ("RS256", {})], {"k": {"PS256"}}),
        ([("RS256", {"alg": "RS256", "use": None, "key_ops": None})], {"k": {"RS256"}}),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_keys_of_one_kid_are_told_apart_by_their_algorithm(
    entries: list[tuple[str, dict[str, Any]]], expected: dict[str, set[str]], turned: bool
) -> None:
    pair = {"RS256": _PRIVATE["RS256"], "other": _SECOND_RSA}
    listed = [_public(pair[name], kid="k", **fields) for name, fields in entries]
    keys = parse_jwks(_jwks(*(reversed(listed) if turned else listed), _GOOD))
    assert _algorithms(keys) == {"a": {"ES256"}, **expected}


def test_the_key_that_states_the_algorithm_is_used() -> None:
    keys = parse_jwks(_jwks(_public(_PRIVATE["RS256"], kid="k"), _public(_SECOND_RSA, kid="k", alg="RS256")))
    found = {name: key.thumbprint() for name, key in keys["k"].by_algorithm.items()}
    assert found == {"RS256": _SECOND_RSA.thumbprint(), "PS256": _PRIVATE["RS256"].thumbprint()}


@pytest.mark.parametrize("padding", ["=", "=="])
def test_padded_numbers_of_a_key_are_read(padding: str) -> None:
    entry = _public(_PRIVATE["RS256"], kid="k")
    keys = parse_jwks(_jwks(entry | {"n": entry["n"] + padding}))
    assert keys["k"].by_algorithm["RS256"].thumbprint() == _PRIVATE["RS256"].thumbprint()


def test_a_signature_of_the_longest_accepted_key_is_looked_at() -> None:
    signed = _token("RS256").rpartition(".")[0]
    # An RSA key of 8192 bits signs with 1024 bytes.
    assert "signature" in _why(f"{signed}.{_part(bytes(1024))}")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"kty": "oct", "k": "AAAA", "kid": "h", "alg": "HS256"}, "kty, alg"),
        ({"kid": "h", "use": "enc"}, "use, key_ops"),
        ({"kty": "RSA", "kid": "h", "n": "AQAB", "e": "AQAB"}, "modulus"),
    ],
)
def test_a_set_without_a_key_says_why(entry: dict[str, Any], why: str) -> None:
    with pytest.raises(SigningKeysInvalid, match=why):
        parse_jwks(_jwks(entry))


async def test_a_token_without_kid_is_of_the_only_key() -> None:
    source, token = _Source(), _sign({"alg": "ES256", "typ": "at+jwt"}, _CLAIMS)
    for listed in ({"": _KEYS["ES256"]}, {"a": _KEYS["ES256"]}):
        source.keys = listed
        issuer = Issuer(_ISSUER, file=None, monotonic=lambda: 0.0, fetch=source.fetch)
        await refresh_key(issuer, token)
        verified = verify_access_token(token, policy=_POLICY, key=issuer.find, now=_NOW)
        assert verified.subject == _CLAIMS["sub"]
    source.keys = {"a": _KEYS["ES256"], "b": _KEYS["RS256"]}
    issuer = Issuer(_ISSUER, file=None, monotonic=lambda: 0.0, fetch=source.fetch)
    await refresh_key(issuer, token)
    assert _no_key(issuer, "").reason is Reason.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("modulus_with_padding", {"k1": {"RS256", "PS256"}}),
        ("one_bad_pair_beside_a_good_key", {"good": {"ES256"}, "k1": {"RS256", "PS256"}}),
        ("one_kid_with_and_without_alg", {"k1": {"RS256", "PS256"}}),
        ("same_key_listed_twice", {"k1": {"RS256", "PS256"}}),
        ("single_key_without_kid", {"": {"RS256"}}),
        ("symmetric_key_beside", {"k1": {"RS256", "PS256"}}),
        ("two_algorithms_of_one_kid", {"k1": {"RS256", "PS256"}}),
        ("use_null", {"k1": {"RS256", "PS256"}}),
    ],
)
def test_key_sets_behind_public_bug_reports_are_read(
    name: str, usable: dict[str, set[str]], assets: Path
) -> None:
    file = assets / "data" / "reported" / "round2" / "jwks" / f"{name}.json"
    if not file.is_file():
        pytest.skip(f"no reported key sets: {file} is absent")
    assert _algorithms(parse_jwks(file.read_bytes())) == usable


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (_jwks(), "no key"),
        (_jwks(*[_GOOD] * 65), "at most 64"),
        (_jwks(_PRIVATE["RS256"].as_dict(private=True)), "private"),
    ],
)
def test_a_jwks_that_cannot_be_used_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(SigningKeysInvalid, match=said):
        parse_jwks(data)


@given(st.lists(st.dictionaries(st.sampled_from(sorted({*_GOOD, "n", "e", "use", "alg", "key_ops"})), _JSON)))
def test_no_jwks_does_more_than_be_refused(entries: list[dict[str, Any]]) -> None:
    assert "a" in parse_jwks(_jwks(_GOOD, *(entry | {"kid": "b"} for entry in entries[:1])))


class _Source:
    """An issuer whose keys and absence a test sets, and a clock."""

    def __init__(self) -> None:
        self.keys: dict[str, SigningKey] | None = {"a": _KEYS["ES256"]}
        self.asked = 0
        self.seconds = 1000.0
        self.hold: asyncio.Event | None = None

    async def fetch(self, url: str) -> IssuerAnswer:
        assert url == _ISSUER
        self.asked += 1
        if self.hold is not None:
            await self.hold.wait()
        if self.keys is None:
            raise SigningKeysInvalid("away")
        return IssuerAnswer({"issuer": url}, dict(self.keys))

    def issuer(self) -> Issuer:
        return Issuer(_ISSUER, file=None, monotonic=lambda: self.seconds, fetch=self.fetch)


def _no_key(issuer: Issuer, identifier: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        issuer.find(identifier)
    return caught.value


async def test_keys_are_fetched_at_the_first_call_and_when_they_are_old() -> None:
    source = _Source()
    issuer = source.issuer()
    assert issuer.document is None
    for ahead, asked in ((0.0, 1), (FRESH_SECONDS - 1, 1), (1.0, 2), (1.0, 2)):
        source.seconds += ahead
        await issuer.refresh("a")
        assert issuer.find("a") is _KEYS["ES256"]
        assert source.asked == asked
    assert issuer.document == {"issuer": _ISSUER}


async def test_an_unknown_key_is_asked_for_at_most_once_in_a_time() -> None:
    source = _Source()
    issuer = source.issuer()
    await issuer.refresh("a")
    source.keys = {"b": _KEYS["RS256"]}
    for number in range(20):
        await issuer.refresh(f"stranger {number}")
    await issuer.refresh("b")
    assert source.asked == 1
    assert _no_key(issuer, "b").reason is Reason.UNAUTHENTICATED
    source.seconds += RETRY_SECONDS
    await asyncio.gather(*(issuer.refresh("b") for _ in range(20)))
    assert source.asked == 2
    assert issuer.find("b") is _KEYS["RS256"]
    # What the issuer does not publish any more is refused.
    assert _no_key(issuer, "a").reason is Reason.UNAUTHENTICATED


async def test_while_the_issuer_is_away_its_last_keys_are_used_for_a_time() -> None:
    source = _Source()
    issuer = source.issuer()
    await issuer.refresh("a")
    away = [issuer.away]
    source.keys = None
    source.seconds += KEPT_SECONDS - RETRY_SECONDS
    await issuer.refresh("a")
    away.append(issuer.away)
    assert issuer.find("a") is _KEYS["ES256"]
    refusal = _no_key(issuer, "b")
    assert (refusal.reason, refusal.retry_after) == (Reason.NOT_SERVING, RETRY_SECONDS)
    source.seconds += RETRY_SECONDS
    await issuer.refresh("a")
    assert _no_key(issuer, "a").reason is Reason.NOT_SERVING
    source.keys = {"a": _KEYS["ES256"]}
    source.seconds += RETRY_SECONDS
    await issuer.refresh("a")
    assert issuer.find("a") is _KEYS["ES256"]
    assert [*away, issuer.away] == [False, True, False]


async def test_no_call_waits_for_an_issuer_that_is_away_if_it_needs_no_key() -> None:
    source = _Source()
    issuer = source.issuer()
    await issuer.refresh("a")
    source.keys = None
    source.seconds += FRESH_SECONDS
    await issuer.refresh("a")
    source.hold = asyncio.Event()
    source.seconds += RETRY_SECONDS
    await asyncio.wait_for(issuer.refresh("a"), 60)
    await issuer.close()


async def test_a_caller_that_gives_up_ends_no_fetch_for_the_others() -> None:
    source = _Source()
    source.hold = asyncio.Event()
    issuer = source.issuer()
    first, second = (asyncio.create_task(issuer.refresh("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    source.hold.set()
    await asyncio.wait_for(second, 60)
    assert issuer.find("a") is _KEYS["ES256"]
    assert source.asked == 1


async def test_the_keys_of_a_file_are_read_again_and_the_issuer_is_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(_jwks(_public(_PRIVATE["ES256"], kid="a")))
    source = _Source()
    issuer = Issuer(
        _ISSUER, file=WatchedFile(file, read_jwks_file), monotonic=lambda: 0.0, fetch=source.fetch
    )
    await issuer.refresh("b")
    assert issuer.find("a").by_algorithm.keys() == {"ES256"}
    assert _no_key(issuer, "b").reason is Reason.UNAUTHENTICATED
    assert not issuer.read_file()
    file.write_text("broken")
    with pytest.raises(ConfigurationError, match="not JSON"):
        issuer.read_file()
    assert issuer.find("a").by_algorithm.keys() == {"ES256"}
    file.write_bytes(_jwks(_public(_PRIVATE["RS256"], kid="b")))
    assert issuer.read_file()
    assert issuer.find("b").by_algorithm.keys() == {"RS256", "PS256"}
    assert source.asked == 0


@pytest.mark.parametrize("fault", ["missing", "writable", "large", "empty"])
def test_a_file_of_keys_that_cannot_be_trusted_is_refused(tmp_path: Path, fault: str) -> None:
    file = tmp_path / "jwks.json"
    if fault != "missing":
        file.write_bytes(_jwks(_GOOD) + b" " * (300_000 if fault == "large" else 0))
        file.chmod(0o666 if fault == "writable" else 0o644)
    if fault == "empty":
        file.write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"jwks\.json"):
        read_jwks_file(file)


# -- asking an issuer

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _site(**answers: _Answer) -> AsyncIterator[str]:
    """Serve ``/realm/.well-known/openid-configuration`` and ``/jwks``; yield the issuer."""
    app = web.Application()
    issuer = ""

    async def discovery(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"issuer": issuer, "jwks_uri": f"{issuer}/jwks"})

    async def jwks(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=_jwks(_GOOD))

    app.router.add_get("/realm/.well-known/openid-configuration", answers.get("discovery", discovery))
    app.router.add_get("/realm/jwks", answers.get("jwks", jwks))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert isinstance(runner.addresses[0], tuple)
    issuer = f"http://127.0.0.1:{runner.addresses[0][1]}/realm"
    try:
        yield issuer
    finally:
        await runner.cleanup()


async def _failure(issuer: str) -> str:
    with pytest.raises(SigningKeysInvalid) as caught:
        await asyncio.wait_for(fetch_issuer(issuer), 60)
    return str(caught.value)


async def test_an_issuer_is_found_by_discovery() -> None:
    async with _site() as issuer:
        answer = await fetch_issuer(issuer)
    assert list(answer.keys) == ["a"]
    assert answer.document["issuer"] == issuer
    assert "cannot be reached" in await _failure(issuer)


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY"])
async def test_a_proxy_to_an_issuer_that_fails_is_named(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with connect_proxy(refuses=True) as proxy:
        host = proxy.address.removeprefix("http://")
        monkeypatch.setenv(variable, f"http://anna:secret@{host}")
        told = await _failure("https://issuer.invalid")
        assert proxy.requests == ["CONNECT issuer.invalid:443 HTTP/1.1"]
    assert f"through the proxy {host}, which {variable} names" in told
    assert "secret" not in told


async def test_an_issuer_on_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with connect_proxy(refuses=True) as proxy, _site() as issuer:
        monkeypatch.setenv("http_proxy", proxy.address)
        monkeypatch.setenv("https_proxy", proxy.address)
        await fetch_issuer(issuer)
        told = await _failure(issuer.replace("http:", "https:"))
    assert proxy.requests == []
    assert "proxy" not in told


def _says(**document: object) -> _Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        issuer = str(request.url.origin()) + "/realm"
        return web.json_response({"issuer": issuer, "jwks_uri": issuer + "/jwks"} | document)

    return answer


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"issuer": "https://evil.example"}, "another issuer"),
        ({"issuer": None}, "another issuer"),
        ({"jwks_uri": None}, "no jwks_uri"),
        ({"jwks_uri": "http://login.bank.example/jwks"}, "write https://"),
        ({"jwks_uri": "file:///etc/passwd"}, "write a URL"),
        ({"jwks_uri": "https://user:secret@login.bank.example/jwks"}, "leave out credentials"),
    ],
)
async def test_a_discovery_document_with_other_places_is_refused(document: Any, said: str) -> None:
    async with _site(discovery=_says(**document)) as issuer:
        assert said in await _failure(issuer)


async def _redirected(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(str(request.url.origin()) + "/realm/jwks")


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65_536)


async def _failed(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


async def _no_json(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"\xff<html>")


@pytest.mark.parametrize("place", ["discovery", "jwks"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_redirected, "status 302"),
        (_endless, "more than 262144 bytes"),
        (_failed, "status 500"),
        (_no_json, "not JSON"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_refused(place: str, answer: _Answer, said: str) -> None:
    async with _site(**{place: answer}) as issuer:
        assert said in await _failure(issuer)


async def test_an_issuer_that_does_not_answer_in_time_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "_SECONDS", 0.05)

    over = asyncio.Event()

    async def never(_request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    async with _site(discovery=never) as issuer:
        assert "in time" in await _failure(issuer)
        over.set()


# -- what tokens grant


def _grant(value: str, **more: Any) -> TokenGrant:
    fields = {"value": value, "tenant": "bank", "roles": ["operator"], **more}
    return TokenGrant.model_validate(fields)


_GRANTS = (
    _grant("facegate.evidence", roles=["compliance_reader"], scopes=["evidence.read"]),
    _grant("facegate.audit", roles=["compliance_reader"], scopes=["audit.read"]),
    _grant("facegate.checks", roles=["orchestrator"]),
    _grant("/compliance/officers", claim="groups", roles=["compliance_admin"]),
    _grant("facegate.other", tenant="other"),
    _grant("facegate.tests", roles=["orchestrator"], sandbox=True),
)


def _holder(**claims: object) -> AccessToken:
    return AccessToken(issuer=_ISSUER, subject="officer-4711", expires=_NOW, claims=claims)


def test_a_token_has_what_its_entries_grant_and_nothing_else() -> None:
    reader = caller_of(_holder(scope="openid facegate.evidence facegate.unknown"), _GRANTS)
    assert (reader.tenant, reader.sandbox, reader.expires) == ("bank", False, _NOW)
    assert reader.roles == {Role.COMPLIANCE_READER}
    assert reader.scopes == {Scope.READ_EVIDENCE}
    assert reader.name == "officer-4711@login.bank.example"
    both = caller_of(_holder(scope="facegate.audit facegate.evidence"), _GRANTS)
    assert both.scopes == {Scope.READ_EVIDENCE, Scope.READ_AUDIT}
    officer = caller_of(_holder(groups=["/staff", "/compliance/officers"], scope=""), _GRANTS)
    assert officer.scopes == SCOPES[Role.COMPLIANCE_ADMIN]
    assert caller_of(_holder(groups="/compliance/officers"), _GRANTS).scopes == officer.scopes
    assert caller_of(_holder(scope=["facegate.tests"]), _GRANTS).sandbox


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": "FACEGATE.CHECKS"},
        {"scope": "facegate.checks2"},
        {"scope": 7},
        {"scope": {"facegate.checks": True}},
        {"scp": "facegate.checks"},
        {"groups": "facegate.checks /compliance/officers"},
        # Of two tenants, and of one with its sandbox.
        {"scope": "facegate.checks facegate.other"},
        {"scope": "facegate.checks facegate.tests"},
    ],
)
def test_other_claims_grant_nothing(claims: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        caller_of(_holder(**claims), _GRANTS)
    assert caught.value.reason is Reason.PERMISSION_DENIED


@pytest.mark.parametrize(
    "claims",
    [
        {"realm_access": {"roles": ["console", "other"]}},
        {"realm_access": {"roles": "console"}},
        {"realm_access.roles": ["console"]},
        # The claim of that very name goes first.
        {"realm_access.roles": ["console"], "realm_access": {"roles": ["other"]}},
    ],
)
def test_a_grant_may_name_a_path_of_claims(claims: dict[str, Any]) -> None:
    grant = _grant("console", claim="realm_access.roles", roles=["compliance_reader"])
    assert caller_of(_holder(**claims), [grant]).roles == {Role.COMPLIANCE_READER}


@pytest.mark.parametrize(
    "claims",
    [
        {"realm_access.roles": ["other"], "realm_access": {"roles": ["console"]}},
        {"realm_access": ["roles"]},
        {"realm_access": {"roles": {"console": True}}},
        {"realm_access": "roles"},
        {"roles": ["console"]},
    ],
)
def test_another_path_grants_nothing(claims: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        caller_of(_holder(**claims), [_grant("console", claim="realm_access.roles", roles=["reviewer"])])


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"_claim_names": {"groups": "src1"}}, "left groups out of the ID token: .*app roles"),
        ({"hasgroups": True}, "left groups out"),
        ({"hasgroups": "true"}, "left groups out"),
        ({"hasgroups": False}, "no claim that an entry of the server .* names: groups"),
        ({"groups": ["strangers"]}, "what this ID token states in groups"),
        # Groups that are there are not left out, whatever else is.
        ({"groups": ["strangers"], "_claim_names": {"groups": "src1"}}, "states in groups"),
    ],
)
def test_a_person_without_a_role_is_told_what_is_missing(claims: dict[str, Any], said: str) -> None:
    grant = _grant("officers", claim="groups", roles=["compliance_reader"])
    with pytest.raises(Refusal, match=said) as caught:
        caller_of(_holder(**claims), [grant], what="ID token")
    assert caught.value.reason is Reason.PERMISSION_DENIED
    assert "strangers" not in str(caught.value)


def test_a_name_in_the_audit_log_is_that_of_one_subject_of_one_issuer() -> None:
    entra = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0"
    names = [
        caller_name(issuer, subject)
        for issuer in (_ISSUER, entra, entra + "/other")
        for subject in ("a", "s" * 43, "s" * 47, "s" * 48, "s" * 255, "s" * 254 + "t")
    ]
    assert all(len(name) <= 64 for name in names)
    # Issuers of one host share its name: settings name one of them.
    assert len(set(names)) == len(names) - 1
    assert names[0] == "a@login.bank.example"
    assert names[7].startswith("s" * 43 + "@")


# -- settings

_OIDC: dict[str, Any] = {
    "issuer": _ISSUER,
    "audience": "facegate",
    "grants": [{"value": "facegate.checks", "tenant": "bank", "roles": ["orchestrator"]}],
}


@pytest.mark.parametrize(
    "issuer", [_ISSUER, "http://localhost:8080/realms/a", "http://[::1]:9/", "https://a"]
)
def test_an_issuer_is_taken_as_it_is_written(issuer: str) -> None:
    assert OidcSettings.model_validate(_OIDC | {"issuer": issuer}).issuer == issuer


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://login.bank.example"},
        {"issuer": "login.bank.example"},
        {"issuer": "https://user@login.bank.example"},
        {"issuer": "https://login.bank.example/?realm=a"},
        {"issuer": "https://[::1"},
        {"audience": ""},
        {"token_type": "jwt"},
        {"grants": []},
        {"grants": _OIDC["grants"] * 2},
        {"grants": [_OIDC["grants"][0] | {"roles": ["operator"], "sandbox": True}]},
        {"grants": [_OIDC["grants"][0] | {"scopes": ["evidence.read"]}]},
        {"algorithms": ["HS256"]},
    ],
)
def test_unsafe_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OidcSettings.model_validate(_OIDC | change)


def test_access_tokens_are_credentials_of_the_listener() -> None:
    tls = {"certificate": "a.pem", "key": "a.key"}
    assert ServiceListener.model_validate({"host": "192.0.2.1", "tls": tls, "oidc": _OIDC}).oidc
    assert ServiceListener.model_validate({"tls": tls | {"client_ca": "ca.pem"}, "oidc": _OIDC}).oidc
    with pytest.raises(ValidationError, match="local_sandbox"):
        ServiceListener.model_validate({"local_sandbox": True, "oidc": _OIDC})


def test_the_audit_log_describes_what_tokens_grant() -> None:
    tokens = AccessTokens(OidcSettings.model_validate(_OIDC), _Source().issuer())
    ((name, words),) = tokens.described.items()
    assert name.startswith("token ")
    for word in (_ISSUER, "audience facegate", "scope=facegate.checks", "bank", "checks.create"):
        assert word in words
