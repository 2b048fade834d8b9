"""The settings of device integrity: whose apps and pages may scan, and what evidence is held against."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from device_integrity.apple import Environment
from server.settings_base import Table

__all__ = [
    "AndroidAppTable",
    "AndroidSettings",
    "AppleReceiptSettings",
    "AppleSettings",
    "DeviceIntegritySettings",
    "FurtherRootTable",
    "PlayDecoderChoice",
    "PlaySettings",
    "TestRoots",
    "WebSettings",
]

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lowercase hexadecimal digits without colons."""

_Package = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$", max_length=256)
]
_AppleId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{10}\.[A-Za-z0-9.-]+$", max_length=256)]
_Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#@]+$", max_length=256)]
_HOSTS_WITHOUT_TLS: Final = frozenset({"localhost", "127.0.0.1"})
"""Browsers give pages from here, and from nowhere else without TLS, the camera and keys."""


class PlayDecoderChoice(StrEnum):
    """Who opens Play Integrity tokens."""

    OFF = "off"
    """Nobody: tokens are reported as unavailable."""
    LOCAL = "local"
    """This server, with the response keys of the Play Console; classic tokens only."""
    GOOGLE = "google"
    """Google's service; needs the extra ``play-integrity``."""


class AndroidAppTable(Table):
    """One of the operator's Android apps."""

    package: _Package
    """Its package name."""
    certificate_sha256: tuple[Sha256Hex, ...] = Field(min_length=1, max_length=16)
    """SHA-256 of each certificate that may have signed it: ``apksigner verify --print-certs`` shows them."""


class PlaySettings(Table):
    """Google Play Integrity."""

    decoder: PlayDecoderChoice = PlayDecoderChoice.OFF
    """Who opens tokens."""
    decryption_key_file: Path | None = None
    """``local``: file with the response decryption key as the Play Console shows it, base64."""
    verification_key_file: Path | None = None
    """``local``: file with the response verification key as the Play Console shows it, base64."""
    service_account_file: Path | None = None
    """``google``: key file of a service account, JSON."""
    min_level: Literal["basic", "device", "strong"] = "device"
    """The least integrity of the device."""
    max_age_seconds: int = Field(default=180, ge=10, le=600)
    """How old a token may be."""
    refused_recall_bits: tuple[Literal[1, 2, 3], ...] = ()
    """Bits of Play's device recall, which your own app sets on a device, that bar it from scanning."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            PlayDecoderChoice.OFF: (),
            PlayDecoderChoice.LOCAL: ("decryption_key_file", "verification_key_file"),
            PlayDecoderChoice.GOOGLE: ("service_account_file",),
        }[self.decoder]
        if missing := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f'decoder "{self.decoder}" needs {" and ".join(missing)}')
        return self


class FurtherRootTable(Table):
    """A root of key attestation that this release does not know."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
    """What results and log call it."""
    spki_sha256: Sha256Hex
    """SHA-256 of the SubjectPublicKeyInfo of its certificate."""


class AndroidSettings(Table):
    """Android apps and what their phones' evidence is held against."""

    apps: tuple[AndroidAppTable, ...] = ()
    """The operator's apps; without any, no Android evidence vouches for one."""
    revocation_file: Path | None = None
    """Google's list of revoked attestation certificates, kept fresh by ``facegate attest revocation``, which
    also writes the record that dates it beside it. Both are read again when they change. Without them no key
    attestation is verified."""
    max_revocation_age_hours: int = Field(default=48, ge=1, le=24 * 90)
    """How old the list may be."""
    stale_revocation_is_soft: bool = False
    """Whether attestations are verified with an older list."""
    remotely_provisioned_only: bool = False
    """Whether attestation keys from the factory are refused: thousands of phones share one, and some leak.
    Phones that were sold before Android 12 have no others."""
    further_roots: tuple[FurtherRootTable, ...] = Field(default=(), max_length=16)
    """Roots that count beside Google's, in every check: one that Google began to use after this release, or
    that of your own devices. Whoever holds the key of such a root can make evidence of any device."""
    tee_under_strongbox: bool = False
    """Whether a key in the trusted environment may be attested under the chain of a StrongBox."""
    min_security_level: Literal["trusted_environment", "strongbox"] = "trusted_environment"
    """The least that a key has to live in."""
    self_signed_boot_keys: tuple[Sha256Hex, ...] = ()
    """Verified boot keys of other systems than the makers' that are trusted, such as GrapheneOS's."""
    max_patch_age_months: int | None = Field(default=24, ge=1, le=240)
    """From how many months on a security patch level is old."""
    max_certificates_issued: int = Field(default=512, ge=1, le=1_000_000)
    """More attestation certificates than this, provisioned to one phone in 30 days, look like a farm that
    sells keys, and leave MEDIUM at most. Phones of test laboratories show up to 64."""
    play: PlaySettings = PlaySettings()
    """Google Play Integrity."""

    @model_validator(mode="after")
    def _roots_differ(self) -> Self:
        for named in ("name", "spki_sha256"):
            if len({getattr(root, named) for root in self.further_roots}) < len(self.further_roots):
                raise ValueError(f"two further_roots have the same {named}")
        return self


class AppleReceiptSettings(Table):
    """Apple's server for receipts of App Attest, which tells how many keys a device made for the app lately.

    Without these settings it is not asked. It is asked while a device scans, about once a day for each, at
    ``https://data.appattest.apple.com``: let the server reach it, by a proxy (``HTTPS_PROXY``) if need be.
    """

    key_file: Path | None = None
    """A key for DeviceCheck from the developer account, as Apple gives it out (``.p8``)."""
    key_id: str = Field(default="", pattern=r"^([A-Z0-9]{10})?$")
    """The key's identifier, ten characters."""
    team_id: str = Field(default="", pattern=r"^([A-Z0-9]{10})?$")
    """The team's identifier, ten characters."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if len({self.key_file is None, not self.key_id, not self.team_id}) > 1:
            raise ValueError("set key_file, key_id and team_id together, or none of them")
        return self


class AppleSettings(Table):
    """Apple apps."""

    app_ids: tuple[_AppleId, ...] = ()
    """The operator's apps: team identifier, a dot, bundle identifier."""
    environment: Environment = Environment.PRODUCTION
    """``development`` accepts apps that were built for tests, and makes the server one for tests only."""
    receipts: AppleReceiptSettings = AppleReceiptSettings()
    """Apple's server for receipts."""
    max_keys_made: int = Field(default=10, ge=1, le=1_000_000)
    """More keys than this, made on one device for the app in 30 days by Apple's count, look like a farm that
    sells scans, and leave MEDIUM at most. Apple gives no limit; an app makes a key when it is installed."""


class WebSettings(Table):
    """The operator's pages."""

    rp_id: str = Field(default="", max_length=253)
    """WebAuthn's relying party identifier: the domain, such as ``bank.example``."""
    origins: tuple[_Origin, ...] = ()
    """Where the pages are, such as ``https://verify.bank.example``, without a slash at the end: at ``rp_id``
    or below it, over https; over http at ``localhost`` and ``127.0.0.1`` only."""
    require_user_verification: bool = True
    """Whether a WebAuthn ceremony counts only if the authenticator verified the person."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if bool(self.rp_id) != bool(self.origins):
            raise ValueError("set rp_id and origins together, or neither")
        for origin in self.origins:
            parts = urlsplit(origin)
            host = parts.hostname or ""
            if parts.scheme != "https" and host not in _HOSTS_WITHOUT_TLS:
                raise ValueError(f"{origin} has to begin with https://")
            if host != self.rp_id and not host.endswith(f".{self.rp_id}"):
                raise ValueError(f"{origin} is neither {self.rp_id} nor a subdomain of it")
        return self


class TestRoots(Table):
    """Roots of test devices. Their evidence is believed in sandbox checks only."""

    android_spki_sha256: tuple[Sha256Hex, ...] = ()
    """SHA-256 of the SubjectPublicKeyInfo of further roots of Android key attestation."""
    apple_certificate: Path | None = None
    """PEM file: a root in place of Apple's App Attest root."""
    apple_receipt_certificate: Path | None = None
    """PEM file: a root in place of the one under which Apple signs App Attest's receipts."""
    apple_receipt_server: _Origin | None = None
    """A server in place of Apple's for receipts."""

    @property
    def configured(self) -> bool:
        """Whether there are any."""
        return bool(self.android_spki_sha256 or self.apple_certificate or self.apple_receipt_server)

    @model_validator(mode="after")
    def _both_of_apple(self) -> Self:
        if (self.apple_certificate is None) != (self.apple_receipt_certificate is None):
            raise ValueError("set apple_certificate and apple_receipt_certificate together, or neither")
        return self


class DeviceIntegritySettings(Table):
    """Whose apps and pages may scan, and what their evidence is held against.

    What each policy demands of it is in the policy (``[device.demands]``).
    """

    android: AndroidSettings = AndroidSettings()
    """Android apps."""
    apple: AppleSettings = AppleSettings()
    """Apple apps."""
    web: WebSettings = WebSettings()
    """Pages."""
    proxy_spki_sha256: tuple[Sha256Hex, ...] = ()
    """Where a proxy of the operator terminates the devices' TLS: SHA-256 of the SubjectPublicKeyInfo of each
    certificate that it shows. Devices must have seen one of these, one of ``server_keys_file``, or the device
    listener's own."""
    server_keys_file: Path | None = None
    """The same in a file, one SHA-256 a line, which is read again within a minute when it changes: list the
    next certificate's key before the proxy shows it. A key that leaves the file counts for another day."""
    server_keys: Literal["open", "complete"] = "open"
    """``complete`` says that the keys above, and the device listener's own, are all that there are: a device
    that saw another one then fails its check (``DEVICE_MANIPULATED``), under every policy."""
    enrolment_days: int = Field(default=400, ge=1, le=3650)
    """Days without use after which an enrolled key (App Attest, WebAuthn) is forgotten."""
    test_roots: TestRoots = TestRoots()
    """Roots of test devices, for sandbox checks."""

    @property
    def for_tests(self) -> bool:
        """Whether apps that were built for tests are believed: such a server takes no production policy."""
        return self.apple.environment is Environment.DEVELOPMENT
