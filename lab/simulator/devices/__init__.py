"""Simulated devices, honest and manipulated, under a test platform: their claims, streams and evidence."""

from lab.simulator.devices.device import AttestedUse, TestDevice, TestPlatform
from lab.simulator.devices.folder import (
    POLICY_NAME,
    REVOCATION_FILE,
    SETTINGS_FILE,
    StoredPlatform,
    open_stored_device,
    policy_text,
    read_platform,
    settings_text,
    write_platform_files,
)
from lab.simulator.devices.kinds import KINDS, DeviceKind, make_device

__all__ = [
    "KINDS",
    "POLICY_NAME",
    "REVOCATION_FILE",
    "SETTINGS_FILE",
    "AttestedUse",
    "DeviceKind",
    "StoredPlatform",
    "TestDevice",
    "TestPlatform",
    "make_device",
    "open_stored_device",
    "policy_text",
    "read_platform",
    "settings_text",
    "write_platform_files",
]
