"""The test platform: a Google, a Play and an Apple of our own, and the one app that they all know.

Whoever has the seed can make evidence of any device: a server that trusts a test platform is one for tests.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from cryptography import x509

from facegate_protocol import sha256
from simulator.devices.app_attest import AppAttestKey, TestApple
from simulator.devices.authority import Authority, KeyPair, issue, name_of, new_key, spki_sha256
from simulator.devices.keystore import Keystore
from simulator.devices.play_tokens import TestPlay

__all__ = ["TestApp", "TestPlatform"]

_VALID_DAYS: Final = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class TestApp:
    """The app as each platform knows it.

    Attributes:
        package: Android's name.
        certificate_digest: SHA-256 of its Android signing certificate, 32 bytes.
        apple_id: Team identifier, a dot, bundle identifier.
        rp_id: The web page's relying party.
        origin: The web page's origin.
    """

    __test__ = False  # no test class, whatever pytest thinks of its name

    package: str = "org.facegate.test"
    certificate_digest: bytes = sha256(b"the test app's signing certificate")
    apple_id: str = "FACEGATE00.org.facegate.test"
    rp_id: str = "facegate.test"
    origin: str = "https://verify.facegate.test"

    @property
    def bundle(self) -> str:
        """Apple's name without the team."""
        return self.apple_id.partition(".")[2]


class TestPlatform:
    """All that test devices are made under. The same seed and time give the same roots and keys."""

    __test__ = False  # no test class, whatever pytest thinks of its name

    def __init__(self, *, seed: str, made: datetime) -> None:
        """Draws the keys.

        Args:
            seed: Secret where servers trust the platform.
            made: From a day before until a year after, its certificates are valid; with a time zone.
        """
        self._seed = seed
        self.made = made
        self.valid = (made - timedelta(days=1), made + timedelta(days=_VALID_DAYS))
        self.app = TestApp()
        self.play = TestPlay(seed=f"{seed} play")
        self.apple = TestApple(seed=f"{seed} apple", valid=self.valid)

    @cached_property
    def phone(self) -> Keystore:
        """The keystore of a phone as it is sold."""
        return self._keystore("phone", self._google_root)

    @cached_property
    def leaked(self) -> Keystore:
        """A keystore whose attestation key got into other hands, and is revoked."""
        return self._keystore("leaked", self._google_root)

    @cached_property
    def emulator(self) -> Keystore:
        """A keystore in software, under a root that no server knows."""
        return self._keystore("emulator", self._root("software"))

    @cached_property
    def iphone_key(self) -> AppAttestKey:
        """The iPhone's App Attest key."""
        return AppAttestKey(key=new_key(f"{self._seed} iphone"))

    @property
    def android_root_sha256(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo of the root under which phones are attested, 32 bytes."""
        return spki_sha256(self._google_root.key)

    def revocation_list(self) -> bytes:
        """The list of revoked attestation certificates in Google's JSON: the leaked one is in it."""
        serial = self.leaked.authorities[-1].certificate.serial_number
        entry = {"status": "REVOKED", "reason": "KEY_COMPROMISE"}
        return json.dumps({"entries": {f"{serial:x}": entry}}, indent=2).encode() + b"\n"

    @cached_property
    def _google_root(self) -> Authority:
        return self._root("google")

    def _root(self, whose: str) -> Authority:
        key = new_key(f"{self._seed} {whose} root")
        return Authority(key, self._issue(sha256(whose.encode())[:8].hex(), key, None))

    def _keystore(self, whose: str, root: Authority) -> Keystore:
        """A keystore whose key was put in at the factory."""
        authorities = [root]
        for role in ("intermediate", "batch"):
            key = new_key(f"{self._seed} {whose} {role}")
            serial = sha256(f"{whose} {role}".encode())[:16].hex()
            authorities.append(Authority(key, self._issue(serial, key, authorities[-1])))
        return Keystore(tuple(authorities))

    def _issue(self, serial: str, key: KeyPair, issuer: Authority | None) -> x509.Certificate:
        title = None if issuer is None else "TEE"
        name = name_of(serial=serial, title=title)
        return issue(name, key, issuer, not_before=self.valid[0], not_after=self.valid[1])
