"""The tables of the settings, by what they are about; ``settings`` puts them together."""

from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, field_validator, model_validator

from server.access.callers import Name, each_once
from server.base.table import Table, is_loopback, is_public
from server.domain.events import EventKind
from server.domain.tries import SANDBOX_RULES, TryRules, TrySetting


class AnalysisSettings(Table):
    """AnalysisService; ``limits.max_uploads`` is also the number of selfies that are analysed at once."""

    video_workers: int = Field(default=1, ge=0, le=64)
    """Number of processes in which videos are decoded, and of threads that analyse them; for each, one video
    is analysed and another uploaded, with up to 250 MB each in addition to the memory of the process. With 0,
    videos are refused, but still frames are analysed."""


class AuditSettings(Table):
    """The checkpoints of the audit log."""

    witness_url: str | None = None
    """Folder or URL, as ``storage.objects_url``, of the witness, which keeps the newest checkpoints, so that
    a changed or older log is noticed. All servers of a database share it; whoever administers the database
    should not be able to write there. By default the object store."""
    timestamp_url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None
    """URL of a time-stamping authority (RFC 3161), which stamps checkpoints. It gets a hash only. Needs the
    extra ``timestamps``."""
    timestamp_roots: Path | None = None
    """PEM file with the root certificates of that authority. Mandatory with ``timestamp_url``."""

    @model_validator(mode="after")
    def _verifiable(self) -> Self:
        if self.timestamp_url is not None and self.timestamp_roots is None:
            raise ValueError(
                "time stamps are verified: set timestamp_roots to a PEM file with the roots of the authority"
            )
        return self


class TwoPeople(StrEnum):
    """An action that may need two people."""

    DELETE = "delete"
    """DeleteEvidence."""
    ERASE = "erase"
    """EraseSubject."""
    RELEASE_HOLD = "release_hold"
    """ReleaseHold."""
    DESTROY_KEY = "destroy_key"
    """The destruction of a key."""


class ComplianceSettings(Table):
    """Compliance."""

    two_people: Annotated[tuple[TwoPeople, ...], AfterValidator(each_once)] = Field(default=(), strict=False)
    """The actions that a second person has to confirm; ``delete`` is of the evidence of a check, ``erase`` of
    a person. Each caller's name must belong to one person, and each person must have one."""


_DAY = 86_400


class FailureSettings(Table):
    """Limits on failed checks of one subject, portrait or device, which cause a lock and then a block.

    Sandbox checks have constant limits (``server.domain.tries.SANDBOX_RULES``).
    """

    maximum: int = Field(default=5, ge=1, le=1_000_000)
    """Number of failed checks within ``window_seconds`` that causes a lock. A running scan counts until it is
    decided. A check that the person left early, or that failed only because of the conditions, counts as a
    quarter."""
    window_seconds: int = Field(default=180, ge=1, le=_DAY)
    """Period within which failed checks are counted for a lock."""
    lock_seconds: int = Field(default=1_800, ge=1, le=_DAY)
    """How long a lock lasts."""
    block_maximum: int = Field(default=20, ge=1, le=10_000_000)
    """Number of failed checks within ``block_seconds``, at any intervals, that causes a block. At least
    ``maximum``."""
    block_seconds: int = Field(default=_DAY, ge=1, le=30 * _DAY)
    """Period within which failed checks are counted for a block, and duration of the block. At least
    ``lock_seconds``."""
    remember_days: int = Field(default=30, ge=1, le=400)
    """How long keyed hashes of a failed check are stored, for these limits and for the signals that report
    earlier attacks. At least twice ``block_seconds``."""

    @model_validator(mode="after")
    def _blocks_longer_than_it_locks(self) -> Self:
        if self.block_seconds < self.lock_seconds:
            raise ValueError(
                f"block_seconds ({self.block_seconds}) must be at least lock_seconds ({self.lock_seconds})"
            )
        if self.block_maximum < self.maximum:
            raise ValueError(
                f"block_maximum ({self.block_maximum}) must be at least maximum ({self.maximum}); set both"
            )
        if self.remember_days * _DAY < 2 * self.block_seconds:
            raise ValueError(
                f"remember_days ({self.remember_days}) must be at least twice block_seconds "
                f"({self.block_seconds}): otherwise blocks are erased before they end"
            )
        return self

    def as_setting(self) -> TrySetting:
        """Return the limits in the form of ``server.domain.tries``."""
        return TrySetting(
            real=TryRules(
                maximum=self.maximum,
                window=timedelta(seconds=self.window_seconds),
                lock=timedelta(seconds=self.lock_seconds),
                block_maximum=self.block_maximum,
                block=timedelta(seconds=self.block_seconds),
            ),
            sandbox=SANDBOX_RULES,
            remembered=timedelta(days=self.remember_days),
        )


class TenantLimits(Table):
    """The quota of one tenant."""

    share: float = Field(gt=0.0, le=1.0)
    """The share of the places of each kind that the tenant may hold at once, rounded down, but at least one
    place; its sandbox callers may hold as many again."""

    def places_of(self, most: int) -> int:
        """Return the number of places that the tenant may hold of so many."""
        # Rounded first: 0.29 of 100 is 28.999... in floating point.
        return max(1, int(round(most * self.share, 6)))


class LimitSettings(Table):
    """The limits of one server; calls that exceed them are refused with RESOURCE_EXHAUSTED and RetryInfo."""

    max_scans: int | None = Field(default=None, ge=1, le=10_000)
    """Maximum number of scans at once; by default 4 for each thread that judges frames
    (``runtime.workers``)."""
    max_uploads: int = Field(default=4, ge=1, le=1_000)
    """Maximum number of trusted images that are decoded and judged at once, and of selfies beside them. One
    of 50 million pixels takes about 300 MB."""
    tenants: dict[Name, TenantLimits] = Field(default_factory=dict)
    """Quotas of single tenants, by name. In the environment, all tables are one variable, as JSON."""
    memory_mib: int | None = Field(default=None, ge=256, le=16_777_216)
    """Memory that this process may use. Above 85 % of it new scans are refused, and ``/readyz`` answers 503,
    until it uses less than 70 %, or less than 85 % for half a minute. By default the control group's limit
    and use count; without any limit no scan is refused."""
    failures: FailureSettings = FailureSettings()
    """Failed checks of one subject, portrait or device."""


class FileEncryption(Table):
    """A key-encryption key in a file, such as one that a secret manager mounts."""

    kind: Literal["file"]
    """``"file"``."""
    path: Path
    """The file: 32 bytes as base64. Keep it on other storage than the key folder."""


class EnvironmentEncryption(Table):
    """The key-encryption key in the environment variable ``FACEGATE_KEY_ENCRYPTION_KEY``, 32 bytes as base64.

    Only one entry of the settings may name it: while you change it, the older key is in a file.
    """

    kind: Literal["environment"]
    """``"environment"``."""


class AwsKmsEncryption(Table):
    """A symmetric key of AWS KMS. The credentials come from the environment, as for any AWS client."""

    kind: Literal["aws-kms"]
    """``"aws-kms"``."""
    key: str = Field(min_length=1, max_length=2048)
    """The key's ARN, its identifier, or an alias such as ``alias/facegate``."""
    region: str | None = Field(default=None, min_length=1, max_length=64)
    """The region; by default that of the environment."""
    endpoint: HttpUrl | None = None
    """Another endpoint, such as that of a VPC."""


class VaultTransitEncryption(Table):
    """A key of the Transit engine of HashiCorp Vault or OpenBao, of a type with associated data."""

    kind: Literal["vault-transit"]
    """``"vault-transit"``."""
    address: HttpUrl
    """The server's URL; HTTPS unless it is on this machine."""
    key: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    """The name of the key, of type ``aes256-gcm96`` or ``chacha20-poly1305``."""
    mount: str = Field(default="transit", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")
    """The path where the engine is mounted."""
    namespace: str | None = Field(default=None, min_length=1, max_length=256)
    """The namespace, if the server has any."""
    token_file: Path
    """A file with the token, such as the one that an agent of the server renews."""
    ca: Path | None = None
    """A PEM file with the certificate authority of the server; by default that of the system."""

    @field_validator("address")
    @classmethod
    def _encrypted(cls, value: HttpUrl) -> HttpUrl:
        if value.scheme != "https" and not is_loopback(value.host or ""):
            raise ValueError("write https://: the keys would cross the network in clear text")
        return value


KeyEncryptionEntry = Annotated[
    FileEncryption | EnvironmentEncryption | AwsKmsEncryption | VaultTransitEncryption,
    Field(discriminator="kind"),
]


class TenantKeySettings(Table):
    """The key of one tenant's own."""

    encryption: tuple[KeyEncryptionEntry, ...] = Field(default=(), max_length=8)
    """The keys that encrypt the tenant's evidence keys in the key folder. Empty: as the server's own keys."""


class KeySettings(Table):
    """The keys of the server."""

    folder: Path | None = None
    """Folder of the keys, by default ``keys`` in ``data_dir``; missing keys are made on the first start."""
    encryption: tuple[KeyEncryptionEntry, ...] = Field(default=(), max_length=8)
    """The keys that encrypt the files in the folder: the first new files, every entry decrypts. To change
    the key, put the new entry first and run ``facegate keys encrypt``. Empty: only permissions protect
    the files."""
    tenants: dict[Name, TenantKeySettings] = Field(default_factory=dict)
    """Tenants whose evidence is sealed under keys of their own, by name. Without their key, their evidence
    cannot be opened any more (``facegate keys destroy``)."""

    @model_validator(mode="after")
    def _one_in_the_environment(self) -> Self:
        entries = (*self.encryption, *(each for own in self.tenants.values() for each in own.encryption))
        if sum(isinstance(entry, EnvironmentEncryption) for entry in entries) > 1:
            raise ValueError(
                'two entries have kind "environment", which is one key: write the other one into a file, '
                'kind = "file"'
            )
        return self


class OtlpSettings(Table):
    """The collector that gets traces and metrics by OTLP over gRPC. Needs the extra ``otlp``.

    Environment variables ``OTEL_...`` have no effect, so that nothing is sent that no setting names.
    """

    endpoint: HttpUrl | None = None
    """The collector, such as ``https://collector.bank.example:4317``; HTTPS unless it is on this machine.
    Without it, nothing is sent."""
    ca: Path | None = None
    """A PEM file with the certificate authority of the collector; by default that of gRPC."""
    headers_file: Path | None = None
    """A file with headers for each request, such as ``authorization: Bearer ...``, one a line. Only its owner
    may have access. It is read at the start."""
    sampling_ratio: float = Field(default=1.0, ge=0.0, le=1.0)
    """The share of traces that is sent. A backend's own decision, in its ``traceparent``, takes precedence; a
    device's does not."""

    @field_validator("endpoint")
    @classmethod
    def _encrypted(cls, value: HttpUrl | None) -> HttpUrl | None:
        if value is not None and value.scheme != "https" and not is_loopback(value.host or ""):
            raise ValueError("write https://: identifiers of checks would cross the network in clear text")
        return value

    @model_validator(mode="after")
    def _used(self) -> Self:
        if self.endpoint is None and (self.ca is not None or self.headers_file is not None):
            raise ValueError("ca and headers_file are of a collector: set endpoint")
        if self.ca is not None and self.endpoint is not None and self.endpoint.scheme != "https":
            raise ValueError("ca is for https://, and the endpoint is http://")
        return self


class TelemetrySettings(Table):
    """Traces and metrics. Prometheus' metrics are always on the admin listener."""

    otlp: OtlpSettings = OtlpSettings()
    """The collector that gets traces and metrics by OTLP."""
    tenant_names: bool = False
    """Whether metrics name tenants: ``facegate_tenant_places_in_use`` then shows the places of each."""


class SandboxEvents(StrEnum):
    """Whether an endpoint gets the events of sandbox checks."""

    NEVER = "never"
    """Those of real checks alone."""
    ALSO = "also"
    """Those of both."""
    ONLY = "only"
    """Those of sandbox checks alone."""


class WebhookEndpoint(Table):
    """An endpoint that gets the events of one tenant."""

    tenant: Name
    """The tenant whose events it gets."""
    url: HttpUrl
    """Where events are sent, such as ``https://backend.bank.example/facegate``. HTTPS, or HTTP on loopback
    with ``allow_private``. Redirects are not followed."""
    secret_files: tuple[Path, ...] = Field(min_length=1, max_length=2)
    """The file with the secret that signs, as ``facegate keys new-webhook-secret`` makes it. Only its owner
    may have access. While you change the secret, name the old and the new file: both sign. The server reads a
    file again when it changes."""
    events: tuple[EventKind, ...] = Field(default=tuple(EventKind), min_length=1, strict=False)
    """The events that it gets; by default all of them."""
    sandbox: SandboxEvents = Field(default=SandboxEvents.NEVER, strict=False)
    """Whether it gets the events of sandbox checks: ``never``, ``also`` or ``only``."""
    allow_private: bool = False
    """Whether the endpoint may be at a private, loopback or link-local address, as in your own network.
    Otherwise a connection to one is refused, whatever the name of the host resolves to."""
    ca: Path | None = None
    """A PEM file with the certificate authority of the endpoint; by default those of the system."""

    @field_validator("url")
    @classmethod
    def _without_password(cls, value: HttpUrl) -> HttpUrl:
        if value.username or value.password:
            raise ValueError("leave out the user and the password: every event is signed")
        if value.fragment:
            raise ValueError("leave out the part behind '#': it is never sent")
        return value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        host = (self.url.host or "").strip("[]")
        if self.url.scheme != "https" and not (self.allow_private and is_loopback(host)):
            raise ValueError(
                "url: write https://; http:// is for a receiver on this machine, with allow_private = true"
            )
        try:
            address = ip_address(host)
        except ValueError:
            address = None
        if not self.allow_private and (is_loopback(host) or (address and not is_public(address))):
            raise ValueError(
                f"url: {host} is no public address: name a public host, or set allow_private = true if the "
                "receiver is in your own network"
            )
        if self.ca is not None and self.url.scheme != "https":
            raise ValueError("ca is for https://, and the url is http://")
        if len(set(self.secret_files)) != len(self.secret_files):
            raise ValueError("secret_files: one file is listed twice; list each once")
        return self


class WebhookSettings(Table):
    """Webhooks."""

    endpoints: dict[Name, WebhookEndpoint] = Field(default_factory=dict, max_length=64)
    """The endpoints that get events, by name; see ``docs/webhooks.md``. All servers of a database should have
    the same. The name is a label of metrics. In the environment, all tables are one variable, as JSON."""
