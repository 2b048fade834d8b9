"""What is told of a piece of evidence: what it says, in rows, and what became of each check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cli.sections import Section
from device_integrity.apple import Environment
from device_integrity.check import DeviceCheck, DeviceFinding

__all__ = ["Given", "Report", "as_json", "hexadecimal", "moment", "not_asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user gave to hold the evidence against; ``None`` or empty where nothing was given.

    Attributes:
        at: The time to judge at.
        challenge: What the evidence has to answer to, bytes.
        apps: Apple's application identifiers; for Android and Play, package names with ``@`` and the
            SHA-256 of a signing certificate in hexadecimal.
        environment: Of App Attest.
        key_id: The identifier that was sent with the evidence.
        public_key: Of an enrolled key, SubjectPublicKeyInfo, DER.
        counter: The last one seen, of an enrolled key.
        max_age: How old a receipt may be.
        most_keys: The greatest risk metric of a receipt that raises no doubt.
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
    """Everything about one piece of evidence.

    Attributes:
        kind: What it is, in words.
        sections: What it says.
        checks: What became of each check.
    """

    kind: str
    sections: tuple[Section, ...]
    checks: tuple[DeviceCheck, ...]

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(check.outcome is DeviceFinding.FAIL for check in self.checks)


def not_asked(checks: Sequence[DeviceCheck], missing: Mapping[str, str]) -> tuple[DeviceCheck, ...]:
    """The checks, but for those that were made against nothing that the user gave.

    Args:
        checks: Of a verifier that had to be given something.
        missing: Names of checks, and the option that they lack.
    """
    return tuple(
        replace(
            check,
            outcome=DeviceFinding.NOT_EVALUATED,
            reason="NOTHING_TO_COMPARE_WITH",
            detail=f"give {missing[check.name]} to check it",
            sign_of=None,
        )
        if check.name in missing and check.reason != "EVIDENCE_UNREADABLE"
        else check
        for check in checks
    )


def as_json(report: Report) -> dict[str, Any]:
    """The same for programs."""
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
    """Bytes for people: long ones are cut, and their length is told."""
    text = data[:most].hex()
    return text if len(data) <= most else f"{text}... ({len(data)} bytes)"


def moment(at: datetime) -> str:
    """A time for people."""
    return at.isoformat(sep=" ", timespec="seconds")
