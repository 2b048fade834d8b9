"""Tests whether a device's own description is that of an emulator."""

from typing import Final

from device_integrity.camera.claims import CameraClaim, DeviceClaim, Platform
from device_integrity.camera.fingerprints import CameraFingerprints
from device_integrity.camera.tokens import contains_run, tokens_of
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

__all__ = ["check_device"]

_EMULATOR: Final = "device.emulator"


def check_device(
    device: DeviceClaim, camera: CameraClaim, *, fingerprints: CameraFingerprints
) -> DeviceCheck:
    """Searches the descriptions of a device and its camera for words that emulators use.

    Returns:
        ``device.emulator``: FAIL for a listed word; NOT_EVALUATED without one, because a device can lie;
        UNAVAILABLE if the device does not describe itself.
    """
    texts = [text for text in (device.manufacturer, device.model, device.os_version) if text]
    if not texts:
        return DeviceCheck(
            name=_EMULATOR,
            outcome=DeviceFinding.UNAVAILABLE,
            reason="NO_DEVICE_DESCRIPTION",
            detail="The device states no manufacturer, model or operating system.",
        )
    seen = [tokens_of(text) for text in texts]
    names = [tokens_of(text) for text in (camera.id, camera.label)]
    # A desktop states its processor as its model, such as x86_64.
    soft = fingerprints.soft_emulators if device.platform.is_phone else ()
    for run in fingerprints.hard_emulators:
        if any(contains_run(tokens, run) for tokens in seen):
            return _is_emulator(
                "KNOWN_EMULATOR", f'The device states the name "{" ".join(run)}".', soft=False
            )
    if device.platform is Platform.ANDROID:
        for run in fingerprints.emulator_cameras:
            # Whole identifiers only: real cameras are called "0" and "1".
            if run in names:
                return _is_emulator("EMULATOR_CAMERA", f'The camera is "{" ".join(run)}".', soft=False)
    for run in soft:
        if any(contains_run(tokens, run) for tokens in seen):
            return _is_emulator(
                "EMULATOR_WORDING", f'The device\'s description contains "{" ".join(run)}".', soft=True
            )
    return DeviceCheck(
        name=_EMULATOR,
        outcome=DeviceFinding.NOT_EVALUATED,
        reason="DEVICE_NOT_LISTED",
        detail=f"No list of emulators ({fingerprints.version}) contains the device; a device can lie.",
    )


def _is_emulator(reason: str, detail: str, *, soft: bool) -> DeviceCheck:
    return DeviceCheck(
        name=_EMULATOR,
        outcome=DeviceFinding.FAIL,
        reason=reason,
        detail=detail,
        sign_of=Manipulation.EMULATOR,
        soft=soft,
    )
