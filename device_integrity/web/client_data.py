"""Reads WebAuthn's client data, a browser's statements about a ceremony (WebAuthn Level 3, 5.8.1)."""

import json
from dataclasses import dataclass
from typing import Final

from device_integrity.check import Checklist, DeviceCheck, Manipulation
from device_integrity.errors import EvidenceMalformed

__all__ = [
    "MAX_CLIENT_DATA_BYTES",
    "ClientData",
    "RelyingParty",
    "origin_check",
    "page_check",
    "parse_client_data",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """The customer's web site.

    Attributes:
        rp_id: WebAuthn's relying party identifier: the site's domain, such as ``bank.example``.
        origins: The origins of its pages in the form of browsers: ``https://verify.bank.example``, with a
            port if it is not 443, without a final slash. They are compared as a whole.
        require_user_verification: Whether a WebAuthn ceremony counts only if the authenticator verified
            the person by its own PIN or biometrics.
    """

    rp_id: str
    origins: frozenset[str]
    require_user_verification: bool


def origin_check(checklist: Checklist, origin: str, relying_party: RelyingParty) -> DeviceCheck:
    """Returns the test ``origin``: whether the page that the browser states is one of the site's."""
    return checklist.judged(
        "origin",
        holds=origin in relying_party.origins,
        good=("ORIGIN_ALLOWED", "the page is one of the site's"),
        bad=("ORIGIN_NOT_ALLOWED", "the page has an origin that is not allowed"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


def page_check(checklist: Checklist, origin: str, header_origin: str | None) -> DeviceCheck:
    """Returns the test ``page``: whether the request came from the page that the evidence states.

    Args:
        checklist: The verifier's checklist.
        origin: The origin that the evidence states.
        header_origin: The request's ``Origin`` header, which scripts cannot set; ``None`` if the listener
            does not receive it.
    """
    if header_origin is None:
        return checklist.not_evaluated(
            "page", "ORIGIN_HEADER_ABSENT", "the request had no Origin header to compare with"
        )
    return checklist.judged(
        "page",
        holds=header_origin == origin,
        good=("ORIGIN_HEADER_MATCHES", "the request came from the page that the evidence states"),
        bad=("ORIGIN_HEADER_DIFFERS", "the request came from another page than the evidence states"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


MAX_CLIENT_DATA_BYTES: Final = 4 * 1024
"""Maximum length of client data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientData:
    """Client data.

    Attributes:
        kind: ``webauthn.create``, ``webauthn.get`` or another text, as sent.
        challenge: The challenge as sent, base64url.
        origin: The origin of the page that started the ceremony.
        framed: Whether that page was within a page of another origin.
    """

    kind: str
    challenge: str
    origin: str
    framed: bool


def parse_client_data(data: bytes) -> ClientData:
    """Reads client data.

    Args:
        data: JSON in UTF-8, at most ``MAX_CLIENT_DATA_BYTES``.

    Raises:
        EvidenceMalformed: It is too long, not a JSON object, has a name twice, or lacks a member.
    """
    if len(data) > MAX_CLIENT_DATA_BYTES:
        raise EvidenceMalformed(
            f"the client data has {len(data)} bytes; at most {MAX_CLIENT_DATA_BYTES} are accepted"
        )
    try:
        members = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise EvidenceMalformed("the client data is not JSON, or has a name twice") from error
    if not isinstance(members, dict):
        raise EvidenceMalformed("the client data is not a JSON object")
    cross_origin = members.get("crossOrigin", False)
    if not isinstance(cross_origin, bool):
        raise EvidenceMalformed("crossOrigin of the client data is neither true nor false")
    return ClientData(
        kind=_text(members, "type"),
        challenge=_text(members, "challenge"),
        origin=_text(members, "origin"),
        framed=cross_origin or "topOrigin" in members,
    )


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the object has a name twice")
    return members


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    # A lone escape such as \ud800 is valid JSON, but cannot be encoded as UTF-8.
    if not isinstance(value, str) or any("\ud800" <= one <= "\udfff" for one in value):
        raise EvidenceMalformed(f"{name} of the client data is missing or not a text")
    return value
