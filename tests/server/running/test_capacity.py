"""Servers have the places of their settings."""

import pytest
from prometheus_client import CollectorRegistry

from server.base.errors import Refusal
from server.configuration.tables import AnalysisSettings, LimitSettings
from server.edge.places import Places
from server.running.capacity import Capacity, open_capacity
from server.telemetry.metrics import Metrics


def _capacity(*, several: bool = True, **limits: object) -> Capacity:
    return open_capacity(
        LimitSettings.model_validate(limits),
        AnalysisSettings(),
        several=lambda: several,
        metrics=Metrics(CollectorRegistry()),
    )


async def _most(places: Places, party: str, *, left: int = 200) -> int:
    """The number of places that a party gets, one after another."""
    if not left:
        return 0
    try:
        async with places.hold_place(party):
            return 1 + await _most(places, party, left=left - 1)
    except Refusal:
        return 0


@pytest.mark.parametrize("several", [True, False])
async def test_several_parties_leave_a_share_of_long_held_places_free(
    several: bool,
) -> None:
    capacity = _capacity(several=several, wait_seconds=0.0)
    assert await _most(capacity.scans, "a") == (24 if several else 32)
    assert await _most(capacity.watches, "a") == (96 if several else 128)
    assert await _most(capacity.videos, "a") == (1 if several else 2)
    assert await _most(capacity.uploads, "a") == 4
    assert await _most(capacity.calls, "a") == 64
    assert await _most(capacity.selfies, "a") == 4


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("max_scans", "scans"),
        ("max_watches", "watches"),
        ("max_videos", "videos"),
        ("max_uploads", "uploads"),
        ("max_unary", "calls"),
        ("max_images", "selfies"),
    ],
)
async def test_a_tenants_quota_is_for_its_real_callers_and_as_much_for_its_sandbox(
    setting: str, kind: str
) -> None:
    capacity = _capacity(several=False, tenants={"bank": {setting: 1}}, wait_seconds=0.0)
    places: Places = getattr(capacity, kind)
    assert await _most(places, "bank") == 1
    assert await _most(places, "sandbox:bank") == 1
    assert await _most(places, "other") > 1
