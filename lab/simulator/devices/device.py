"""A test device: its claims, the handling of its frames, its evidence, and the test platform behind it.

The evidence is the messages of ``facegate.v1.Attestation`` as plain data. The platform substitutes for
Google, Play and Apple, and the one app that they attest. With its seed one can make evidence of any device,
so that a server that trusts a test platform is for tests only.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, TypeAlias

from cryptography import x509

from device_integrity import RuntimeReport
from device_integrity.camera import CameraClaim, DeviceClaim
from facegate_protocol import sha256
from lab.simulator.devices.app_attest import AppAttestKey, TestApple
from lab.simulator.devices.authority import Authority, KeyPair, issue, name_of, new_key, spki_sha256
from lab.simulator.devices.keystore import Keystore
from lab.simulator.devices.play_tokens import TestPlay


@dataclass(frozen=True, slots=True)
class KeyChain:
    """Android key attestation.

    Attributes:
        certificates: DER, leaf first, root last.
        signature: Over the transcript's attestation message, ASN.1 DER.
    """

    certificates: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class PlayToken:
    """A classic Play Integrity token."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppAttestEnrolment:
    """App Attest for a new key: its identifier (32 bytes) and the attestation object (CBOR)."""

    key_id: bytes
    attestation_object: bytes


@dataclass(frozen=True, slots=True)
class AppAttestAssertion:
    """App Attest for an enrolled key: its identifier (32 bytes) and the assertion (CBOR)."""

    key_id: bytes
    assertion: bytes


@dataclass(frozen=True, slots=True)
class WebCryptoProof:
    """A browser's key.

    Attributes:
        public_key: SubjectPublicKeyInfo, DER.
        signature: Over the transcript's attestation message, ASN.1 DER.
    """

    public_key: bytes
    signature: bytes
    origin: str


Evidence: TypeAlias = KeyChain | PlayToken | AppAttestEnrolment | AppAttestAssertion | WebCryptoProof


_VALID_DAYS: Final = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class TestApp:
    """The identifiers of the app on each platform.

    Attributes:
        package: Android's name.
        certificate_digest: SHA-256 of its Android signing certificate, 32 bytes.
        apple_id: Team identifier, a dot, bundle identifier.
        rp_id: The web page's relying party.
        origin: The web page's origin.
    """

    __test__ = False  # not a test class, despite its name

    package: str = "org.facegate.test"
    certificate_digest: bytes = sha256(b"the test app's signing certificate")
    apple_id: str = "FACEGATE00.org.facegate.test"
    rp_id: str = "facegate.test"
    origin: str = "https://verify.facegate.test"

    @property
    def bundle(self) -> str:
        """Apple's name without the team."""
        return self.apple_id.partition(".")[2]


class TestPlatform:
    """The authorities of the test devices. The same seed and time give the same roots and keys."""

    __test__ = False  # not a test class, despite its name

    def __init__(self, *, seed: str, made: datetime) -> None:
        """Draw the keys.

        Args:
            seed: The seed of the keys; it must be secret if a server trusts the platform.
            made: Creation time, with a time zone; the certificates are valid from a day before to a year
                after.
        """
        self._seed = seed
        self.made = made
        self.valid = (made - timedelta(days=1), made + timedelta(days=_VALID_DAYS))
        self.app = TestApp()
        self.play = TestPlay(seed=f"{seed} play")
        self.apple = TestApple(seed=f"{seed} apple", valid=self.valid)

    @cached_property
    def phone(self) -> Keystore:
        """The keystore of an unmodified phone."""
        return self._keystore("phone", self._google_root)

    @cached_property
    def leaked(self) -> Keystore:
        """A keystore with an attestation key that leaked and is revoked."""
        return self._keystore("leaked", self._google_root)

    @cached_property
    def emulator(self) -> Keystore:
        """A keystore in software, under a root that no server knows."""
        return self._keystore("emulator", self._root("software"))

    @cached_property
    def iphone_key(self) -> AppAttestKey:
        """The iPhone's App Attest key."""
        return AppAttestKey(key=new_key(f"{self._seed} iphone"))

    @property
    def android_root_sha256(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo of the root under which phones are attested, 32 bytes."""
        return spki_sha256(self._google_root.key)

    def revocation_list(self) -> bytes:
        """The list of revoked attestation certificates in Google's JSON, with the leaked one."""
        serial = self.leaked.authorities[-1].certificate.serial_number
        entry = {"status": "REVOKED", "reason": "KEY_COMPROMISE"}
        return json.dumps({"entries": {f"{serial:x}": entry}}, indent=2).encode() + b"\n"

    @cached_property
    def _google_root(self) -> Authority:
        return self._root("google")

    def _root(self, whose: str) -> Authority:
        key = new_key(f"{self._seed} {whose} root")
        return Authority(key, self._issue(sha256(whose.encode())[:8].hex(), key, None))

    def _keystore(self, whose: str, root: Authority) -> Keystore:
        """Make a keystore with a key from the factory."""
        authorities = [root]
        for role in ("intermediate", "batch"):
            key = new_key(f"{self._seed} {whose} {role}")
            serial = sha256(f"{whose} {role}".encode())[:16].hex()
            authorities.append(Authority(key, self._issue(serial, key, authorities[-1])))
        return Keystore(tuple(authorities))

    def _issue(self, serial: str, key: KeyPair, issuer: Authority | None) -> x509.Certificate:
        title = None if issuer is None else "TEE"
        name = name_of(serial=serial, title=title)
        return issue(name, key, issuer, not_before=self.valid[0], not_after=self.valid[1])


@dataclass(slots=True)
class AttestedUse:
    """The state of a device's App Attest key from scan to scan.

    Attributes:
        counter: Number of signatures since the key was enrolled; ``None`` before.
    """

    counter: int | None = None


EvidenceMaker: TypeAlias = Callable[[bytes, datetime, AttestedUse], tuple[Evidence, ...]]
"""Makes evidence for a binding hash of 32 bytes, at a time with a time zone; it updates the state of the
key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHabit:
    """How a device changes the frames of its camera.

    Attributes:
        loop_frames: Number of frames that it keeps and repeats; 0 to send every frame.
        even_timing: Whether its capture times are exact multiples of one.
        constant_exposure: Whether it claims the same exposure for all frames.
    """

    loop_frames: int = 0
    even_timing: bool = False
    constant_exposure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDevice:
    """A device of one kind.

    Attributes:
        claim: Its claim about itself.
        habit: Its changes to frames.
        use: State of its App Attest key.
        report: The run-time findings of its app, and the searches for them.
    """

    __test__ = False  # not a test class, despite its name

    claim: DeviceClaim
    camera: CameraClaim
    make_evidence: EvidenceMaker
    report: RuntimeReport
    habit: StreamHabit = StreamHabit()
    use: AttestedUse = field(default_factory=AttestedUse)

    def evidence(self, binding: bytes, *, now: datetime) -> tuple[Evidence, ...]:
        """Make the evidence of the device.

        Args:
            binding: The evidence challenge E of the stream, 32 bytes, for which the evidence is made.
            now: The present time, with a time zone.
        """
        return self.make_evidence(binding, now, self.use)
