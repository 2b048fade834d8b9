"""Simulated devices, honest and manipulated, under a test platform: their claims, streams and evidence."""

from simulator.devices.device import AttestedUse, StreamHabit, TestDevice
from simulator.devices.evidence import (
    AppAttestAssertion,
    AppAttestEnrolment,
    Evidence,
    KeyChain,
    PlayToken,
    WebCryptoProof,
)
from simulator.devices.kinds import KINDS, DeviceKind, KindOfDevice, make_device
from simulator.devices.platform import TestApp, TestPlatform

__all__ = [
    "KINDS",
    "AppAttestAssertion",
    "AppAttestEnrolment",
    "AttestedUse",
    "DeviceKind",
    "Evidence",
    "KeyChain",
    "KindOfDevice",
    "PlayToken",
    "StreamHabit",
    "TestApp",
    "TestDevice",
    "TestPlatform",
    "WebCryptoProof",
    "make_device",
]
