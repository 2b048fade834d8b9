"""Android phones, honest and manipulated, with a key attestation and a Play token for each scan."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from device_integrity import RuntimeKind, RuntimeReport
from device_integrity.camera import CameraClaim, CameraFacing, DeviceClaim, Platform
from facegate_protocol import attestation_message, sha256, sign
from simulator.devices.authority import new_key
from simulator.devices.device import AttestedUse, EvidenceMaker, TestDevice
from simulator.devices.evidence import Evidence, KeyChain, PlayToken
from simulator.devices.key_description import Description, RootOfTrust
from simulator.devices.keystore import Keystore
from simulator.devices.platform import TestPlatform
from simulator.devices.play_tokens import SOUND_LABELS, integrity_payload

__all__ = [
    "emulator",
    "honest_phone",
    "phone_of_another_session",
    "relaying_phone",
    "repackaged_app",
    "revoked_key",
    "unlocked_phone",
]

_VERSION: Final = 16
_MODEL: Final = "Pixel 8"
_FALSE: Final = b"\x01\x01\x00"
_UNVERIFIED: Final = 2
_OTHER_SCAN: Final = sha256(b"the binding hash of another scan")
_ATTACKERS_CERTIFICATE: Final = sha256(b"the signing certificate of whoever repackaged the app")

_NOTHING_FOUND: Final = RuntimeReport(looked_for=frozenset(RuntimeKind) - {RuntimeKind.OTHER})
_CAMERA: Final = CameraClaim(
    id="1",
    label="front",
    facing=CameraFacing.FRONT,
    width=2560,
    height=1920,
    frames_per_second=15.0,
    sensor_orientation_degrees=270,
    hardware_level="LEVEL_3",
    focal_lengths_mm=(2.74,),
    timestamp_source="boottime",
)


def honest_phone(platform: TestPlatform) -> TestDevice:
    """Make an unmodified phone with the published app."""
    return _phone(platform, _evidence(platform))


def unlocked_phone(platform: TestPlatform) -> TestDevice:
    """Make a phone with an unlocked boot loader and an unknown system."""
    booted = RootOfTrust(locked=_FALSE, state=_UNVERIFIED)
    return _phone(platform, _evidence(platform, root_of_trust=booted, labels=SOUND_LABELS[:1]))


def repackaged_app(platform: TestPlatform) -> TestDevice:
    """Make an unmodified phone with an app that was changed and signed again."""
    changed = _evidence(platform, digest=_ATTACKERS_CERTIFICATE, recognition="UNRECOGNIZED_VERSION")
    return _phone(platform, changed)


def emulator(platform: TestPlatform) -> TestDevice:
    """Make an emulator, with a software keystore under a root that no server trusts."""
    device = _phone(
        platform,
        _evidence(
            platform,
            keystore=platform.emulator,
            level=0,
            root_of_trust=RootOfTrust(locked=_FALSE, state=_UNVERIFIED),
            labels=(),
        ),
    )
    return replace(
        device,
        claim=replace(device.claim, model="sdk_gphone64_x86_64"),
        camera=replace(device.camera, label="Emulated Camera", hardware_level="LIMITED"),
    )


def revoked_key(platform: TestPlatform) -> TestDevice:
    """Make a device that attests any claim with a key that leaked from a phone and is revoked."""
    return _phone(platform, _evidence(platform, keystore=platform.leaked))


def phone_of_another_session(platform: TestPlatform) -> TestDevice:
    """Make a phone that repeats its evidence of another scan, with its own keys."""
    return _phone(platform, _evidence(platform, made_for=_OTHER_SCAN))


def relaying_phone(platform: TestPlatform) -> TestDevice:
    """Make an attacker's phone that relays the evidence of a clean phone's scan, without its key."""
    relayed = _evidence(platform, made_for=_OTHER_SCAN, holds_key=False)
    device = _phone(platform, relayed)
    return replace(device, claim=replace(device.claim, model="Pixel 6", os_version="13"))


def _phone(platform: TestPlatform, make_evidence: EvidenceMaker) -> TestDevice:
    claim = DeviceClaim(
        platform=Platform.ANDROID,
        manufacturer="Google",
        model=_MODEL,
        os_version=str(_VERSION),
        app_id=platform.app.package,
    )
    return TestDevice(claim=claim, camera=_CAMERA, make_evidence=make_evidence, report=_NOTHING_FOUND)


def _evidence(
    platform: TestPlatform,
    *,
    keystore: Keystore | None = None,
    level: int = 1,
    root_of_trust: RootOfTrust | None = None,
    digest: bytes | None = None,
    recognition: str = "PLAY_RECOGNIZED",
    labels: tuple[str, ...] = SOUND_LABELS,
    made_for: bytes | None = None,
    holds_key: bool = True,
) -> EvidenceMaker:
    """Make an attestation and a token; each argument replaces a valid part."""
    digest = digest or platform.app.certificate_digest

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        del use
        challenge = made_for or binding
        description = Description(
            challenge=challenge,
            attestation_level=level,
            keymint_level=level,
            packages=(platform.app.package,),
            digests=(digest,),
            root_of_trust=root_of_trust or RootOfTrust(),
            patch_level=now.year * 100 + now.month,
            os_version=_VERSION * 10_000,
        )
        key, chain = (keystore or platform.phone).attest(description)
        signing = key if holds_key else new_key()
        token = integrity_payload(
            package=platform.app.package,
            digest=digest,
            nonce=challenge,
            at=now,
            recognition=recognition,
            labels=labels,
            sdk_version=_VERSION + 20,
        )
        return (
            KeyChain(
                certificates=tuple(certificate.public_bytes(Encoding.DER) for certificate in chain),
                signature=sign(signing, attestation_message(binding=binding)),
            ),
            PlayToken(platform.play.token(token)),
        )

    return make
