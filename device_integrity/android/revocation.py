"""Google's list of attestation certificates that are no longer trusted.

The list is JSON: developer.android.com, "Verify hardware-backed key pairs with key attestation",
"Certificate revocation status list". The server fetches the list and passes it in.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from device_integrity.android.chain import ANDROID_KEY, Certificate
from device_integrity.device_test import DeviceTest, Manipulation
from device_integrity.errors import ReferenceDataMalformed

MAX_LIST_BYTES: Final = 16 * 1024 * 1024
MAX_LIST_ENTRIES: Final = 200_000

_CHECK: Final = "revocation"
_MAX_KEY_CHARACTERS: Final = 128
_CLOCK_SKEW: Final = timedelta(minutes=10)


class RevocationStatus(StrEnum):
    """The status of a listed certificate. No listed certificate is trusted."""

    REVOKED = "REVOKED"
    SUSPENDED = "SUSPENDED"
    """Not trusted for now, but not finally revoked."""
    OTHER = "OTHER"
    """A status that this release does not know. The list has no entries for trusted certificates."""


_WORDS: Final = {
    RevocationStatus.REVOKED: "revoked",
    RevocationStatus.SUSPENDED: "suspended",
    RevocationStatus.OTHER: "listed with an unknown status",
}
_STATUSES: Final = {status.value: status for status in RevocationStatus}


@dataclass(frozen=True, slots=True)
class RevocationEntry:
    """One certificate of the list.

    Attributes:
        reason: Google's reason: KEY_COMPROMISE, CA_COMPROMISE, SUPERSEDED, SOFTWARE_FLAW, or another
            word; empty if the list gives none.
    """

    status: RevocationStatus
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """The list, as fetched at one time.

    Attributes:
        entries: The entries by serial number, in lowercase and without leading zeros. Most serial numbers
            are hexadecimal, some decimal, and nothing distinguishes them.
    """

    entries: Mapping[str, RevocationEntry]
    fetched_at: datetime

    def find(self, certificate: Certificate) -> RevocationEntry | None:
        """Return the entry of a certificate, by its serial number or the serial numbers in its subject."""
        serial = certificate.serial
        for key in (format(serial, "x"), str(serial), *map(_normal, certificate.subject_serials)):
            if (entry := self.entries.get(key)) is not None:
                return entry
        return None


def parse_revocation_list(data: bytes, *, fetched_at: datetime) -> RevocationList:
    """Read the list as Google publishes it.

    Args:
        data: JSON; at most 16 MiB and 200,000 entries.
        fetched_at: When the list was fetched, with a time zone.

    Raises:
        ReferenceDataMalformed: The list is too long, is not JSON in UTF-8, is empty, has a key twice or an
            entry without a status, or has another form than Google publishes.
    """
    if len(data) > MAX_LIST_BYTES:
        raise ReferenceDataMalformed(f"the revocation list has more than {MAX_LIST_BYTES} bytes")
    try:
        document: Any = json.loads(data.decode("utf-8"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise ReferenceDataMalformed("the revocation list is not JSON") from error
    raw = document.get("entries") if isinstance(document, dict) else None
    if not isinstance(raw, dict):
        raise ReferenceDataMalformed("the revocation list has no object `entries`")
    if not raw:
        raise ReferenceDataMalformed("the revocation list has no entries, but Google's list is never empty")
    if len(raw) > MAX_LIST_ENTRIES:
        raise ReferenceDataMalformed(f"the revocation list has more than {MAX_LIST_ENTRIES} entries")
    return RevocationList(
        entries={_key(key): _entry(value) for key, value in raw.items()}, fetched_at=fetched_at
    )


def check_revocation(
    certificates: Iterable[Certificate],
    *,
    revocation: RevocationList | None,
    max_age: timedelta,
    now: datetime,
) -> DeviceTest:
    """Test whether a certificate of the chain is in the list.

    It is UNAVAILABLE without a list, and if the list is older than ``max_age`` and names no certificate of
    the chain.
    """
    if revocation is None:
        return ANDROID_KEY.unavailable(_CHECK, "NO_REVOCATION_LIST", "the server has no revocation list")
    for place, certificate in enumerate(certificates):
        if (entry := revocation.find(certificate)) is not None:
            because = f", {entry.reason}" if entry.reason.isidentifier() else ""
            detail = f"certificate {place} is {_WORDS[entry.status]}{because}"
            return ANDROID_KEY.failed(
                _CHECK,
                f"KEY_{entry.status}" if entry.status is not RevocationStatus.OTHER else "KEY_LISTED",
                detail,
                Manipulation.ROOTED,
            )
    age = now - revocation.fetched_at
    if not -_CLOCK_SKEW <= age <= max_age:
        detail = f"the revocation list is {_hours(age)} hours old; at most {_hours(max_age)} are allowed"
        return ANDROID_KEY.unavailable(_CHECK, "REVOCATION_LIST_STALE", detail)
    return ANDROID_KEY.passed(_CHECK, "NOT_REVOKED", "no certificate of the chain is in the revocation list")


def _hours(span: timedelta) -> int:
    return round(span.total_seconds() / 3600)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the object has a key twice")
    return found


def _normal(key: str) -> str:
    return key.strip().lower().lstrip("0")


def _key(key: str) -> str:
    if not 0 < len(key) <= _MAX_KEY_CHARACTERS:
        raise ReferenceDataMalformed("a serial number in the revocation list is empty or too long")
    return _normal(key)


def _entry(value: Any) -> RevocationEntry:
    if not isinstance(value, dict):
        raise ReferenceDataMalformed("an entry of the revocation list is not an object")
    word = value.get("status")
    if not isinstance(word, str):
        raise ReferenceDataMalformed("an entry of the revocation list has no status")
    status = _STATUSES.get(word, RevocationStatus.OTHER)
    reason = value.get("reason", "")
    return RevocationEntry(status, reason if isinstance(reason, str) else "")
