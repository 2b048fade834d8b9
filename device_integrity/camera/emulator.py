"""Is the device one in software, by what it says of itself?"""

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
    """Look for the marks of emulators.

    Returns:
        ``device.emulator``: FAIL for a listed mark; NOT_EVALUATED where nothing is listed, as a device can
        lie; UNAVAILABLE where it says nothing of itself.
    """
    texts = [text for text in (device.manufacturer, device.model, device.os_version) if text]
    if not texts:
        return DeviceCheck(
            name=_EMULATOR,
            outcome=DeviceFinding.UNAVAILABLE,
            reason="NO_DEVICE_DESCRIPTION",
            detail="The device named neither manufacturer, model nor operating system.",
        )
    seen = [tokens_of(text) for text in texts]
    names = [tokens_of(text) for text in (camera.id, camera.label)]
    # A desktop's model is its processor's, such as x86_64.
    soft = fingerprints.soft_emulators if device.platform.is_phone else ()
    for run in fingerprints.hard_emulators:
        if any(contains_run(tokens, run) for tokens in seen):
            return _is_emulator("KNOWN_EMULATOR", f'The device calls itself "{" ".join(run)}".', soft=False)
    if device.platform is Platform.ANDROID:
        for run in fingerprints.emulator_cameras:
            # An identifier as a whole: "0" and "1" are real.
            if run in names:
                return _is_emulator("EMULATOR_CAMERA", f'The camera is "{" ".join(run)}".', soft=False)
    for run in soft:
        if any(contains_run(tokens, run) for tokens in seen):
            return _is_emulator(
                "EMULATOR_WORDING", f'The device\'s description has "{" ".join(run)}".', soft=True
            )
    return DeviceCheck(
        name=_EMULATOR,
        outcome=DeviceFinding.NOT_EVALUATED,
        reason="DEVICE_NOT_LISTED",
        detail=f"The device is on no list ({fingerprints.version}); a device can lie.",
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
