"""Attestation: roots and keys that the settings name, and the age of the revocation list."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cli.doctor.finding import Deployment, Finding, failure, fine, warning
from device_integrity import ReferenceDataMalformed
from server.base.errors import ConfigurationError
from server.device.revocation import read_revocation_files
from server.device.server_keys import ServerKeyList
from server.device.trust import open_device_trust

__all__ = ["examine_attestation"]


async def examine_attestation(deployment: Deployment) -> list[Finding]:
    """Reads roots, keys and lists as a server does at its start."""
    return await asyncio.to_thread(lambda: list(_examine(deployment)))


def _examine(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings.device_integrity
    tls = deployment.settings.listeners.device.tls
    try:
        trust = open_device_trust(settings, now=lambda: datetime.now(UTC))
        trust.close()
        ServerKeyList(
            listed=[bytes.fromhex(key) for key in settings.proxy_spki_sha256],
            file=settings.server_keys_file,
            # The area `tls` examines the certificate; here it matters only whether there is one.
            shown=lambda: None if tls is None else bytes(32),
            complete=settings.server_keys == "complete",
            monotonic=time.monotonic,
        )
    except ConfigurationError as error:
        yield failure(
            "ROOTS_UNUSABLE",
            str(error),
            expected="readable roots and keys, as device_integrity names them",
            remedy="correct the files, or device_integrity",
        )
        return
    yield fine("ROOTS_READ", f"{len(trust.android_roots)} of Android, those of Apple")
    yield from _revocation(deployment)


def _revocation(deployment: Deployment) -> Iterator[Finding]:
    android = deployment.settings.device_integrity.android
    limit = timedelta(hours=android.max_revocation_age_hours)
    remedy = "facegate attest revocation, every few hours (cron)"
    if android.revocation_file is None:
        if android.apps:
            yield failure(
                "REVOCATION_LIST_MISSING",
                "device_integrity.android.revocation_file is not set, and Android apps are listed",
                expected="Google's list of revoked certificates; without it no key attestation is verified",
                remedy=remedy,
            )
        else:
            yield fine("REVOCATION_LIST_UNUSED", "no Android app and no list")
        return
    try:
        listed = read_revocation_files(android.revocation_file)
    except (OSError, ReferenceDataMalformed) as error:
        yield failure(
            "REVOCATION_LIST_UNUSABLE", str(error), expected="a list with its record", remedy=remedy
        )
        return
    age = deployment.now - listed.fetched_at
    found = f"{len(listed.entries)} entries, {age / timedelta(hours=1):.1f} hours old"
    if age > limit:
        make = warning if android.stale_revocation_is_soft else failure
        yield make(
            "REVOCATION_LIST_OLD",
            found,
            expected=f"at most {limit / timedelta(hours=1):.0f} hours",
            remedy=remedy,
        )
    elif age > limit / 2:
        yield warning(
            "REVOCATION_LIST_AGEING",
            found,
            expected=f"less than half of {limit / timedelta(hours=1):.0f} hours",
            remedy=remedy,
        )
    else:
        yield fine("REVOCATION_LIST_READ", found)
