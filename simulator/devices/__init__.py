"""Simulated devices, honest and manipulated, under a test platform: their claims, streams and evidence."""

from simulator.devices.device import AttestedUse, TestDevice, TestPlatform
from simulator.devices.kinds import KINDS, DeviceKind, make_device

__all__ = [
    "KINDS",
    "AttestedUse",
    "DeviceKind",
    "TestDevice",
    "TestPlatform",
    "make_device",
]
