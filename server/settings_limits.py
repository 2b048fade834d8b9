"""The settings of what one server takes on, and how its tenants share it."""

from pydantic import Field

from server.callers import Name
from server.settings_base import Table
from server.settings_failures import FailureSettings

__all__ = ["LimitSettings", "TenantLimits"]

_MIB = 1024 * 1024


class TenantLimits(Table):
    """The most that one tenant may hold at once.

    Its sandbox callers may hold as much again: they count as a tenant of their own. What is not set is
    limited by what the server takes on.
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
    """What one server takes on; beyond it the answer is RESOURCE_EXHAUSTED with RetryInfo."""

    max_scans: int = Field(default=32, ge=1, le=10_000)
    """Scans at once."""
    max_scan_frames_in_flight: int = Field(default=8, ge=1, le=64)
    """Frames of one scan that are on the way or being judged: the credit window."""
    max_unary: int = Field(default=64, ge=1, le=10_000)
    """Unary calls at once that are neither uploads nor selfies."""
    max_uploads: int = Field(default=4, ge=1, le=1_000)
    """Trusted images that are being decoded and judged at once."""
    max_watches: int = Field(default=128, ge=1, le=10_000)
    """Streams of WatchCheck at once; each asks the database twice a second."""
    max_device_message_bytes: int = Field(default=768 * 1024, ge=64 * 1024, le=4 * _MIB)
    """Largest message on the device listener; the wire's own limits stay in force."""
    max_service_message_bytes: int = Field(default=11 * _MIB, ge=_MIB, le=16 * _MIB)
    """Largest message on the service listener; a selfie of 10 MB has to fit."""
    wait_seconds: float = Field(default=4.0, ge=0.0, le=20.0)
    """How long a unary call, an upload, a selfie or a video waits for its turn where as many as may are being
    worked on; shorter than the deadline of 5 seconds that callers are recommended. Scans and watches do not
    wait."""
    max_waiting: int = Field(default=16, ge=0, le=1_000)
    """Calls of one kind that wait so, of all tenants together. Each upload and each selfie among them holds
    its message, of at most ``max_service_message_bytes``."""
    max_waiting_of_tenant: int = Field(default=8, ge=0, le=1_000)
    """The same of one tenant."""
    tenant_share: float = Field(default=0.75, ge=0.5, le=1.0)
    """The part of the scans, watches and videos that one tenant may hold while no other does, where callers
    of several tenants, or sandbox callers beside real ones, are configured; the rest stays free for the
    others. The more they hold, the less it is: a tenant is given no more than ``tenant_share / (1 -
    tenant_share)`` times what it leaves free, and one in any case. 1 keeps nothing free."""
    tenants: dict[Name, TenantLimits] = Field(default_factory=dict)
    """Quotas of single tenants, by name: the most that one may hold at once of each kind of call. Its sandbox
    callers may hold as much again, since they count as a tenant of their own. In the environment all
    tables are one variable, as JSON."""
    lease_seconds: float = Field(default=15.0, ge=2.0, le=120.0)
    """How long a scan stays with a replica that stopped answering."""
    failures: FailureSettings = FailureSettings()
    """Failed checks of one subject, portrait or device."""
