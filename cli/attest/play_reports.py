"""Reports on Play Integrity tokens and their decoded payloads."""

import json
from typing import Any

from cli.attest.apps import android_apps
from cli.attest.report import GivenInputs, Report, hexadecimal, moment, not_asked
from cli.errors import OptionUnusable
from cli.sections import Section
from device_integrity import PlayTokenMalformed, ReferenceDataMalformed
from device_integrity.android import (
    PLAY_INTEGRITY,
    ClassicKeys,
    PlayPayload,
    PlayPolicy,
    PlayTokenKind,
    load_classic_keys,
    open_classic_token,
    parse_payload,
    refused_token,
    verify_payload,
)

__all__ = ["payload_report", "token_report"]

_TOKEN, _PAYLOAD = "Play Integrity token", "Play Integrity token, decoded payload"


def token_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on an encrypted token, which is decrypted if its keys are given.

    Raises:
        OptionUnusable: The keys or an app are malformed.
    """
    if given.play_keys is None:
        checks = tuple(
            PLAY_INTEGRITY.not_evaluated(name, "TOKEN_NOT_OPENED", "give --play-keys to decrypt the token")
            for name in PLAY_INTEGRITY.checks
        )
        return Report(kind=_TOKEN, sections=(), checks=checks)
    keys = _keys(given.play_keys)
    try:
        payload = parse_payload(open_classic_token(data.decode("ascii"), keys=keys))
    except PlayTokenMalformed as error:
        return Report(kind=_TOKEN, sections=(), checks=refused_token(str(error)).checks)
    return _report(_TOKEN, payload, given, missing={})


def payload_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on a decoded payload. It is not signed, so its origin is unproven.

    Raises:
        OptionUnusable: An app is malformed.
    """
    try:
        payload = parse_payload(data)
    except PlayTokenMalformed as error:
        return Report(kind=_PAYLOAD, sections=(), checks=refused_token(str(error)).checks)
    return _report(_PAYLOAD, payload, given, missing={"play_integrity.token": "the token itself"})


def _report(kind: str, payload: PlayPayload, given: GivenInputs, *, missing: dict[str, str]) -> Report:
    classic = payload.request.nonce is not None
    result = verify_payload(
        payload,
        kind=PlayTokenKind.CLASSIC if classic else PlayTokenKind.STANDARD,
        challenge=given.challenge or b"",
        policy=PlayPolicy(apps=android_apps(given.apps)),
        now=given.at,
    )
    if given.challenge is None:
        missing = missing | {"play_integrity.challenge": "--challenge"}
    if not given.apps:
        missing = missing | {f"play_integrity.{one}": "--app" for one in ("request_package", "app_identity")}
    return Report(kind=kind, sections=_sections(payload), checks=not_asked(result.checks, missing))


def _sections(payload: PlayPayload) -> tuple[Section, ...]:
    request, app, device, around = payload.request, payload.app, payload.device, payload.environment
    return (
        Section(
            "Request",
            (
                ("package", request.package),
                ("nonce", _octets(request.nonce)),
                ("request hash", _octets(request.request_hash)),
                ("time", moment(request.time)),
                ("a tester's fixed answer", "yes" if payload.is_test else "no"),
            ),
        ),
        Section(
            "App",
            (
                ("recognition", app.recognition or "not evaluated"),
                ("package", app.package or "not said"),
                ("SHA-256 of signing certificates", _words(one.hex() for one in app.certificate_digests)),
                ("licensing", app.licensing or "not evaluated"),
            ),
        ),
        Section(
            "Device",
            (
                ("labels", _words(device.labels)),
                ("API level", "not said" if device.sdk_version is None else str(device.sdk_version)),
                ("activity", device.activity or "not evaluated"),
            ),
        ),
        Section(
            "Environment",
            (
                (
                    "apps detected",
                    "not evaluated" if around.apps_detected is None else _words(around.apps_detected),
                ),
                ("Play Protect", around.play_protect or "not evaluated"),
            ),
        ),
    )


def _octets(data: bytes | None) -> str:
    return "none" if data is None else hexadecimal(data)


def _words(found: Any) -> str:
    return ", ".join(sorted(found)) or "none"


def _keys(data: bytes) -> ClassicKeys:
    expected = (
        'the file of --play-keys is JSON with "decryption_key" and "verification_key", in base64 as in the '
        "Play Console"
    )
    try:
        members = json.loads(data)
        return load_classic_keys(
            decryption_key=members["decryption_key"], verification_key=members["verification_key"]
        )
    except (ValueError, RecursionError, KeyError, TypeError, ReferenceDataMalformed) as error:
        raise OptionUnusable(expected) from error
