"""Tests whether a camera's names are those of a known virtual camera.

The test misses many virtual cameras: the device states the name, and tools that rename a virtual camera are
public. A name that is not listed therefore proves nothing: the finding is NOT_EVALUATED, not PASS.
"""

import re
from typing import Final

from device_integrity.camera.claims import CameraClaim
from device_integrity.camera.fingerprints import CameraFingerprints
from device_integrity.camera.tokens import contains_run, mixes_scripts, tokens_of
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

__all__ = ["check_name"]

_NAME: Final = "camera.name"
_USB: Final = re.compile(r"(?:^|[^0-9a-f])([0-9a-f]{4}):([0-9a-f]{4})(?![0-9a-f])")
_VIDEO_FILE: Final = re.compile(r"\.(?:y4m|mjpe?g)\s*$", re.IGNORECASE)
"""The label of Chromium's fake camera is the path of the file that it plays (the switch
``--use-file-for-fake-video-capture``)."""
_VENDOR: Final = re.compile(r"vendorid[_ ](\d{1,5}) productid[_ ](\d{1,5})")


def check_name(camera: CameraClaim, *, fingerprints: CameraFingerprints) -> DeviceCheck:
    """Searches identifier, label and transport for known virtual cameras.

    Returns:
        ``camera.name``: FAIL for a listed camera (soft if honest people use it too) and for the name of a
        video file; a soft FAIL for a word that mixes alphabets. NOT_EVALUATED if no name is listed, because
        names can be changed. UNAVAILABLE without any name.
    """
    texts = [text for text in (camera.label, camera.id, camera.transport) if text]
    if not texts:
        return DeviceCheck(
            name=_NAME,
            outcome=DeviceFinding.UNAVAILABLE,
            reason="NO_NAME",
            detail="The device gave its camera no label, identifier or transport.",
        )
    seen = [tokens_of(text) for text in texts]
    for soft, listed in ((False, fingerprints.hard_cameras), (True, fingerprints.soft_cameras)):
        for run in listed:
            if any(contains_run(tokens, run) for tokens in seen):
                return _failed(
                    "KNOWN_FILTER_CAMERA" if soft else "KNOWN_VIRTUAL_CAMERA",
                    f'The camera states the name "{" ".join(run)}" '
                    + ("of a camera that honest people use too" if soft else "of a virtual camera")
                    + f" (list {fingerprints.version}).",
                    soft=soft,
                )
    if any(_VIDEO_FILE.search(text) for text in texts):
        return _failed(
            "KNOWN_VIRTUAL_CAMERA",
            "The camera states the name of a video file, as a browser's fake camera does.",
            soft=False,
        )
    device = next((one for text in texts for one in _usb_ids(text) if _captures(one, fingerprints)), None)
    webcam = any(contains_run(tokens, run) for tokens in seen for run in fingerprints.webcams)
    if device is not None and not webcam:
        return _failed(
            "CAPTURE_DEVICE",
            f"The camera's USB identifier {device} is that of a device that captures a video signal "
            f"(list {fingerprints.version}).",
            soft=True,
        )
    if any(mixes_scripts(text) for text in texts):
        return _failed(
            "NAME_MIXES_SCRIPTS",
            "A word of the camera's name mixes letters of alphabets that resemble each other.",
            soft=True,
        )
    return DeviceCheck(
        name=_NAME,
        outcome=DeviceFinding.NOT_EVALUATED,
        reason="NAME_NOT_LISTED",
        detail=f"No list ({fingerprints.version}) contains the camera's name; a name can be changed.",
    )


def _failed(reason: str, detail: str, *, soft: bool) -> DeviceCheck:
    return DeviceCheck(
        name=_NAME,
        outcome=DeviceFinding.FAIL,
        reason=reason,
        detail=detail,
        sign_of=Manipulation.VIRTUAL_CAMERA,
        soft=soft,
    )


def _usb_ids(text: str) -> list[str]:
    """Returns USB identifiers, from Chrome's "(534d:2109)" or macOS's "VendorID_21325 ProductID_8457"."""
    lowered = text.casefold()
    found = [f"{vendor}:{product}" for vendor, product in _USB.findall(lowered)]
    return found + [f"{int(vendor):04x}:{int(product):04x}" for vendor, product in _VENDOR.findall(lowered)]


def _captures(usb_id: str, fingerprints: CameraFingerprints) -> bool:
    return not fingerprints.capture_devices.isdisjoint({usb_id, f"{usb_id[:4]}:*"})
