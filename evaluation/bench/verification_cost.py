"""Measures the cost of verifying a device's evidence, compared with its signatures alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from device_integrity.android import (
    AllowedApp,
    ClassicKeys,
    KeyAttestationPolicy,
    PlayPolicy,
    PlayTokenKind,
    RevocationList,
    google_roots,
    open_classic_token,
    parse_payload,
    verify_key_attestation,
    verify_payload,
)
from evaluation.bench.call_time import seconds_per_call
from evaluation.bench.measurement import Measurement

__all__ = [
    "VerificationCase",
    "android_chain_case",
    "play_token_case",
    "verification_measurements",
    "verification_times",
]

_EVERY_PACK: Final = "every pack"
_MOST: Final = 4
_US: Final = 1e6
_MESSAGE: Final = bytes(80)


@dataclass(frozen=True, slots=True)
class VerificationCase:
    """One kind of evidence.

    Attributes:
        name: Name of the evidence, in a few words.
        bare: Verifies only its signatures.
        full: Verifies all of it.
    """

    name: str
    bare: Callable[[], object]
    full: Callable[[], object]


def android_chain_case(chain: Sequence[bytes], *, now: datetime) -> VerificationCase:
    """Make the case of a key attestation under Google's roots.

    Args:
        chain: DER certificates, leaf first, root last; each is signed by the next one.
        now: When to verify it.
    """
    certificates = [x509.load_der_x509_certificate(data) for data in chain]
    policy = KeyAttestationPolicy(
        apps=(AllowedApp(package="org.example.bank", certificate_digests=frozenset()),)
    )
    roots, revocation = google_roots(), RevocationList(entries={}, fetched_at=now)

    def bare() -> None:
        for certificate, issuer in pairwise(certificates):
            certificate.verify_directly_issued_by(issuer)

    def full() -> None:
        verify_key_attestation(
            certificate_chain=chain,
            challenge=b"challenge",
            possession=None,
            policy=policy,
            roots=roots,
            revocation=revocation,
            now=now,
        )

    return VerificationCase(f"Android chain of {len(chain)}", bare, full)


def play_token_case(token: str, *, keys: ClassicKeys, now: datetime) -> VerificationCase:
    """Make the case of a classic Play Integrity token, which is decrypted, read and judged.

    Args:
        token: The token.
        keys: Its decryption and verification keys.
        now: When to verify it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    signature, public = key.sign(_MESSAGE, ec.ECDSA(SHA256())), key.public_key()
    policy = PlayPolicy(apps=())

    def bare() -> None:
        public.verify(signature, _MESSAGE, ec.ECDSA(SHA256()))

    def full() -> None:
        payload = parse_payload(open_classic_token(token, keys=keys))
        verify_payload(payload, kind=PlayTokenKind.CLASSIC, challenge=_MESSAGE, policy=policy, now=now)

    return VerificationCase("Play token, classic", bare, full)


def verification_times(
    case: VerificationCase, *, runs: int, repeats: int = 200
) -> tuple[tuple[float, float], ...]:
    """Measure the CPU seconds of the bare and the full verification: a pair per run, after a warm-up run.

    Args:
        case: The evidence.
        runs: Number of pairs.
        repeats: Number of verifications of each kind in a run.
    """
    pairs = [
        (seconds_per_call(case.bare, repeats), seconds_per_call(case.full, repeats)) for _ in range(runs + 1)
    ]
    return tuple(pairs[1:])


def verification_measurements(
    times: Mapping[str, Sequence[tuple[float, float]]],
) -> tuple[Measurement, ...]:
    """Make measurements of the times.

    Args:
        times: Pairs from ``verification_times``, by case.

    Raises:
        NothingMeasured: There are no times.
    """
    measurements: list[Measurement] = []
    for name, pairs in times.items():
        measurements += [
            Measurement(
                pack=_EVERY_PACK,
                name="evidence verified / its signatures",
                load=name,
                unit="",
                meaning="CPU time of verifying all of it, divided by that of verifying its signatures alone "
                f"in the same run; {_MOST} at most is the target.",
                values=tuple(full / bare for bare, full in pairs),
            ),
            Measurement(
                pack=_EVERY_PACK,
                name="evidence verified",
                load=name,
                unit="us",
                meaning="CPU time of verifying it once.",
                values=tuple(_US * full for _, full in pairs),
            ),
        ]
    return tuple(measurements)
