"""How much a server takes on at once, of each kind of call, and how its tenants share that."""

from collections.abc import Callable
from dataclasses import dataclass

from server.edge.places import Line, PlaceRules, Places
from server.sandbox import memory_scopes
from server.settings_analysis import AnalysisSettings
from server.settings_limits import LimitSettings, TenantLimits
from server.telemetry.metrics import Metrics

__all__ = ["Capacity", "open_capacity"]

_CALL_RETRY_SECONDS = 1.0
_SCAN_RETRY_SECONDS = 3.0
_ANALYSIS_RETRY_SECONDS = 4.0
"""The first wait that seed 001 asks of refused callers, who double it with every refusal in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The places of each kind of call.

    Attributes:
        scans: ScanFace, once the token proved to be one of this server's.
        calls: Unary calls that are neither uploads nor selfies.
        uploads: UploadTrustedImage.
        watches: WatchCheck.
        selfies: AnalyzeImage.
        videos: AnalyzeVideo, from the first message on.
    """

    scans: Places
    calls: Places
    uploads: Places
    watches: Places
    selfies: Places
    videos: Places


def open_capacity(
    limits: LimitSettings, analysis: AnalysisSettings, *, several: Callable[[], bool], metrics: Metrics
) -> Capacity:
    """Every place is free.

    Short calls wait their turn. A scan, a watch or a video may hold its place for minutes, so that a share of
    theirs is kept free where there are several parties; a video waits its turn besides.

    Args:
        limits: What the server takes on.
        analysis: The same of AnalysisService.
        several: Whether callers of more than one party are configured.
        metrics: Counts places.
    """
    line = Line(of_party=limits.max_waiting_of_tenant, of_all=limits.max_waiting, seconds=limits.wait_seconds)

    def quotas(of: Callable[[TenantLimits], int | None]) -> dict[str, int]:
        return {
            scope: quota
            for tenant, table in limits.tenants.items()
            if (quota := of(table)) is not None
            for scope in memory_scopes(tenant)
        }

    def places(kind: str, rules: PlaceRules) -> Places:
        return Places(kind, rules, metrics=metrics, several=several)

    return Capacity(
        scans=places(
            "scans",
            PlaceRules(
                most=limits.max_scans,
                quotas=quotas(lambda table: table.max_scans),
                share=limits.tenant_share,
                retry_seconds=_SCAN_RETRY_SECONDS,
            ),
        ),
        calls=places(
            "calls",
            PlaceRules(
                most=limits.max_unary,
                quotas=quotas(lambda table: table.max_unary),
                line=line,
                retry_seconds=_CALL_RETRY_SECONDS,
            ),
        ),
        uploads=places(
            "uploads",
            PlaceRules(
                most=limits.max_uploads,
                quotas=quotas(lambda table: table.max_uploads),
                line=line,
                retry_seconds=_CALL_RETRY_SECONDS,
            ),
        ),
        watches=places(
            "watches",
            PlaceRules(
                most=limits.max_watches,
                quotas=quotas(lambda table: table.max_watches),
                share=limits.tenant_share,
                retry_seconds=_CALL_RETRY_SECONDS,
            ),
        ),
        selfies=places(
            "selfies",
            PlaceRules(
                most=analysis.max_images,
                quotas=quotas(lambda table: table.max_images),
                line=line,
                retry_seconds=_ANALYSIS_RETRY_SECONDS,
            ),
        ),
        videos=places(
            "videos",
            PlaceRules(
                most=analysis.max_videos,
                quotas=quotas(lambda table: table.max_videos),
                share=limits.tenant_share,
                line=line,
                retry_seconds=_ANALYSIS_RETRY_SECONDS,
            ),
        ),
    )
