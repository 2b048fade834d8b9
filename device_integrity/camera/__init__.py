"""Tests a device's claims about its camera and frames. A PASS proves nothing: a client can claim anything."""

from device_integrity.camera.claims import CameraClaim, CameraFacing, DeviceClaim, FrameClaim, Platform
from device_integrity.camera.fingerprints import (
    CameraFingerprints,
    check_device,
    check_name,
    load_fingerprints,
)
from device_integrity.camera.metadata import check_metadata, check_profile

__all__ = [
    "CameraClaim",
    "CameraFacing",
    "CameraFingerprints",
    "DeviceClaim",
    "FrameClaim",
    "Platform",
    "check_device",
    "check_metadata",
    "check_name",
    "check_profile",
    "load_fingerprints",
]
