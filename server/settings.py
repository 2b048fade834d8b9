"""The server's settings: what there is, in which ranges, and what is safe.

Values come from a TOML file and from the environment (``FACEGATE_`` and ``__`` between levels, such as
``FACEGATE_LISTENERS__DEVICE__PORT``); the environment beats the file. ``server.settings_loading`` reads
them. Plaintext and callers without credentials are possible on loopback only.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from server.client_certificates import ClientCertificateEntry
from server.settings_analysis import AnalysisSettings
from server.settings_base import Table, is_loopback
from server.settings_device import DeviceIntegritySettings
from server.settings_limits import LimitSettings
from server.trusted_images.settings import TrustedImageSettings
from vision.packs.models_dir import default_models_dir

__all__ = [
    "AdminListener",
    "DeviceListener",
    "IsolationSettings",
    "KeySettings",
    "LimitSettings",
    "ListenerSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "PolicySettings",
    "ResultSettings",
    "RuntimeSettings",
    "ServiceListener",
    "ServiceTls",
    "Settings",
    "StorageSettings",
    "Tls",
    "is_loopback",
]

Port = Annotated[int, Field(ge=0, le=65_535)]


class Tls(Table):
    """A listener's own certificate."""

    certificate: Path
    """PEM file: the certificate, then its chain."""
    key: Path
    """PEM file: the certificate's private key, unencrypted and readable by its owner only."""


class ServiceTls(Tls):
    """The service listener's certificate, and who may call it."""

    client_ca: Path | None = None
    """PEM file: the authorities whose client certificates are accepted (mutual TLS). ``clients`` says which
    of those may call; beside ``api_keys_file`` it may be left empty, and any of them may connect."""


class DeviceListener(Table):
    """Where phones connect; nothing but ScanFace."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8443
    """TCP port; 0 for any free one."""
    tls: Tls | None = None
    """Mandatory off loopback."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.tls is None and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} is reachable from other machines: set tls.certificate and tls.key, "
                "or listen on 127.0.0.1"
            )
        return self


class ServiceListener(Table):
    """Where orchestrators and compliance connect."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8444
    """TCP port; 0 for any free one."""
    tls: ServiceTls | None = None
    """Mandatory off loopback."""
    api_keys_file: Path | None = None
    """TOML file with the hashes of API keys; see ``server.api_keys``. It is read again when it changes. Off
    loopback this or ``tls.client_ca`` is mandatory."""
    clients: tuple[ClientCertificateEntry, ...] = ()
    """The client certificates that may call, each with its tenant, roles and scopes. Where there is an
    ``api_keys_file`` too, a call needs both, of one tenant, and the key says what it may do."""
    local_sandbox: bool = False
    """Whether callers are sandbox callers where they need no credentials: on loopback, without
    ``api_keys_file`` and ``tls.client_ca``. Elsewhere a caller's entry says who is."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        client_ca = None if self.tls is None else self.tls.client_ca
        if client_ca is not None and not self.clients and self.api_keys_file is None:
            raise ValueError(
                "tls.client_ca accepts client certificates, but no entry says which of them may call: add "
                '[[listeners.service.clients]] with identity = "uri:spiffe://..." (or dns:, cn:), name, '
                "tenant and roles, or set api_keys_file"
            )
        if self.clients and client_ca is None:
            raise ValueError("clients are known by their certificates: set tls.client_ca")
        if self.local_sandbox:
            self._check_local_sandbox()
        if is_loopback(self.host):
            return self
        if self.tls is None:
            raise ValueError(
                f"host {self.host} is reachable from other machines: set tls.certificate and tls.key, "
                "or listen on 127.0.0.1"
            )
        if self.tls.client_ca is None and self.api_keys_file is None:
            raise ValueError(
                f"host {self.host} is reachable from other machines and callers must prove who they are: set "
                "tls.client_ca (mutual TLS) or api_keys_file"
            )
        return self

    def _check_local_sandbox(self) -> None:
        if not is_loopback(self.host):
            raise ValueError(
                f"local_sandbox is for loopback, and host {self.host} is reachable from other machines: "
                "leave it out, and write sandbox = true into a caller's entry"
            )
        if self.api_keys_file is not None or (self.tls is not None and self.tls.client_ca is not None):
            raise ValueError(
                "local_sandbox is for callers without credentials, and these need some: leave it out, and "
                "write sandbox = true into a caller's entry"
            )


class AdminListener(Table):
    """Where operators' machines connect: metrics, health, JWKS; nothing about any check."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8445
    """TCP port; 0 for any free one."""
    trusted_network: bool = False
    """Must be said to listen off loopback: this listener has neither TLS nor callers' credentials, so
    only the machines that collect metrics may reach it."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.trusted_network and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} is reachable from other machines: set trusted_network = true if only "
                "those that collect metrics and check health can reach it, or listen on 127.0.0.1"
            )
        return self


class ListenerSettings(Table):
    """The three listeners."""

    device: DeviceListener = DeviceListener()
    """For phones."""
    service: ServiceListener = ServiceListener()
    """For orchestrators and compliance."""
    admin: AdminListener = AdminListener()
    """For metrics and health."""


class RuntimeSettings(Table):
    """How models run."""

    intra_op_threads: int = Field(default=1, ge=1, le=256)
    """Threads of one inference. ``workers`` times this should not exceed the CPUs."""
    providers: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto`` takes CUDA where it is available and else the CPU; ``cuda`` refuses to fall back."""
    workers: int | None = Field(default=None, ge=1, le=256)
    """Threads that judge frames; by default as many as CPUs."""


class StorageSettings(Table):
    """Where checks and evidence are kept."""

    database_url: str | None = None
    """SQLAlchemy URL with an asynchronous driver; by default ``facegate.db`` in ``data_dir``."""
    objects_url: str | None = None
    """A folder, or a URL such as ``s3://bucket/prefix``; by default ``objects`` in ``data_dir``. The
    credentials of a bucket come from the environment: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
    ``AWS_REGION``, ``AWS_ENDPOINT_URL``."""


class PolicySettings(Table):
    """Which policies there are."""

    folder: Path | None = None
    """A folder with policy files beside the shipped ones, or in their place."""
    default: str = "standard"
    """The policy of a check that names none."""


class KeySettings(Table):
    """Where the server's own keys lie."""

    folder: Path | None = None
    """By default ``keys`` in ``data_dir``; missing keys are made on the first start."""


class ResultSettings(Table):
    """How results are signed."""

    issuer: str = Field(default="facegate", min_length=1, max_length=256)
    """Who signs them: ``iss`` in the header of each JWS. Give every installation its own, such as
    ``https://facegate.bank.example``, so that no result of one passes for another's."""


class IsolationSettings(Table):
    """The processes in which JPEG 2000 and WebP pictures are decoded, and what one may use."""

    workers: int = Field(default=2, ge=1, le=64)
    """Processes that stand ready."""
    memory_mib: int = Field(default=1024, ge=64, le=65_536)
    """Memory that a process may map beyond what it starts with. A JPEG 2000 picture takes up to 30 bytes a
    pixel, so a policy with a ``portrait.max_pixels`` of more than 30 million needs more."""
    cpu_seconds: int = Field(default=10, ge=1, le=600)
    """CPU time of one picture."""
    wall_seconds: float = Field(default=15.0, ge=0.5, le=600.0)
    """Time of one picture, from sending it to its last pixel."""
    wait_seconds: float = Field(default=5.0, ge=0.1, le=60.0)
    """Time that a picture waits for a free process; then the answer is RESOURCE_EXHAUSTED."""
    jobs_per_worker: int = Field(default=1, ge=1, le=1_000_000)
    """Pictures after which a process is replaced. With 1 no picture can meddle with the next person's; more
    saves the start of a process for each picture."""


class LogLevel(StrEnum):
    """The least level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """What log lines look like."""

    JSON = "json"
    CONSOLE = "console"


class LogSettings(Table):
    """What is logged, and how."""

    level: LogLevel = LogLevel.INFO
    """The least level that is logged."""
    format: LogFormat = LogFormat.JSON
    """One JSON object a line, or text for people."""


def _default_models_dir() -> Path:
    try:
        home = Path.home()
    except RuntimeError:
        # An account without a home, as services have: beside the data, which are relative as well.
        home = Path()
    return default_models_dir(os.environ, home)


class Settings(BaseSettings):
    """Every setting of a server."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        env_prefix="FACEGATE_",
        env_nested_delimiter="__",
    )

    data_dir: Path = Path("data")
    """Where database, objects and keys lie unless their own settings say otherwise."""
    pack: str = "embedded"
    """The pack: one that ``facegate models pull`` fetched, such as ``open`` or ``buffalo_l``; ``embedded``;
    or a folder of your own: ``open:<folder>`` or ``insightface:<folder>``."""
    calibration: Path | None = None
    """A calibration of the pack's embedder in place of the one that comes with Facegate: made of photos of
    your own by ``facegate calibrate match``, or with figures that were published for it."""
    models_dir: Path = Field(default_factory=_default_models_dir)
    """Where pulled packs lie, each in a folder of its own. By default ``facegate/models`` in
    ``$XDG_DATA_HOME``, which is ``~/.local/share`` unless it is set."""
    listeners: ListenerSettings = ListenerSettings()
    """The three listeners."""
    runtime: RuntimeSettings = RuntimeSettings()
    """How models run."""
    storage: StorageSettings = StorageSettings()
    """Where checks and evidence are kept."""
    trusted_images: TrustedImageSettings = TrustedImageSettings()
    """The customer's own store of trusted images."""
    policies: PolicySettings = PolicySettings()
    """Which policies there are."""
    keys: KeySettings = KeySettings()
    """Where the server's own keys lie."""
    results: ResultSettings = ResultSettings()
    """How results are signed."""
    limits: LimitSettings = LimitSettings()
    """What one server takes on."""
    isolation: IsolationSettings = IsolationSettings()
    """The processes in which images of risky formats are decoded."""
    analysis: AnalysisSettings = AnalysisSettings()
    """AnalysisService."""
    device_integrity: DeviceIntegritySettings = DeviceIntegritySettings()
    """Whose apps and pages may scan, and what their evidence is held against."""
    drain_seconds: float = Field(default=30.0, ge=0, le=3600)
    """How long running scans may go on after SIGTERM."""
    reflection: bool = False
    """Whether the service listener answers gRPC reflection."""
    log: LogSettings = LogSettings()
    """What is logged, and how."""

    @field_validator("pack")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value.strip():
            raise ValueError('name a pack, such as "embedded", "open" or "insightface:/srv/models/buffalo_l"')
        return value

    @field_validator("models_dir", "calibration")
    @classmethod
    def _from_home(cls, value: Path | None) -> Path | None:
        try:
            return None if value is None else value.expanduser()
        except RuntimeError as error:
            raise ValueError("there is no such home folder: write the path in full") from error

    @property
    def database_url(self) -> str:
        """The database's URL, the default worked out."""
        return self.storage.database_url or f"sqlite:///{self.data_dir / 'facegate.db'}"

    @property
    def objects_url(self) -> str:
        """The object store's folder or URL, the default worked out."""
        return self.storage.objects_url or str(self.data_dir / "objects")

    @property
    def key_folder(self) -> Path:
        """The folder of the keys, the default worked out."""
        return self.keys.folder or self.data_dir / "keys"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Takes what it is given and nothing else.

        ``server.settings_loading`` reads the sources one by one, to know where each value came from.
        """
        return (init_settings,)
