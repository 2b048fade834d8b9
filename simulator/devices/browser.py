"""Browsers, which sign each scan with a key that scripts cannot read."""

from datetime import datetime
from typing import Final

from device_integrity import RuntimeKind, RuntimeReport
from device_integrity.camera import CameraClaim, DeviceClaim, Platform
from facegate_protocol import attestation_message, public_key_der, sign
from simulator.devices.authority import new_key
from simulator.devices.device import AttestedUse, TestDevice
from simulator.devices.evidence import Evidence, WebCryptoProof
from simulator.devices.platform import TestPlatform

__all__ = ["honest_browser"]

_CAMERA: Final = CameraClaim(
    id="2f1a09c55d8eb34c", label="Integrated Camera (04f2:b6d0)", frames_per_second=15.0
)


def honest_browser(platform: TestPlatform) -> TestDevice:
    """Make a browser with the site's page and the computer's own camera."""
    key = new_key()

    def make(binding: bytes, now: datetime, use: AttestedUse) -> tuple[Evidence, ...]:
        del now, use
        signature = sign(key, attestation_message(binding=binding))
        return (WebCryptoProof(public_key_der(key.public_key()), signature, platform.app.origin),)

    claim = DeviceClaim(
        platform=Platform.WEB, os_version="Windows 11, Chrome 142", app_id=platform.app.origin
    )
    # A page can only detect whether a program drives its browser.
    report = RuntimeReport(looked_for=frozenset({RuntimeKind.AUTOMATION}))
    return TestDevice(claim=claim, camera=_CAMERA, make_evidence=make, report=report)
