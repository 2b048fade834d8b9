"""The settings of the server, with their ranges and safety rules.

Values come from a TOML file and from the environment (``FACEGATE_`` and ``__`` between levels, such as
``FACEGATE_LISTENERS__DEVICE__PORT``); the environment takes precedence. ``server.configuration.loading``
reads them. Plaintext and callers without credentials are possible on loopback only.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from server.access.access_tokens import OidcSettings
from server.access.client_certificates import ClientCertificateEntry
from server.access.code_flow import ConsoleOidcSettings
from server.access.sessions import Login
from server.base.process_limits import usable_processors
from server.base.table import Table, WebOrigin, is_loopback
from server.configuration.device import DeviceIntegritySettings
from server.configuration.hosted import HostedSettings
from server.configuration.tables import (
    AnalysisSettings,
    AuditSettings,
    ComplianceSettings,
    KeySettings,
    LimitSettings,
    TelemetrySettings,
    WebhookSettings,
)
from server.trusted_images.settings import TrustedImageSettings
from vision.packs import default_models_dir

EVALUATION_PACK: Final = "embedded"
"""The pack that needs no files."""
EVALUATION_POLICY: Final = "evaluation"
"""The shipped policy that this pack can meet."""

SCANS_A_CORE: Final = 4
"""Scans at once that a core holds so that none waits for another: while it is captured, a scan takes 0.18 of
a core, with or without a flash (docs/operating.md), so four take three quarters of one."""

Port = Annotated[int, Field(ge=0, le=65_535)]


class Tls(Table):
    """The certificate of a listener."""

    certificate: Path
    """PEM file: the certificate, then its chain."""
    key: Path
    """PEM file: the private key of the certificate, unencrypted. Only its owner may have access."""


class ServiceTls(Tls):
    """The certificate of the service listener, and the authority of its callers."""

    client_ca: Path | None = None
    """PEM file: the authorities that issue client certificates (mutual TLS); ``clients`` lists those that may
    call. If ``api_keys_file`` or ``oidc`` is set, ``clients`` may be empty, and every certificate may
    connect."""


def _validate_tls(host: str, tls: Tls | None) -> None:
    if tls is None and not is_loopback(host):
        raise ValueError(
            f"host {host} is reachable from other machines: set tls.certificate and tls.key, "
            "or listen on 127.0.0.1"
        )


class DeviceListener(Table):
    """The listener for devices; it serves ScanFace only."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8443
    """TCP port; 0 for any free one."""
    tls: Tls | None = None
    """Certificate. Mandatory unless ``host`` is loopback."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        _validate_tls(self.host, self.tls)
        return self


class WebListener(Table):
    """The listener for pages, which scan over WebSocket: ``hosted`` and ``device_integrity.web.origins``."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8446
    """TCP port; 0 for any free one."""
    tls: Tls | None = None
    """Certificate. Mandatory unless ``host`` is loopback."""
    proxy_protocol: bool = False
    """Whether every connection begins with a header of the PROXY protocol (version 1 or 2), from a proxy of
    ``trusted_proxies`` that passes TLS through; any other connection is closed."""
    hosted: HostedSettings | None = None
    """The server's own scan page; without this table there is none."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        _validate_tls(self.host, self.tls)
        return self


class ConsoleListener(Table):
    """The listener for the console: pages for people of compliance; see ``docs/console.md``."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8447
    """TCP port; 0 for any free one."""
    tls: Tls | None = None
    """Certificate. Mandatory unless ``host`` is loopback."""
    proxy_protocol: bool = False
    """Whether every connection begins with a header of the PROXY protocol (version 1 or 2), from a proxy of
    ``trusted_proxies`` that passes TLS through; any other connection is closed."""
    origin: WebOrigin | None = None
    """The console's address in browsers, such as ``https://facegate.bank.example``; requests that name
    another host are refused. Mandatory unless ``host`` is loopback."""
    oidc: ConsoleOidcSettings | None = None
    """The OIDC issuer at which people log in, in place of API keys."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        _validate_tls(self.host, self.tls)
        if self.origin is None:
            if not is_loopback(self.host):
                raise ValueError(
                    f"host {self.host} is reachable from other machines: set origin to the address of the "
                    "console in browsers, such as https://facegate.bank.example"
                )
            return self
        place = urlsplit(self.origin)
        if place.scheme == "http" and (self.tls is not None or not is_loopback(place.hostname or "")):
            raise ValueError("origin: write https://: cookies never cross a network in clear text")
        return self


class ServiceListener(Table):
    """The listener for orchestrators and compliance."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8444
    """TCP port; 0 for any free one."""
    tls: ServiceTls | None = None
    """Certificate and client authorities. Mandatory unless ``host`` is loopback."""
    api_keys_file: Path | None = None
    """TOML file with the hashes of API keys, which ``facegate keys new-api-key`` prints. The server reads it
    again when it changes. This, ``oidc`` or ``tls.client_ca`` is mandatory unless ``host`` is loopback."""
    oidc: OidcSettings | None = None
    """The OIDC issuer whose access tokens may call, beside API keys or instead of them; see
    ``docs/console.md``."""
    clients: tuple[ClientCertificateEntry, ...] = ()
    """The client certificates that may call. If ``api_keys_file`` or ``oidc`` is also set, a call needs a
    certificate and a key or token of the same tenant, which determines the scopes."""
    local_sandbox: bool = False
    """Whether callers without credentials are sandbox callers: on loopback, without ``api_keys_file``,
    ``oidc`` and ``tls.client_ca``."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        client_ca = None if self.tls is None else self.tls.client_ca
        bearer = self.api_keys_file is not None or self.oidc is not None
        if client_ca is not None and not self.clients and not bearer:
            raise ValueError(
                "tls.client_ca accepts client certificates, but no entry lists the ones that may call: add "
                '[[listeners.service.clients]] with identity = "uri:spiffe://..." (or dns:, cn:), name, '
                "tenant and roles, or set api_keys_file or oidc"
            )
        if self.clients and client_ca is None:
            raise ValueError("clients are identified by their certificates: set tls.client_ca")
        if self.local_sandbox:
            self._validate_local_sandbox()
        _validate_tls(self.host, self.tls)
        if self.tls is None or is_loopback(self.host):
            return self
        if self.tls.client_ca is None and not bearer:
            raise ValueError(
                f"host {self.host} is reachable from other machines and callers must authenticate: set "
                "tls.client_ca (mutual TLS), oidc or api_keys_file"
            )
        return self

    def _validate_local_sandbox(self) -> None:
        if not is_loopback(self.host):
            raise ValueError(
                f"local_sandbox is for loopback, and host {self.host} is reachable from other machines: "
                "remove it, and set sandbox = true in the entry of a caller"
            )
        bearer = self.api_keys_file is not None or self.oidc is not None
        if bearer or (self.tls is not None and self.tls.client_ca is not None):
            raise ValueError(
                "local_sandbox is for callers without credentials, and this listener requires credentials: "
                "remove it, and set sandbox = true in the entry of a caller"
            )


class AdminListener(Table):
    """The listener for the machines of operators: metrics, health and JWKS, but no data of a check."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8445
    """TCP port; 0 for any free one."""
    trusted_network: bool = False
    """Must be true unless ``host`` is loopback: this listener has neither TLS nor credentials, so only the
    machines that collect metrics may reach it."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.trusted_network and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} is reachable from other machines: set trusted_network = true if only "
                "those that collect metrics and check health can reach it, or listen on 127.0.0.1"
            )
        return self


class ListenerSettings(Table):
    """The listeners."""

    device: DeviceListener = DeviceListener()
    """The listener for devices."""
    service: ServiceListener = ServiceListener()
    """The listener for orchestrators and compliance."""
    admin: AdminListener = AdminListener()
    """The listener for metrics and health."""
    web: WebListener | None = None
    """The listener for pages; without this table there is none."""
    console: ConsoleListener | None = None
    """The listener for the console; without this table there is none. ``facegate serve`` on loopback without
    a settings file has one."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(default=(), max_length=64)
    """Networks of your proxies before the listeners, such as ``10.0.0.0/24``. Their headers
    ``X-Forwarded-For`` and ``Forwarded`` name the caller whom limits by address count, and the audit log
    names: the rightmost address that is no trusted proxy's. From anybody else they are ignored."""

    @model_validator(mode="after")
    def _people_can_log_in(self) -> Self:
        if self.console is None or self.console_login is not None:
            return self
        raise ValueError(
            "console: nobody could log in: set listeners.console.oidc, or listeners.service.api_keys_file "
            "without tls.client_ca"
        )

    @model_validator(mode="after")
    def _proxies_are_known(self) -> Self:
        for name, listener in (("web", self.web), ("console", self.console)):
            if listener is not None and listener.proxy_protocol and not self.trusted_proxies:
                raise ValueError(
                    f"{name}.proxy_protocol: nobody could connect: set listeners.trusted_proxies to the "
                    "networks of the proxies that send the header, or remove it"
                )
        return self

    @property
    def console_login(self) -> Login | None:
        """How people log in at the console; ``None`` if they cannot.

        API keys are no log-in where a call also needs a certificate, because the console asks for none.
        """
        service = self.service
        if self.console is not None and self.console.oidc is not None:
            return Login.OIDC
        mutual = service.tls is not None and service.tls.client_ca is not None
        if service.api_keys_file is not None and not mutual:
            return Login.API_KEY
        local = self.console is not None and is_loopback(self.console.host) and is_loopback(service.host)
        bearer = service.api_keys_file is not None or service.oidc is not None
        return Login.LINK if local and not mutual and not bearer else None


class RuntimeSettings(Table):
    """How models run."""

    providers: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto`` uses CUDA if it is available; with ``cuda``, the server does not start without it. Of several
    GPUs it is the first that ``CUDA_VISIBLE_DEVICES`` shows."""
    workers: int | None = Field(default=None, ge=1, le=256)
    """Threads that judge frames; by default the number of CPUs that the process may use."""


class StorageSettings(Table):
    """The storage of checks and evidence."""

    database_url: str | None = None
    """SQLAlchemy URL with an asynchronous driver; by default ``facegate.db`` in ``data_dir``."""
    objects_url: str | None = None
    """A folder, or a URL such as ``s3://bucket/prefix``; by default ``objects`` in ``data_dir``. The
    credentials of a bucket come from the environment: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``,
    ``AWS_REGION``, ``AWS_ENDPOINT_URL``."""


class PolicySettings(Table):
    """The policies of the server."""

    folder: Path | None = None
    """A folder with policy files, which add to the shipped ones or replace those of the same name."""
    served: tuple[str, ...] = ()
    """The names of the policies that the server serves; empty for all. A name without a policy keeps the
    server from starting."""
    default: str = "standard"
    """The policy of a check that names none. Without a settings file, a server that listens on loopback only
    and uses the pack ``embedded`` has ``evaluation`` by default."""


class ResultSettings(Table):
    """The signature of results."""

    issuer: str = Field(default="facegate", min_length=1, max_length=256)
    """``iss`` in the header of each JWS of results. Set a different one for every installation, such as
    ``https://facegate.bank.example``, so that results of one cannot be used as those of another."""


class LogLevel(StrEnum):
    """The lowest level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The format of log lines."""

    JSON = "json"
    CONSOLE = "console"


class LogSettings(Table):
    """The log."""

    level: LogLevel = LogLevel.INFO
    """Lowest level that is logged."""
    format: LogFormat = LogFormat.JSON
    """One JSON object a line, or text for people."""


def _default_models_dir() -> Path:
    try:
        home = Path.home()
    except RuntimeError:
        # An account without a home, such as that of a service: relative, like the default of ``data_dir``.
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
    """Folder of the database, objects and keys, unless their settings name other places."""
    pack: str = EVALUATION_PACK
    """Model pack: one that ``facegate models pull`` fetched, such as ``open`` or ``buffalo_l``;
    ``embedded``, of facegate-lab; or a folder: ``open:<folder>`` or ``insightface:<folder>``."""
    allow_evaluation_pack: bool = False
    """Whether EXPRESS policies may run with a pack that is for evaluation only, such as ``embedded``. If not,
    their checks are refused, and a server whose default policy is one of them does not start. Without a
    settings file, a server on loopback has ``true`` by default."""
    calibration: Path | None = None
    """Calibration of the pack's embedder in place of Facegate's: made from your own photos by ``facegate
    evaluate match --calibration`` on another machine, with facegate-lab, or of published figures."""
    models_dir: Path = Field(default_factory=_default_models_dir)
    """Folder of the pulled packs, with one folder for each. By default ``facegate/models`` in
    ``$XDG_DATA_HOME``, which is ``~/.local/share`` unless it is set."""
    listeners: ListenerSettings = ListenerSettings()
    """The listeners."""
    runtime: RuntimeSettings = RuntimeSettings()
    """How models run."""
    storage: StorageSettings = StorageSettings()
    """The storage of checks and evidence."""
    trusted_images: TrustedImageSettings = TrustedImageSettings()
    """The customer's own store of trusted images."""
    policies: PolicySettings = PolicySettings()
    """The policies of the server."""
    keys: KeySettings = KeySettings()
    """The keys of the server."""
    results: ResultSettings = ResultSettings()
    """The signature of results."""
    audit: AuditSettings = AuditSettings()
    """The checkpoints of the audit log."""
    limits: LimitSettings = LimitSettings()
    """The limits of one server."""
    compliance: ComplianceSettings = ComplianceSettings()
    """Compliance."""
    analysis: AnalysisSettings = AnalysisSettings()
    """AnalysisService."""
    device_integrity: DeviceIntegritySettings = DeviceIntegritySettings()
    """The apps and pages that may scan, and the settings for the verification of their evidence."""
    drain_seconds: float = Field(default=30.0, ge=0, le=3600)
    """How long running scans may continue after SIGTERM."""
    log: LogSettings = LogSettings()
    """The log."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Traces and metrics."""
    webhooks: WebhookSettings = WebhookSettings()
    """Webhooks."""

    @model_validator(mode="after")
    def _pages_are_known(self) -> Self:
        if self.listeners.web is not None and not self.devices.web.origins:
            raise ValueError(
                "listeners.web serves the pages of device_integrity.web.origins, and none is listed: set "
                'device_integrity.web.rp_id and origins, such as "verify.bank.example" and '
                '["https://verify.bank.example"], or listeners.web.hosted for the server\'s own page'
            )
        return self

    @property
    def hosted(self) -> HostedSettings | None:
        """The server's own scan page; ``None`` without one."""
        return None if self.listeners.web is None else self.listeners.web.hosted

    @property
    def devices(self) -> DeviceIntegritySettings:
        """``device_integrity``, where the server's own page is one of the pages that may scan."""
        if self.hosted is None:
            return self.device_integrity
        web, own = self.device_integrity.web, self.hosted.origin
        pages = {
            "rp_id": web.rp_id or urlsplit(own).hostname or "",
            "origins": tuple(dict.fromkeys((*web.origins, own))),
        }
        return self.device_integrity.model_copy(update={"web": web.model_copy(update=pages)})

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
            raise ValueError("there is no such home folder: write an absolute path") from error

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the listeners."""
        listeners = self.listeners
        opened = listeners.device, listeners.service, listeners.admin, listeners.web, listeners.console
        return all(is_loopback(listener.host) for listener in opened if listener is not None)

    @property
    def database_url(self) -> str:
        """The URL of the database, with the default resolved."""
        return self.storage.database_url or f"sqlite:///{self.data_dir / 'facegate.db'}"

    @property
    def workers(self) -> int:
        """The number of threads that judge frames, with the default resolved."""
        return self.runtime.workers or max(1, int(usable_processors()))

    @property
    def max_scans(self) -> int:
        """The maximum number of scans at once, with the default resolved."""
        return self.limits.max_scans or SCANS_A_CORE * self.workers

    @property
    def objects_url(self) -> str:
        """The folder or URL of the object store, with the default resolved."""
        return self.storage.objects_url or str(self.data_dir / "objects")

    @property
    def witness_url(self) -> str:
        """The folder or URL of the audit log's witness, with the default resolved."""
        return self.audit.witness_url or self.objects_url

    @property
    def key_folder(self) -> Path:
        """The folder of the keys, with the default resolved."""
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
        """Use only the given values.

        ``server.configuration.loading`` reads the sources separately, to record the origin of each value.
        """
        return (init_settings,)
