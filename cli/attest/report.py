"""The report on a piece of evidence: its content in rows, and the finding of each test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cli.sections import Section
from device_integrity import DeviceCheck, DeviceFinding
from device_integrity.apple import Environment

__all__ = ["GivenInputs", "Report", "as_json", "hexadecimal", "moment", "not_asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenInputs:
    """The user's inputs for the tests; ``None`` or empty if not given.

    Attributes:
        at: The time of the judgement.
        challenge: The challenge that the evidence must contain, bytes.
        apps: Apple's application identifiers; for Android and Play, package names with ``@`` and the
            SHA-256 of a signing certificate in hexadecimal.
        environment: Environment of App Attest.
        key_id: The identifier that was sent with the evidence.
        public_key: The enrolled key, SubjectPublicKeyInfo, DER.
        counter: The last known counter of the enrolled key.
        max_age: Greatest age of a receipt.
        most_keys: Greatest acceptable risk metric of a receipt.
        client_data: WebAuthn's client data, as sent.
        rp_id: WebAuthn's relying party identifier.
        revocation: Google's list of revoked keys, JSON.
        play_keys: Keys of Play Integrity tokens, JSON.
    """

    at: datetime
    challenge: bytes | None = None
    apps: tuple[str, ...] = ()
    environment: Environment | None = None
    key_id: bytes | None = None
    public_key: bytes | None = None
    counter: int | None = None
    max_age: timedelta | None = None
    most_keys: int | None = None
    client_data: bytes | None = None
    rp_id: str | None = None
    revocation: bytes | None = None
    play_keys: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The report on one piece of evidence.

    Attributes:
        kind: Its kind, in words.
        sections: Its content.
        checks: The tests and their findings.
    """

    kind: str
    sections: tuple[Section, ...]
    checks: tuple[DeviceCheck, ...]

    @property
    def failed(self) -> bool:
        """Whether a test failed."""
        return any(check.outcome is DeviceFinding.FAIL for check in self.checks)


def not_asked(checks: Sequence[DeviceCheck], missing: Mapping[str, str]) -> tuple[DeviceCheck, ...]:
    """Returns the tests; those without an input from the user become "not evaluated".

    Args:
        checks: The tests of a verifier, some made with placeholders.
        missing: Names of tests without an input, and the option that gives it.
    """
    return tuple(
        replace(
            check,
            outcome=DeviceFinding.NOT_EVALUATED,
            reason="NOTHING_TO_COMPARE_WITH",
            detail=f"give {missing[check.name]} to evaluate it",
            sign_of=None,
        )
        if check.name in missing and check.reason != "EVIDENCE_UNREADABLE"
        else check
        for check in checks
    )


def as_json(report: Report) -> dict[str, Any]:
    """Returns the report for programs."""
    return {
        "kind": report.kind,
        "said": {section.title: dict(section.rows) for section in report.sections},
        "checks": [
            {
                "name": check.name,
                "outcome": check.outcome.value,
                "reason": check.reason,
                "detail": check.detail,
                "sign_of": None if check.sign_of is None else check.sign_of.value,
                "soft": check.soft,
            }
            for check in report.checks
        ],
    }


def hexadecimal(data: bytes, *, most: int = 64) -> str:
    """Returns bytes in hexadecimal. Long ones are truncated, with their length."""
    text = data[:most].hex()
    return text if len(data) <= most else f"{text}... ({len(data)} bytes)"


def moment(at: datetime) -> str:
    """Returns a time for people."""
    return at.isoformat(sep=" ", timespec="seconds")
