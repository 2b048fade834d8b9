"""The suite of device evidence: its verification, compared with that of its signatures alone."""

import asyncio
import json
import os
import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.bench.setting import Bench
from cli.errors import BenchFailed
from device_integrity import DeviceIntegrityError
from device_integrity.android import load_classic_keys
from evaluation.bench import (
    Measurement,
    VerificationCase,
    android_chain_case,
    app_attest_case,
    play_token_case,
    verification_measurements,
    verification_times,
)

__all__ = ["evidence_cases", "measure_attestations"]

_ASSETS: Final = "FACEGATE_TEST_ASSETS"
_FOLDER: Final = "data/attestation"
_CHAIN: Final = "android_key/google_keyattestation/invalid/malformed_rot_device_locked.pem"
"""A genuine locked phone. One octet in its description is unusual."""
_WHEN: Final = datetime(2026, 2, 13, 15, 8, 20, tzinfo=UTC)
_APP_ATTEST: Final = "app_attest/apple/apple_documented_sample.json"
_APP_ATTEST_WHEN: Final = datetime(2024, 4, 18, 12, tzinfo=UTC)
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


async def measure_attestations(bench: Bench) -> tuple[Measurement, ...]:
    """Measures real evidence of the test assets; measures nothing without them.

    Raises:
        BenchFailed: The evidence cannot be read.
    """
    assets = os.environ.get(_ASSETS)
    if not assets:
        return ()
    bench.say("device evidence")
    try:
        cases = await asyncio.to_thread(evidence_cases, Path(assets))
    except (OSError, ValueError, KeyError, DeviceIntegrityError) as error:
        raise BenchFailed(f"device evidence cannot be measured: {error}") from error
    return verification_measurements(
        {
            case.name: await asyncio.to_thread(verification_times, case, runs=bench.effort.runs)
            for case in cases
        }
    )


def evidence_cases(assets: Path) -> Sequence[VerificationCase]:
    """Returns the cases to measure.

    Args:
        assets: The folder of test assets.

    Raises:
        OSError: A file is missing.
        ValueError: A file has changed.
        KeyError: A file has changed.
        DeviceIntegrityError: A file has changed.
    """
    folder = assets / _FOLDER
    text = (folder / _CHAIN).read_text(encoding="utf-8")
    minted = json.loads((folder / "play_integrity/minted_keys.json").read_text(encoding="utf-8"))
    keys = load_classic_keys(
        decryption_key=minted["decryption_key_b64_std"],
        verification_key=minted["verification_key_spki_b64_std"],
    )
    sample = json.loads((folder / _APP_ATTEST).read_text(encoding="utf-8"))
    token = (folder / "play_integrity/token_classic.jwe").read_text(encoding="utf-8").strip()
    return (
        android_chain_case([b64decode(match[1]) for match in _CERTIFICATE.finditer(text)], now=_WHEN),
        play_token_case(token, keys=keys, now=_WHEN),
        app_attest_case(
            b64decode(sample["attestation"]),
            key_id=b64decode(sample["keyId"]),
            # Apple's sample uses its challenge without hashing.
            client_data_hash=sample["clientDataHash_is_raw_challenge"].encode(),
            app_id=sample["appId"],
            now=_APP_ATTEST_WHEN,
        ),
    )
