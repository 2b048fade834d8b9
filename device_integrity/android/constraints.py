"""Named constraints on a KeyDescription.

The defaults are those of Google's verifier (android/keyattestation, ConstraintConfig) and of
developer.android.com, "Verify hardware-backed key pairs with key attestation". The constraints rely only on
values that the secure environment enforces, except for the app, which only the operating system knows.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from device_integrity.android.apps import AllowedApp, app_is_allowed
from device_integrity.android.chain import ANDROID_KEY, PROVISIONING_EXTENSION, ChainShape, WalkedChain
from device_integrity.android.key_description import (
    ApplicationId,
    BootState,
    KeyDescription,
    KeyOrigin,
    KeyPurpose,
    RootOfTrust,
    SecurityLevel,
    read_certificates_issued,
)
from device_integrity.device_test import DeviceTest, Manipulation
from device_integrity.errors import KeyDescriptionMalformed


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAttestationPolicy:
    """Demands and limits.

    Attributes:
        apps: The apps that may scan; without any, the app is not evaluated.
        min_security_level: The least security level of the key; SOFTWARE is never accepted.
        self_signed_boot_keys: Digests of boot keys, 32 bytes each, that are trusted with the boot state
            SELF_SIGNED: systems such as GrapheneOS, which publishes them.
        max_patch_age_months: Maximum age of a security patch level, months; ``None`` for no limit.
        max_certificates_issued: Maximum number of certificates provisioned to one device in 30 days. A larger
            number is typical of farms that sell keys. Devices of test laboratories have up to 64.
        tee_under_strongbox: Whether a key in the TRUSTED_ENVIRONMENT may be attested under the chain of a
            StrongBox.
        remotely_provisioned_only: Whether to refuse attestation keys from the factory, which leak in batches.
    """

    apps: tuple[AllowedApp, ...] = ()
    min_security_level: SecurityLevel = SecurityLevel.TRUSTED_ENVIRONMENT
    self_signed_boot_keys: frozenset[bytes] = frozenset()
    max_patch_age_months: int | None = 24
    max_certificates_issued: int = 512
    max_revocation_age: timedelta = timedelta(days=2)
    tee_under_strongbox: bool = False
    remotely_provisioned_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The description to test, and the values that it must have.

    Attributes:
        description: The leaf's KeyDescription.
        policy: The policy that sets the constraints' limits.
    """

    description: KeyDescription
    application: ApplicationId | None
    chain: WalkedChain
    challenge: bytes
    policy: KeyAttestationPolicy
    now: datetime


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint on a KeyDescription, and its test.

    Attributes:
        name: The test's name without the prefix of the verifier, such as ``challenge``.
    """

    name: str
    label: str
    evaluate: Callable[[Claims], DeviceTest]


def _challenge(claims: Claims) -> DeviceTest:
    return ANDROID_KEY.judged(
        "challenge",
        holds=hmac.compare_digest(claims.description.challenge, claims.challenge),
        good=("CHALLENGE_MATCHES", "the key was made for this scan"),
        bad=("CHALLENGE_MISMATCH", "the key was made for another challenge than this scan's"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


def _security_level(claims: Claims) -> DeviceTest:
    failed = partial(ANDROID_KEY.failed, "security_level", sign_of=Manipulation.EMULATOR)
    attesting = claims.description.attestation_security_level
    keymint = claims.description.keymint_security_level
    if SecurityLevel.SOFTWARE in (attesting, keymint):
        return failed("SOFTWARE_KEYSTORE", "the key, or the key that attests it, is held in software")
    if attesting is not keymint:
        detail = f"{attesting.name} attests the key, but the key is in {keymint.name}"
        return failed("SECURITY_LEVELS_DIFFER", detail)
    if attesting is SecurityLevel.STRONGBOX and not claims.chain.says_strongbox:
        detail = "the key claims STRONGBOX, but no certificate of the chain is a StrongBox's"
        return failed("NOT_A_STRONGBOX", detail)
    if (
        attesting is SecurityLevel.TRUSTED_ENVIRONMENT
        and claims.chain.says_strongbox
        and not claims.policy.tee_under_strongbox
    ):
        detail = "the key claims TRUSTED_ENVIRONMENT, but the chain is a StrongBox's"
        return failed("NOT_A_TRUSTED_ENVIRONMENT", detail)
    if attesting < claims.policy.min_security_level:
        detail = f"the key is in {attesting.name}; the policy demands {claims.policy.min_security_level.name}"
        return ANDROID_KEY.failed("security_level", "SECURITY_LEVEL_TOO_LOW", detail)
    return ANDROID_KEY.passed("security_level", attesting.name, f"the key is in {attesting.name}")


def _boot_state(claims: Claims) -> DeviceTest:
    failed = partial(ANDROID_KEY.failed, "boot_state", sign_of=Manipulation.ROOTED)
    root = claims.description.hardware_enforced.root_of_trust
    if root is None:
        return failed("BOOT_STATE_MISSING", "the secure environment does not state the boot state")
    if not root.device_locked:
        return failed(
            "BOOTLOADER_UNLOCKED", f"the boot loader is unlocked, and the boot state is {_state(root)}"
        )
    if root.verified_boot_state == BootState.SELF_SIGNED:
        return ANDROID_KEY.judged(
            "boot_state",
            holds=root.verified_boot_key in claims.policy.self_signed_boot_keys,
            good=("KNOWN_SELF_SIGNED_SYSTEM", "the system is signed with a boot key that the policy trusts"),
            bad=("SELF_SIGNED_SYSTEM", "the system is signed with a boot key that the policy does not trust"),
            sign_of=Manipulation.ROOTED,
        )
    if root.verified_boot_state != BootState.VERIFIED:
        return failed("BOOT_NOT_VERIFIED", f"the boot state is {_state(root)}")
    return ANDROID_KEY.passed(
        "boot_state", "VERIFIED_BOOT", "the boot loader is locked, and the system is the manufacturer's"
    )


def _state(root: RootOfTrust) -> str:
    states = {state.value: state.name for state in BootState}
    return states.get(root.verified_boot_state, "unknown")


def _origin(claims: Claims) -> DeviceTest:
    return ANDROID_KEY.judged(
        "origin",
        holds=claims.description.hardware_enforced.origin == KeyOrigin.GENERATED,
        good=("GENERATED", "the key was made in the secure environment"),
        bad=("NOT_GENERATED", "the key was not made in the secure environment, so others may hold it"),
    )


def _purpose(claims: Claims) -> DeviceTest:
    return ANDROID_KEY.judged(
        "purpose",
        holds=KeyPurpose.SIGN in claims.description.hardware_enforced.purposes,
        good=("SIGN", "the key may sign"),
        bad=("SIGN_MISSING", "the key may not sign"),
    )


def _all_applications(claims: Claims) -> DeviceTest:
    lists = (claims.description.software_enforced, claims.description.hardware_enforced)
    return ANDROID_KEY.judged(
        "all_applications",
        holds=not any(authorizations.all_applications for authorizations in lists),
        good=("ONE_APPLICATION", "no other app may use the key"),
        bad=("ALL_APPLICATIONS", "every app on the device may use the key"),
    )


def _application(claims: Claims) -> DeviceTest:
    name = "application"
    if not claims.policy.apps:
        return ANDROID_KEY.not_evaluated(name, "NO_APPS_CONFIGURED", "the server's settings name no apps")
    if claims.application is None:
        return ANDROID_KEY.failed(
            name, "APPLICATION_MISSING", "the description names no app", Manipulation.CODE_MODIFICATION
        )
    names = {package.name for package in claims.application.packages}
    if not names & {app.package for app in claims.policy.apps}:
        detail = "the app that made the key is not one of the operator's"
        return ANDROID_KEY.failed(name, "APPLICATION_UNKNOWN", detail, Manipulation.CODE_MODIFICATION)
    if not app_is_allowed(claims.policy.apps, names, claims.application.certificate_digests):
        detail = "the app has the operator's package name, but another signature: it was repackaged"
        return ANDROID_KEY.failed(name, "APPLICATION_REPACKAGED", detail, Manipulation.CODE_MODIFICATION)
    return ANDROID_KEY.passed(
        name, "APPLICATION_KNOWN", "the app is the operator's, signed with the operator's key"
    )


def _patch_level(claims: Claims) -> DeviceTest:
    name = "patch_level"
    limit, level = claims.policy.max_patch_age_months, claims.description.hardware_enforced.os_patch_level
    if limit is None:
        return ANDROID_KEY.not_evaluated(name, "NO_LIMIT", "the policy sets no limit")
    if level is None:
        return ANDROID_KEY.failed(
            name, "PATCH_LEVEL_MISSING", "the description states no security patch level", soft=True
        )
    year, month = divmod(level, 100)
    if not (2010 <= year <= 9999 and 1 <= month <= 12):
        return ANDROID_KEY.failed(
            name, "PATCH_LEVEL_MALFORMED", "the security patch level is not a month", soft=True
        )
    age = (claims.now.year - year) * 12 + claims.now.month - month
    if age > limit:
        detail = f"the security patch level is {age} months old, at most {limit} allowed"
        return ANDROID_KEY.failed(name, "PATCH_LEVEL_OLD", detail, soft=True)
    return ANDROID_KEY.passed(name, "PATCH_LEVEL_RECENT", f"the security patch level is {age} months old")


def _provisioning(claims: Claims) -> DeviceTest:
    name = "provisioning"
    remote = claims.chain.shape is ChainShape.REMOTE
    if claims.policy.remotely_provisioned_only and not remote:
        detail = "the attestation key is not remotely provisioned, but the policy demands it"
        return ANDROID_KEY.failed(name, "NOT_PROVISIONED", detail)
    extension = claims.chain.attestation.extensions.get(PROVISIONING_EXTENSION)
    if extension is None:
        if remote:
            return ANDROID_KEY.not_evaluated(
                name, "NOT_SAID", "the chain does not state the number of issued certificates"
            )
        return ANDROID_KEY.not_evaluated(
            name, "NOT_PROVISIONED", "the attestation key is not remotely provisioned"
        )
    try:
        issued = read_certificates_issued(extension)
    except KeyDescriptionMalformed as error:
        return ANDROID_KEY.failed(name, "MALFORMED", str(error), soft=True)
    if issued is None:
        return ANDROID_KEY.not_evaluated(
            name, "NOT_SAID", "the chain does not state the number of issued certificates"
        )
    limit = claims.policy.max_certificates_issued
    if issued > limit:
        detail = f"{issued} certificates were issued to the device in 30 days; more than {limit} are unusual"
        return ANDROID_KEY.failed(name, "KEY_FARM", detail, soft=True)
    return ANDROID_KEY.passed(
        name, "USUAL_NUMBER", f"{issued} certificates were issued to the device in 30 days"
    )


def _encoding(claims: Claims) -> DeviceTest:
    oddities = sorted(claims.description.oddities)
    if oddities:
        detail = f"the description is not DER: {', '.join(oddities)}; some genuine devices write it so"
        return ANDROID_KEY.failed("encoding", "NOT_DER", detail, soft=True)
    return ANDROID_KEY.passed("encoding", "DER", "the description is DER")


CONSTRAINTS: Final = (
    Constraint("challenge", "the key was made for this scan", _challenge),
    Constraint("security_level", "the key is in secure hardware, which also attests it", _security_level),
    Constraint("boot_state", "the boot loader is locked and the system is the manufacturer's", _boot_state),
    Constraint("origin", "the key was made in secure hardware", _origin),
    Constraint("purpose", "the key may sign", _purpose),
    Constraint("all_applications", "only one app may use the key", _all_applications),
    Constraint("application", "the app is the operator's, signed with the operator's key", _application),
    Constraint("patch_level", "the system is not too old", _patch_level),
    Constraint("provisioning", "the device received no unusual number of certificates", _provisioning),
    Constraint("encoding", "the description is DER", _encoding),
)
"""Every constraint, in the order of the tests."""
