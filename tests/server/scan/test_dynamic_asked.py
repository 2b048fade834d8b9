"""The demands of a policy besides colours, over the wire: a blink, and the depth of a head."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2

from simulator import AmbientPreset, FlashKind
from tests.server.flash_checks import check, flash_server
from tests.server.live import LiveServer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server with an operator's settings."""
    async with flash_server(tmp_path_factory.mktemp("asked")) as server:
        yield server


async def _a_person_passes(real: LiveServer, *, policy: str) -> bool:
    """Whether one of three scans of a person succeeds; none may be a spoof."""
    for seed in (5, 6, 7):
        result, _ = await check(real, FlashKind.GENUINE, AmbientPreset.INDOOR, policy=policy, seed=seed)
        assert result.liveness.verdict != result_pb2.LIVENESS_VERDICT_SPOOF
        if result.status == result_pb2.CHECK_STATUS_SUCCESS:
            return True
    return False


@pytest.mark.slow
async def test_where_a_blink_is_taken_a_person_blinks_and_a_stiff_mask_is_asked_in_vain(
    real: LiveServer,
) -> None:
    masked, wire = await check(real, FlashKind.RIGID_MASK, AmbientPreset.INDOOR, policy="blinking")
    assert masked.status == result_pb2.CHECK_STATUS_FAILURE
    assert masked.liveness.verdict != result_pb2.LIVENESS_VERDICT_LIVE
    if masked.liveness.verified_bits >= masked.liveness.required_bits:
        assert "BLINK" in wire.hints
    assert await _a_person_passes(real, policy="blinking")


@pytest.mark.slow
@pytest.mark.alone
async def test_where_depth_is_taken_a_head_shows_it_and_a_worn_print_is_asked_in_vain(
    real: LiveServer,
) -> None:
    asked = 0
    for seed, ambient in ((5, AmbientPreset.DARK), (5, AmbientPreset.INDOOR), (6, AmbientPreset.INDOOR)):
        worn, wire = await check(real, FlashKind.CUT_OUT_PRINT, ambient, policy="turning", seed=seed)
        assert worn.status == result_pb2.CHECK_STATUS_FAILURE
        assert worn.liveness.verdict != result_pb2.LIVENESS_VERDICT_LIVE
        asked += "TURN_HEAD_SLIGHTLY" in wire.hints
    assert asked
    assert await _a_person_passes(real, policy="turning")


@pytest.mark.slow
async def test_a_stiff_mask_does_not_pass_where_the_orchestrator_raises_the_mode_of_standard(
    real: LiveServer,
) -> None:
    for ambient in (AmbientPreset.DARK, AmbientPreset.INDOOR):
        masked, wire = await check(real, FlashKind.RIGID_MASK, ambient, policy="standard")
        assert wire.plans == [scan_pb2.PLAN_FLASH]
        # The colours fit; the missing blink is the only sign against the face.
        assert masked.liveness.confidence < 70
        assert masked.liveness.requested_mode == scan_pb2.MODE_DYNAMIC
        assert masked.status == result_pb2.CHECK_STATUS_FAILURE
        assert masked.liveness.verdict != result_pb2.LIVENESS_VERDICT_LIVE


@pytest.mark.slow
async def test_a_person_passes_where_the_orchestrator_raises_the_mode_of_standard(real: LiveServer) -> None:
    assert await _a_person_passes(real, policy="standard")
