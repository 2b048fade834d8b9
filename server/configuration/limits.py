"""The settings of the limits of one server, and how its tenants share them."""

from pydantic import Field

from server.access.callers import Name
from server.base.table import Table
from server.configuration.failures import FailureSettings

__all__ = ["LimitSettings", "TenantLimits"]

_MIB = 1024 * 1024


class TenantLimits(Table):
    """The maximum number of places that one tenant may hold at once.

    Its sandbox callers may hold the same number in addition, because they count as a separate tenant. A quota
    that is not set is the limit of the server.
    """

    max_scans: int | None = Field(default=None, ge=1, le=10_000)
    """Scans."""
    max_unary: int | None = Field(default=None, ge=1, le=10_000)
    """Unary calls that are neither uploads nor selfies."""
    max_uploads: int | None = Field(default=None, ge=1, le=1_000)
    """Uploads of trusted images."""
    max_watches: int | None = Field(default=None, ge=1, le=10_000)
    """Streams of WatchCheck."""
    max_images: int | None = Field(default=None, ge=1, le=1_000)
    """Selfies (AnalyzeImage)."""
    max_videos: int | None = Field(default=None, ge=1, le=100)
    """Videos (AnalyzeVideo)."""


class LimitSettings(Table):
    """The limits of one server; calls that exceed them are refused with RESOURCE_EXHAUSTED and RetryInfo."""

    max_scans: int = Field(default=32, ge=1, le=10_000)
    """Maximum number of scans at once."""
    max_scan_frames_in_flight: int = Field(default=8, ge=1, le=64)
    """Maximum number of frames of one scan that are being sent or judged: the credit window."""
    max_unary: int = Field(default=64, ge=1, le=10_000)
    """Maximum number of unary calls at once that are neither uploads nor selfies."""
    max_uploads: int = Field(default=4, ge=1, le=1_000)
    """Maximum number of trusted images that are decoded and judged at once."""
    max_watches: int = Field(default=128, ge=1, le=10_000)
    """Maximum number of streams of WatchCheck at once; each queries the database twice a second."""
    max_evidence: int = Field(default=4, ge=1, le=100)
    """Maximum number of calls of EvidenceService at once; an export holds a few megabytes."""
    max_device_message_bytes: int = Field(default=768 * 1024, ge=64 * 1024, le=4 * _MIB)
    """Maximum message size on the device listener; the limits of the wire contract also apply."""
    max_service_message_bytes: int = Field(default=11 * _MIB, ge=_MIB, le=16 * _MIB)
    """Maximum message size on the service listener; a selfie of 10 MB must fit."""
    wait_seconds: float = Field(default=4.0, ge=0.0, le=20.0)
    """How long a unary call, an upload, a selfie or a video waits for a place if none is free. It should be
    shorter than the deadline of 5 seconds that is recommended to callers. It is refused at once if
    ``max_waiting_of_tenant`` or ``max_waiting`` wait already. Scans and watches do not wait."""
    max_waiting: int = Field(default=16, ge=0, le=1_000)
    """Maximum number of waiting calls of one kind, of all tenants together. Each waiting upload and selfie
    keeps its message, of at most ``max_service_message_bytes``, in memory."""
    max_waiting_of_tenant: int = Field(default=8, ge=0, le=1_000)
    """Maximum number of waiting calls of one kind, of one tenant."""
    tenant_share: float = Field(default=0.75, ge=0.5, le=1.0)
    """The fraction of the places for scans, watches and videos that one tenant may hold while no other tenant
    holds any. It applies if callers of several tenants, or both real and sandbox callers, are configured. It
    shrinks as other tenants hold more: a tenant gets at most ``tenant_share / (1 - tenant_share)`` times the
    places that it leaves free, but always one. 1 keeps no place free."""
    tenants: dict[Name, TenantLimits] = Field(default_factory=dict)
    """Quotas of single tenants, by name: the maximum number of calls of each kind at once. The sandbox
    callers of a tenant may hold the same number in addition, because they count as a separate tenant. In the
    environment, all tables are one variable, as JSON."""
    memory_mib: int | None = Field(default=None, ge=256, le=16_777_216)
    """Memory that this process may use. Above 85 % of it new scans are refused, and ``/readyz`` answers 503,
    until it uses less than 70 %, or less than 85 % for half a minute. By default the limit of the control
    group (of the container or the systemd unit) counts, and what all processes in it use; without any limit
    no scan is refused."""
    lease_seconds: float = Field(default=15.0, ge=2.0, le=120.0)
    """How long a scan stays assigned to a replica that has stopped responding."""
    failures: FailureSettings = FailureSettings()
    """Failed checks of one subject, portrait or device."""
