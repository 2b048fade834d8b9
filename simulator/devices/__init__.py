"""Simulated devices, honest and manipulated, under a test platform: their claims, streams and evidence."""

from simulator.devices.device import (
    AppAttestAssertion,
    AppAttestEnrolment,
    AttestedUse,
    Evidence,
    KeyChain,
    PlayToken,
    StreamHabit,
    TestApp,
    TestDevice,
    TestPlatform,
    WebCryptoProof,
)
from simulator.devices.kinds import KINDS, DeviceKind, KindOfDevice, make_device

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
