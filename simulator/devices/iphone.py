"""iPhones: App Attest enrols a key once, and the key signs each later scan."""

from datetime import datetime
from typing import Final

from device_integrity import RuntimeKind, RuntimeReport
from device_integrity.camera import CameraClaim, CameraFacing, DeviceClaim, Platform
from simulator.devices.app_attest import AppAttestKey
from simulator.devices.device import AttestedUse, EvidenceMaker, TestDevice
from simulator.devices.evidence import AppAttestAssertion, AppAttestEnrolment, Evidence
from simulator.devices.platform import TestPlatform

__all__ = ["counter_replay", "honest_iphone", "key_farm"]

_NOTHING_FOUND: Final = RuntimeReport(looked_for=frozenset(RuntimeKind) - {RuntimeKind.OTHER})
_CAMERA: Final = CameraClaim(
    id="com.apple.avfoundation.avcapturedevice.built-in_video:1",
    label="Front TrueDepth Camera",
    facing=CameraFacing.FRONT,
    width=2560,
    height=1920,
    frames_per_second=15.0,
    sensor_orientation_degrees=270,
    hardware_level="builtInTrueDepthCamera",
    timestamp_source="host",
)


_KEYS_OF_A_FARM: Final = 60


def honest_iphone(platform: TestPlatform, use: AttestedUse) -> TestDevice:
    """Make an unmodified phone: its first scan enrols its key, and the others increase its counter."""

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        if use.counter is None:
            return (_enrolment(platform, platform.iphone_key, binding, now, use),)
        use.counter += 1
        return (_assertion(platform, binding, use.counter),)

    return _iphone(platform, make, use)


def counter_replay(platform: TestPlatform, use: AttestedUse) -> TestDevice:
    """Make a phone that repeats a counter: the first scan enrols its key, the others do not increase it."""

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        if use.counter is None:
            return (_enrolment(platform, platform.iphone_key, binding, now, use),)
        return (_assertion(platform, binding, use.counter),)

    return _iphone(platform, make, use)


def key_farm(platform: TestPlatform) -> TestDevice:
    """Make a phone that makes a key for every scan, as a phone that attests other people's scans does.

    Its receipt states how many keys it made. A real first receipt does not: Apple states the number only in
    the receipt that replaces it.
    """

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        key = AppAttestKey()
        return (_enrolment(platform, key, binding, now, use, risk_metric=_KEYS_OF_A_FARM),)

    return _iphone(platform, make, AttestedUse())


def _iphone(platform: TestPlatform, make_evidence: EvidenceMaker, use: AttestedUse) -> TestDevice:
    claim = DeviceClaim(
        platform=Platform.IOS,
        manufacturer="Apple",
        model="iPhone16,1",
        os_version="26.1",
        app_id=platform.app.bundle,
    )
    return TestDevice(
        claim=claim, camera=_CAMERA, make_evidence=make_evidence, report=_NOTHING_FOUND, use=use
    )


def _enrolment(
    platform: TestPlatform,
    key: AppAttestKey,
    binding: bytes,
    now: datetime,
    use: AttestedUse,
    *,
    risk_metric: int | None = None,
) -> AppAttestEnrolment:
    use.counter = 0
    app_id = platform.app.apple_id
    receipt = platform.apple.receipt(
        key, app_id=app_id, made=now, client_data_hash=binding, risk_metric=risk_metric
    )
    attestation = platform.apple.attestation(key, binding, app_id=app_id, receipt=receipt)
    return AppAttestEnrolment(key.key_id, attestation)


def _assertion(platform: TestPlatform, binding: bytes, counter: int) -> AppAttestAssertion:
    key = platform.iphone_key
    assertion = key.assertion(binding, app_id=platform.app.apple_id, counter=counter)
    return AppAttestAssertion(key.key_id, assertion)
