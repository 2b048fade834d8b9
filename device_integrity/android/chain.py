"""Verifies the chain of an Android key attestation, from its root to its leaf.

The module applies its few rules itself instead of using a path builder. Genuine chains of old devices violate
RFC 5280 (expired batch certificates, an attestation certificate with CA:FALSE), and a general path builder
accepts forged chains (an attested leaf key that signs one more certificate). The rules are Google's:
developer.android.com, "Verify hardware-backed key pairs with key attestation", and the verifier
android/keyattestation.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final

from device_integrity.android.certificates import (
    ATTESTATION_EXTENSION,
    PROVISIONING_EXTENSION,
    Certificate,
)
from device_integrity.android.checklists import ANDROID_KEY
from device_integrity.android.roots import RootKind, TrustRoot
from device_integrity.check import DeviceCheck, DeviceFinding, Manipulation

__all__ = ["ChainShape", "WalkedChain", "walk_chain"]

_FACTORY_LENGTH: Final = 4
_REMOTE_LENGTH: Final = 5
_ENVIRONMENTS: Final = frozenset({"tee", "strongbox"})
_STRONGBOX: Final = "strongbox"
_PROVISIONER: Final = "Google LLC"
_PROVISIONING_CA: Final = re.compile(r"Droid CA\d+")
_RULES: Final = (
    "chain_signatures",
    "chain_extension",
    "chain_authority",
    "chain_shape",
    "chain_validity",
)


class ChainShape(StrEnum):
    """How the device got its attestation key."""

    FACTORY = "factory"
    """One key for a batch of devices, installed in the factory: root, intermediate, attestation, leaf."""
    REMOTE = "remote"
    """A key for this device, certified for weeks at a time (remote key provisioning, RKP): root, two
    servers, attestation, leaf. The server below the root has a name of Google's, or the attestation
    certificate has the extension with the number of issued certificates."""
    OTHER = "other"
    """A shape that no sold device has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkedChain:
    """A chain and the findings of its tests.

    Attributes:
        certificates: Leaf first, root last.
        shape: How the device got its attestation key, as the chain's form shows.
        root: The known root that has the key of the last certificate; ``None`` if no root has it.
        checks: One test for every rule.
    """

    certificates: tuple[Certificate, ...]
    shape: ChainShape
    root: TrustRoot | None
    checks: tuple[DeviceCheck, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether every rule holds."""
        return all(check.outcome is DeviceFinding.PASS for check in self.checks)

    @property
    def leaf(self) -> Certificate:
        """The certificate of the attested key."""
        return self.certificates[0]

    @property
    def attestation(self) -> Certificate:
        """The certificate of the key that attests."""
        return self.certificates[1]

    @property
    def says_strongbox(self) -> bool:
        """Whether a certificate between leaf and root states a StrongBox.

        Manufacturers state it as organisation, title or part of a common name, in the attestation certificate
        or in the one above it, in upper or lower case.
        """
        return any(
            _STRONGBOX in unit.casefold()
            for certificate in self.certificates[1:-1]
            for unit in certificate.subject_units
        )


def walk_chain(
    certificates: tuple[Certificate, ...], *, roots: Sequence[TrustRoot], now: datetime
) -> WalkedChain:
    """Applies every rule to a chain, which is trusted if all tests pass.

    Args:
        certificates: Leaf first, root last; 3 to 10.
        roots: The keys at which a chain may end.
        now: The present time, with a time zone.
    """
    # 1. The last certificate is a root with a pinned key (Google, "Verify hardware-backed key pairs").
    by_key = {root.spki_sha256: root for root in roots}
    root = by_key.get(certificates[-1].spki_sha256)
    shape = _shape(certificates)
    ends = _test_root(certificates[-1], root, roots)
    # 2. The root's private key is not published. If it is, the other rules prove nothing.
    if root is not None and root.kind is RootKind.SOFTWARE:
        detail = "the root's private key is published, so anyone can make such a chain"
        rest = tuple(ANDROID_KEY.not_evaluated(name, "SOFTWARE_ROOT", detail) for name in _RULES)
        return WalkedChain(certificates=certificates, shape=shape, root=root, checks=(ends, *rest))
    return WalkedChain(
        certificates=certificates,
        shape=shape,
        root=root,
        checks=(
            ends,
            # 3. Each certificate names its issuer and is signed by it (RFC 5280, 6.1.3, a.1 and a.4).
            _test_signatures(certificates),
            # 4. The leaf alone has the attestation extension (Google, android/keyattestation).
            _test_extension(certificates),
            # 5. Each certificate above the leaf may sign others (RFC 5280, 4.2.1.3 and 4.2.1.9).
            _test_authority(certificates, shape),
            # 6. The chain has a shape that sold devices have (Google, android/keyattestation).
            _test_shape(certificates, shape),
            # 7. Each certificate between leaf and root is valid now (RFC 5280, 6.1.3, a.2).
            _test_validity(certificates, shape, now),
        ),
    )


def _shape(certificates: tuple[Certificate, ...]) -> ChainShape:
    attestation, below_root = certificates[1], certificates[-2]
    extended = PROVISIONING_EXTENSION in attestation.extensions
    if len(certificates) == _FACTORY_LENGTH and not extended and below_root.subject_serials:
        return ChainShape.FACTORY
    if len(certificates) == _REMOTE_LENGTH:
        environments = {unit.casefold() for unit in attestation.subject_units}
        if _provisions(below_root) or (extended and _ENVIRONMENTS & environments):
            return ChainShape.REMOTE
    return ChainShape.OTHER


def _provisions(certificate: Certificate) -> bool:
    """Returns whether a certificate names Google's servers for remote key provisioning."""
    return _PROVISIONER in certificate.subject_organizations and any(
        _PROVISIONING_CA.fullmatch(name) for name in certificate.subject_common_names
    )


def _test_root(last: Certificate, root: TrustRoot | None, roots: Sequence[TrustRoot]) -> DeviceCheck:
    if not last.is_self_issued:
        return ANDROID_KEY.failed(
            "root", "ROOT_MISSING", "the last certificate is not a root", Manipulation.EMULATOR
        )
    if root is None:
        # Roots from the settings have no subject.
        if any(known.subject and known.subject == last.subject for known in roots):
            detail = "the last certificate has the name of a known root, but another key"
            return ANDROID_KEY.failed("root", "LOOK_ALIKE_ROOT", detail, Manipulation.CODE_MODIFICATION)
        detail = "the chain ends at a key that is not one of the known roots"
        return ANDROID_KEY.failed("root", "UNKNOWN_ROOT", detail, Manipulation.EMULATOR)
    if root.kind is RootKind.SOFTWARE:
        detail = f"the chain ends at {root.name}, the root of a software keystore such as an emulator's"
        return ANDROID_KEY.failed("root", "SOFTWARE_ROOT", detail, Manipulation.EMULATOR)
    if root.kind is RootKind.NON_PRODUCTION:
        detail = f"the chain ends at {root.name}, the root of devices that were never sold"
        return ANDROID_KEY.failed("root", "NON_PRODUCTION_ROOT", detail, Manipulation.ROOTED)
    return ANDROID_KEY.passed("root", f"{root.kind.name}_ROOT", f"the chain ends at {root.name}")


def _test_signatures(certificates: tuple[Certificate, ...]) -> DeviceCheck:
    for place, (certificate, issuer) in reversed(list(enumerate(pairwise(certificates)))):
        if not certificate.was_issued_under_the_name_of(issuer):
            detail = f"the issuer of certificate {place} is not the subject of certificate {place + 1}"
            return ANDROID_KEY.failed(
                "chain_signatures", "NAMES_NOT_CHAINED", detail, Manipulation.CODE_MODIFICATION
            )
        if not certificate.is_signed_by(issuer):
            detail = f"certificate {place} has no valid signature by the key of certificate {place + 1}"
            return ANDROID_KEY.failed(
                "chain_signatures", "SIGNATURE_INVALID", detail, Manipulation.CODE_MODIFICATION
            )
    return ANDROID_KEY.passed(
        "chain_signatures", "SIGNATURES_VALID", "every certificate is signed by the key of the next one"
    )


def _test_extension(certificates: tuple[Certificate, ...]) -> DeviceCheck:
    """Tests that only the leaf is attested, because an app could attest anything with its attested key."""
    for place, certificate in enumerate(certificates):
        if place > 0 and ATTESTATION_EXTENSION in certificate.extensions:
            detail = f"certificate {place} has the attestation extension, which only the leaf may have"
            return ANDROID_KEY.failed(
                "chain_extension", "FORGED_CHAIN", detail, Manipulation.CODE_MODIFICATION
            )
    if ATTESTATION_EXTENSION not in certificates[0].extensions:
        return ANDROID_KEY.failed("chain_extension", "NOT_ATTESTED", "the leaf has no attestation extension")
    return ANDROID_KEY.passed(
        "chain_extension", "ONLY_LEAF_ATTESTED", "only the leaf has the attestation extension"
    )


def _test_authority(certificates: tuple[Certificate, ...], shape: ChainShape) -> DeviceCheck:
    """Tests basic constraints and key usage (RFC 5280, 4.2.1.9 and 4.2.1.3). Old phones have an exception."""
    for place in range(1, len(certificates)):
        certificate = certificates[place]
        # Batch certificates of 2016 have CA:FALSE, but sign leaves. They hold no attested key (see
        # `_test_extension`), and only Google's intermediate is above them.
        exempt = place == 1 and shape is ChainShape.FACTORY and certificate.is_ca is False
        if not certificate.is_ca and not exempt:
            detail = f"certificate {place} signed another one, but is not a certificate authority"
            return ANDROID_KEY.failed(
                "chain_authority", "FORGED_CHAIN", detail, Manipulation.CODE_MODIFICATION
            )
        # A root is pinned by its key, so the key usage in its certificate does not matter. A certificate
        # without a key usage may sign if it is an authority.
        between_leaf_and_root = place < len(certificates) - 1
        if between_leaf_and_root and not certificate.may_sign and not exempt:
            detail = f"certificate {place} signed another one, but its key usage lacks keyCertSign"
            return ANDROID_KEY.failed(
                "chain_authority", "NO_KEY_CERT_SIGN", detail, Manipulation.CODE_MODIFICATION
            )
        between = sum(not middle.is_self_issued for middle in certificates[1:place])
        if certificate.path_length is not None and between > certificate.path_length:
            limit = certificate.path_length
            detail = f"{between} certificates are below certificate {place}; at most {limit} are allowed"
            return ANDROID_KEY.failed(
                "chain_authority", "PATH_TOO_LONG", detail, Manipulation.CODE_MODIFICATION
            )
    return ANDROID_KEY.passed(
        "chain_authority", "ALL_AUTHORITIES", "every certificate above the leaf may sign others"
    )


def _test_shape(certificates: tuple[Certificate, ...], shape: ChainShape) -> DeviceCheck:
    if shape is ChainShape.OTHER:
        detail = (
            f"the {len(certificates)} certificates are neither a factory chain nor a remotely provisioned one"
        )
        return ANDROID_KEY.failed("chain_shape", "SHAPE_UNKNOWN", detail)
    return ANDROID_KEY.passed("chain_shape", shape.name, f"the chain has the {shape} shape")


def _test_validity(certificates: tuple[Certificate, ...], shape: ChainShape, now: datetime) -> DeviceCheck:
    """Tests the dates of all certificates except leaf and root.

    The device sets the leaf's dates by its own clock, which may be wrong. The root's dates do not matter,
    because its key is pinned. Devices in use have expired batch certificates from the factory, so these pass.
    """
    for place, certificate in enumerate(certificates[:-1]):
        if place == 0:
            continue
        if now < certificate.not_before:
            return ANDROID_KEY.failed(
                "chain_validity", "NOT_YET_VALID", f"certificate {place} is not valid yet"
            )
        if now > certificate.not_after and shape is not ChainShape.FACTORY:
            return ANDROID_KEY.failed("chain_validity", "EXPIRED", f"certificate {place} has expired")
    return ANDROID_KEY.passed(
        "chain_validity",
        "VALID",
        "every certificate between leaf and root is valid, or expired in a factory chain",
    )
