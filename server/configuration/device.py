"""The settings of device integrity: the apps and pages that may scan, and the verification of evidence."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from device_integrity.apple import Environment
from server.base.table import Table, WebHost, WebOrigin

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lowercase hexadecimal digits without colons."""

_Package = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$", max_length=256)
]
_AppleId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{10}\.[A-Za-z0-9.-]+$", max_length=256)]
_HOSTS_WITHOUT_TLS: Final = frozenset({"localhost", "127.0.0.1"})
"""The only hosts whose pages get the camera and keys from browsers without TLS."""


class AndroidAppTable(Table):
    """One of the operator's Android apps."""

    package: _Package
    """Package name of the app."""
    certificate_sha256: tuple[Sha256Hex, ...] = Field(min_length=1, max_length=16)
    """SHA-256 of each certificate that may have signed the app; see ``apksigner verify --print-certs``."""


class PlaySettings(Table):
    """Google Play Integrity. Files say who opens tokens; without any, they are reported as unavailable."""

    decryption_key_file: Path | None = None
    """With ``verification_key_file``, this server opens classic tokens: file with the response decryption key
    from the Play Console, base64."""
    verification_key_file: Path | None = None
    """File with the response verification key from the Play Console, base64."""
    service_account_file: Path | None = None
    """In place of both, Google's service opens tokens: key file of a service account, JSON. Needs the extra
    ``play-integrity``."""
    min_level: Literal["basic", "device", "strong"] = "device"
    """Lowest accepted integrity of the device."""
    refused_recall_bits: tuple[Literal[1, 2, 3], ...] = ()
    """Bits of Play's device recall that exclude a device from scans; your own app sets them on a device."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.decryption_key_file is None) != (self.verification_key_file is None):
            raise ValueError("set decryption_key_file and verification_key_file together, or neither")
        if self.decryption_key_file is not None and self.service_account_file is not None:
            raise ValueError(
                "tokens are opened by this server or by Google: set decryption_key_file and "
                "verification_key_file, or service_account_file alone"
            )
        return self

    @property
    def opens(self) -> bool:
        """Whether tokens are opened."""
        return self.decryption_key_file is not None or self.service_account_file is not None


class FurtherRootTable(Table):
    """A root of key attestation that this release does not know."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")
    """Name of the root in results and logs."""
    spki_sha256: Sha256Hex
    """SHA-256 of the SubjectPublicKeyInfo of its certificate."""


class AndroidSettings(Table):
    """Android apps, and the settings for the verification of the evidence of their phones."""

    apps: tuple[AndroidAppTable, ...] = ()
    """The operator's apps. If none is listed, no Android evidence vouches for an app."""
    revocation_file: Path | None = None
    """File with Google's list of revoked attestation certificates, which ``facegate attest revocation``
    updates, with a record of its date beside it; read again when they change. Without them, no key
    attestation is verified."""
    max_revocation_age_hours: int = Field(default=48, ge=1, le=24 * 90)
    """Maximum age of the list."""
    remotely_provisioned_only: bool = False
    """Whether attestation keys from the factory are refused, which thousands of phones share and some of
    which leak. Phones that were sold before Android 12 have no others."""
    further_roots: tuple[FurtherRootTable, ...] = Field(default=(), max_length=16)
    """Roots that are trusted in addition to Google's, in every check. A holder of the key of such a root can
    make evidence of any device."""
    min_security_level: Literal["trusted_environment", "strongbox"] = "trusted_environment"
    """Lowest accepted security level of the environment of a key."""
    self_signed_boot_keys: tuple[Sha256Hex, ...] = ()
    """Trusted verified boot keys of systems other than those of the makers, such as GrapheneOS."""
    play: PlaySettings = PlaySettings()
    """Google Play Integrity."""

    @model_validator(mode="after")
    def _roots_differ(self) -> Self:
        for named in ("name", "spki_sha256"):
            if len({getattr(root, named) for root in self.further_roots}) < len(self.further_roots):
                raise ValueError(f"two further_roots have the same {named}")
        return self


class AppleReceiptSettings(Table):
    """Apple's server for receipts of App Attest, which count the keys that a device made for the app lately.

    Without these settings, the server sends no request. With them, it sends a request during a scan, about
    once a day for each device, to ``https://data.appattest.apple.com``. Allow this connection, if necessary
    through a proxy (``HTTPS_PROXY``).
    """

    key_file: Path | None = None
    """File with a key for DeviceCheck from the developer account, in the format of Apple (``.p8``)."""
    key_id: str = Field(default="", pattern=r"^([A-Z0-9]{10})?$")
    """Identifier of the key, ten characters."""
    team_id: str = Field(default="", pattern=r"^([A-Z0-9]{10})?$")
    """Identifier of the team, ten characters."""

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
    """``development`` accepts apps that were built for tests; the server is then for tests only."""
    receipts: AppleReceiptSettings = AppleReceiptSettings()
    """Apple's server for receipts."""


class WebSettings(Table):
    """The operator's pages."""

    rp_id: WebHost = ""
    """WebAuthn's relying party identifier: the domain, such as ``bank.example``."""
    origins: tuple[WebOrigin, ...] = ()
    """Origins of the pages, such as ``https://verify.bank.example``: ``rp_id`` or a subdomain of it, over
    https; over http only ``localhost`` and ``127.0.0.1``. They are brought to the form that browsers send."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if bool(self.rp_id) != bool(self.origins):
            raise ValueError("set rp_id and origins together, or neither")
        for origin in self.origins:
            parts = urlsplit(origin)
            host = parts.hostname or ""
            if parts.scheme != "https" and host not in _HOSTS_WITHOUT_TLS:
                raise ValueError(f"{origin} must begin with https://")
            if host != self.rp_id and not host.endswith(f".{self.rp_id}"):
                raise ValueError(f"{origin} is neither {self.rp_id} nor a subdomain of it")
        return self


class TestRoots(Table):
    """Roots of test devices. Their evidence counts in sandbox checks only."""

    android_spki_sha256: tuple[Sha256Hex, ...] = ()
    """SHA-256 of the SubjectPublicKeyInfo of further roots of Android key attestation."""
    apple_certificate: Path | None = None
    """PEM file: a root that replaces Apple's App Attest root."""
    apple_receipt_certificate: Path | None = None
    """PEM file: a root that replaces the one under which Apple signs the receipts of App Attest."""

    @property
    def configured(self) -> bool:
        """Whether any test root is configured."""
        return bool(self.android_spki_sha256 or self.apple_certificate)

    @model_validator(mode="after")
    def _both_of_apple(self) -> Self:
        if (self.apple_certificate is None) != (self.apple_receipt_certificate is None):
            raise ValueError("set apple_certificate and apple_receipt_certificate together, or neither")
        return self


class DeviceIntegritySettings(Table):
    """The apps and pages that may scan, and the settings for the verification of their evidence.

    The demands of each policy on the evidence are in the policy (``[device.demands]``).
    """

    android: AndroidSettings = AndroidSettings()
    """Android apps."""
    apple: AppleSettings = AppleSettings()
    """Apple apps."""
    web: WebSettings = WebSettings()
    """Pages."""
    proxy_spki_sha256: tuple[Sha256Hex, ...] = ()
    """If a proxy terminates the TLS of devices: SHA-256 of the SubjectPublicKeyInfo of each of its
    certificates. Devices must state one of these, one of ``server_keys_file``, or the device listener's."""
    server_keys_file: Path | None = None
    """File with further such keys, one SHA-256 a line, read again within a minute when it changes. List the
    key of the next certificate before the proxy uses it. A removed key is accepted for one more day."""
    server_keys: Literal["open", "complete"] = "open"
    """``complete``: these keys and the device listener's are all. A device that states another one then fails
    its check (``DEVICE_MANIPULATED``), under every policy."""
    remembered_scans: int = Field(default=100_000, ge=1, le=100_000_000)
    """Maximum number of scans that are remembered of each tenant, and as many of its sandbox, to recognise
    recordings of them; the oldest are then forgotten before their retention ends. A scan takes about 40 kB in
    the database."""
    test_roots: TestRoots = TestRoots()
    """Roots of test devices, for sandbox checks."""

    @property
    def for_tests(self) -> bool:
        """Whether apps built for tests are trusted; the server then accepts policies for tests only."""
        return self.apple.environment is Environment.DEVELOPMENT
