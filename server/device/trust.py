"""The trusted apps, roots and keys that evidence is verified with, read from the settings at the start."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from device_integrity import DeviceIntegrityError
from device_integrity.android import (
    AllowedApp,
    ClassicKeys,
    KeyAttestationPolicy,
    PlayLevel,
    PlayPolicy,
    PlayTokenDecoder,
    RootKind,
    SecurityLevel,
    TrustRoot,
    google_roots,
    load_classic_keys,
)
from device_integrity.apple import AppleAnchors, Environment, ReceiptExchange, load_apple_anchors
from device_integrity.web import RelyingParty
from server.base.errors import ConfigurationError
from server.base.private_files import read_private_file, read_trusted_file
from server.configuration.device import (
    AndroidSettings,
    AppleReceiptSettings,
    DeviceIntegritySettings,
    PlaySettings,
)
from server.configuration.settings import PolicySettings
from server.device.apple_receipts import AppleReceiptExchange
from server.device.google_play import GooglePlayDecoder
from server.policies import PolicyBook, load_policies

_MAX_FILE_BYTES: Final = 64 * 1024
_LEVELS: Final = {
    "trusted_environment": SecurityLevel.TRUSTED_ENVIRONMENT,
    "strongbox": SecurityLevel.STRONGBOX,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTrust:
    """The trusted apps, roots and keys that evidence is verified with.

    Attributes:
        android_roots: Roots of key attestation: Google's, and those that the settings add.
        test_android_roots: Further roots for sandbox checks.
        play: The requirements on a Play Integrity token.
        classic_keys: Keys that open classic tokens on this server; ``None`` if it does not open them itself.
        play_decoder: Opens tokens elsewhere; ``None`` if there is no decoder.
        test_apple: The roots that replace them in sandbox checks.
        receipt_exchange: Exchanges receipts; ``None`` if they are not exchanged.
        relying_party: The operator's site; ``None`` without a site.
    """

    android_roots: tuple[TrustRoot, ...]
    test_android_roots: tuple[TrustRoot, ...]
    android: KeyAttestationPolicy
    play: PlayPolicy
    classic_keys: ClassicKeys | None
    play_decoder: PlayTokenDecoder | None
    apple: AppleAnchors
    test_apple: AppleAnchors
    apple_app_ids: frozenset[str]
    apple_environment: Environment
    receipt_exchange: ReceiptExchange | None
    relying_party: RelyingParty | None

    def android_roots_of(self, *, sandbox: bool) -> tuple[TrustRoot, ...]:
        """Return the Android roots for a real or a sandbox check."""
        return self.android_roots + (self.test_android_roots if sandbox else ())

    def apple_roots(self, *, sandbox: bool) -> AppleAnchors:
        """Return Apple's roots for a real or a sandbox check."""
        return self.test_apple if sandbox else self.apple

    def close(self) -> None:
        """Stop the threads of Google's decoder."""
        if isinstance(self.play_decoder, GooglePlayDecoder):
            self.play_decoder.close()


def open_device_trust(settings: DeviceIntegritySettings, *, now: Callable[[], datetime]) -> DeviceTrust:
    """Read the files that the settings name, which may block briefly.

    Raises:
        ConfigurationError: A file cannot be read, has the wrong content, or contains a secret and is
            accessible to others.
    """
    apps = _apps(settings.android)
    try:
        anchors = load_apple_anchors()
        roots = google_roots()
    except DeviceIntegrityError as error:
        raise ConfigurationError(f"device_integrity: {error}") from error
    play, web = settings.android.play, settings.web
    return DeviceTrust(
        android_roots=(*roots, *_further_roots(settings.android, known=roots)),
        test_android_roots=tuple(
            TrustRoot(name="test root", kind=RootKind.TEST, subject="", spki_sha256=bytes.fromhex(spki))
            for spki in settings.test_roots.android_spki_sha256
        ),
        android=_key_policy(settings.android, apps),
        play=PlayPolicy(
            apps=apps,
            min_level=PlayLevel[play.min_level.upper()],
            refused_recall_bits=frozenset(play.refused_recall_bits),
        ),
        classic_keys=_classic_keys(play),
        play_decoder=_google(play),
        apple=anchors,
        test_apple=AppleAnchors(
            app_attest=_test_certificate(settings.test_roots.apple_certificate) or anchors.app_attest,
            receipt=_test_certificate(settings.test_roots.apple_receipt_certificate) or anchors.receipt,
        ),
        apple_app_ids=frozenset(settings.apple.app_ids),
        apple_environment=settings.apple.environment,
        receipt_exchange=_receipt_exchange(settings.apple.receipts, now=now),
        relying_party=RelyingParty(rp_id=web.rp_id, origins=frozenset(web.origins)) if web.rp_id else None,
    )


def load_served_policies(settings: PolicySettings, *, for_tests: bool) -> PolicyBook:
    """Load the policies that a server serves.

    A server that trusts apps that were built for tests serves only policies that are marked for tests, and
    none of the shipped policies. It never serves production policies at the same time.

    Args:
        for_tests: Whether the server trusts apps that were built for tests.

    Raises:
        PolicyInvalid: A file violates the schema, or ``settings.served`` names a policy that does not exist.
        ConfigurationError: A policy of a test server is not marked for tests, or there is none.
    """
    policies = load_policies(settings.folder, shipped=not for_tests, served=settings.served)
    if not for_tests:
        return policies
    production = [name for name in policies.names if not policies.get(name).policy.for_tests]
    if production or not policies.names:
        raise ConfigurationError(
            "device_integrity.apple.environment = development makes this a test server: "
            "every policy that it serves must be in policies.folder and have for_tests = true, "
            + (f"which {', '.join(production)} do not have" if production else "and there is none")
        )
    return policies


def _apps(settings: AndroidSettings) -> tuple[AllowedApp, ...]:
    return tuple(
        AllowedApp(
            package=app.package,
            certificate_digests=frozenset(bytes.fromhex(digest) for digest in app.certificate_sha256),
        )
        for app in settings.apps
    )


def _further_roots(settings: AndroidSettings, *, known: tuple[TrustRoot, ...]) -> tuple[TrustRoot, ...]:
    """Return the roots that the settings add, without those that the release already contains."""
    kinds = {root.spki_sha256: root for root in known}
    found = []
    for table in settings.further_roots:
        spki = bytes.fromhex(table.spki_sha256)
        same = kinds.get(spki)
        if same is None:
            found.append(TrustRoot(name=table.name, kind=RootKind.FURTHER, subject="", spki_sha256=spki))
        elif same.kind is not RootKind.HARDWARE:
            raise ConfigurationError(
                f"device_integrity.android.further_roots: {table.name!r} is {same.name}, which attests "
                "no hardware: remove it"
            )
    return tuple(found)


def _key_policy(settings: AndroidSettings, apps: tuple[AllowedApp, ...]) -> KeyAttestationPolicy:
    return KeyAttestationPolicy(
        apps=apps,
        min_security_level=_LEVELS[settings.min_security_level],
        self_signed_boot_keys=frozenset(bytes.fromhex(key) for key in settings.self_signed_boot_keys),
        max_revocation_age=timedelta(hours=settings.max_revocation_age_hours),
        remotely_provisioned_only=settings.remotely_provisioned_only,
    )


def _classic_keys(settings: PlaySettings) -> ClassicKeys | None:
    if settings.decryption_key_file is None or settings.verification_key_file is None:
        return None
    try:
        return load_classic_keys(
            decryption_key=read_private_file(settings.decryption_key_file, max_bytes=_MAX_FILE_BYTES)
            .decode("ascii")
            .strip(),
            verification_key=_read(settings.verification_key_file).decode("ascii").strip(),
        )
    except (DeviceIntegrityError, UnicodeDecodeError) as error:
        raise ConfigurationError("device_integrity.android.play: a response key cannot be read") from error


def _google(settings: PlaySettings) -> GooglePlayDecoder | None:
    if settings.service_account_file is None:
        return None
    return GooglePlayDecoder(service_account_file=settings.service_account_file)


def _receipt_exchange(
    settings: AppleReceiptSettings, *, now: Callable[[], datetime]
) -> AppleReceiptExchange | None:
    if settings.key_file is None:
        return None
    return AppleReceiptExchange(
        key_file=settings.key_file, key_id=settings.key_id, team_id=settings.team_id, now=now
    )


def _test_certificate(path: Path | None) -> x509.Certificate | None:
    if path is None:
        return None
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError as error:
        raise ConfigurationError(f"{path}: not a certificate in PEM") from error


def _read(path: Path) -> bytes:
    try:
        return read_trusted_file(path, max_bytes=_MAX_FILE_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error
