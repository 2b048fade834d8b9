"""Is the camera one that shows whatever its owner likes, by the names that it goes by?

High precision and little recall: the name is the client's to choose, and tools that rename a virtual camera
are public. A hit means something; a name without a hit means nothing, so it is no pass.
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
_VENDOR: Final = re.compile(r"vendorid[_ ](\d{1,5}) productid[_ ](\d{1,5})")


def check_name(camera: CameraClaim, *, fingerprints: CameraFingerprints) -> DeviceCheck:
    """Look for known virtual cameras in identifier, label and transport.

    Returns:
        ``camera.name``: FAIL for a listed camera, soft where honest people use it; NOT_EVALUATED where
        nothing is listed, as a name can be changed; UNAVAILABLE without any.
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
                    f'The camera calls itself "{" ".join(run)}", '
                    + ("which honest people use, too" if soft else "which shows whatever it is given")
                    + f" (list {fingerprints.version}).",
                    soft=soft,
                )
    device = next((one for text in texts for one in _usb_ids(text) if _captures(one, fingerprints)), None)
    webcam = any(contains_run(tokens, run) for tokens in seen for run in fingerprints.webcams)
    if device is not None and not webcam:
        return _failed(
            "CAPTURE_DEVICE",
            f"The camera's USB identifier {device} is of a device that captures a video signal "
            f"(list {fingerprints.version}).",
            soft=True,
        )
    if any(mixes_scripts(text) for text in texts):
        return _failed(
            "NAME_MIXES_SCRIPTS",
            "A word of the camera's name mixes letters of alphabets that look alike.",
            soft=True,
        )
    return DeviceCheck(
        name=_NAME,
        outcome=DeviceFinding.NOT_EVALUATED,
        reason="NAME_NOT_LISTED",
        detail=f"The camera's name is on no list ({fingerprints.version}); a name can be changed.",
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
    """Vendor and product as Chrome ("(534d:2109)") and macOS ("VendorID_21325 ProductID_8457") write them."""
    lowered = text.casefold()
    found = [f"{vendor}:{product}" for vendor, product in _USB.findall(lowered)]
    return found + [f"{int(vendor):04x}:{int(product):04x}" for vendor, product in _VENDOR.findall(lowered)]


def _captures(usb_id: str, fingerprints: CameraFingerprints) -> bool:
    return not fingerprints.capture_devices.isdisjoint({usb_id, f"{usb_id[:4]}:*"})
