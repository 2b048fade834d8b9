"""Devices of every kind in whole checks of a real server, under a policy that demands evidence."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from facegate.v1 import result_pb2

from lab.simulator.devices import AttestedUse, DeviceKind
from lab.tests.test_devices.played import Field, believing, failed, reasons, signs
from server.running.assembly import Tuning
from tests.sampling import some_fast
from tests.server.flash_phone import phone

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUCCESS, FAILURE = result_pb2.CHECK_STATUS_SUCCESS, result_pb2.CHECK_STATUS_FAILURE
NONE, LOW = result_pb2.DEVICE_ASSURANCE_NONE, result_pb2.DEVICE_ASSURANCE_LOW
MEDIUM = result_pb2.DEVICE_ASSURANCE_MEDIUM


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def field(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    async with believing(tmp_path_factory.mktemp("field")) as one:
        yield one


# The tests that fail in a whole check of a sandbox caller, which test devices need, and the decided signs,
# for one kind of each source of evidence; lab/tests/lab/simulator/test_devices.py has every kind.
# `stream.arrival` also fails softly in all of them, because frames come as fast as they can, and is left out.
REFUSED = {
    DeviceKind.UNLOCKED: ({"android_key.boot_state", "play_integrity.device_recognition"}, {"rooted"}),
    DeviceKind.REVOKED_KEY: ({"android_key.revocation"}, {"rooted"}),
    DeviceKind.RELAYED: (
        {"android_key.challenge", "android_key.possession", "play_integrity.challenge"},
        {"man_in_the_middle"},
    ),
    DeviceKind.LOOPED_FILE: ({"stream.duplicates", "stream.loop"}, {"injection"}),
    DeviceKind.HOOKED: ({"runtime.hooking"}, {"function_hooking"}),
}


@pytest.mark.parametrize("kind", some_fast(REFUSED, step=4))
async def test_a_dishonest_device_is_not_trusted_though_the_face_is_right(
    field: Field, kind: DeviceKind
) -> None:
    names, decided = REFUSED[kind]
    result = await field.check(field.device(kind))
    assert failed(result) - {"stream.arrival"} == names
    assert signs(result) == decided
    assert (result.status, result.device.assurance) == (FAILURE, NONE)
    assert "DEVICE_NOT_TRUSTED" in reasons(result)
    assert result.match.same_person


async def test_a_virtual_camera_in_the_sandbox_is_tolerated_and_reported(field: Field) -> None:
    result = await field.check(field.device(DeviceKind.VIRTUAL_CAMERA))
    assert failed(result) - {"stream.arrival"} == {"camera.name"}
    (name,) = (check for check in result.device.checks if check.name == "camera.name")
    assert (name.decisive, name.tolerated, result.sandbox) == (True, True, True)
    assert (result.status, result.device.assurance, signs(result)) == (SUCCESS, LOW, set())


@pytest.mark.parametrize(
    ("kind", "assurance"),
    [
        (DeviceKind.ANDROID, MEDIUM),
        pytest.param(DeviceKind.IPHONE, MEDIUM, marks=pytest.mark.slow),
        pytest.param(DeviceKind.BROWSER, LOW, marks=pytest.mark.slow),
    ],
)
async def test_an_honest_device_is_trusted_as_far_as_its_platform_goes(
    field: Field, kind: DeviceKind, assurance: "result_pb2.DeviceAssurance.ValueType"
) -> None:
    result = await field.check(field.device(kind), pace="realtime")
    assert failed(result) == signs(result) == set()
    assert reasons(result) == []
    assert (result.status, result.device.assurance) == (SUCCESS, assurance)


@pytest.mark.parametrize("kind", some_fast([DeviceKind.RENAMED_CAMERA, DeviceKind.PERFECT_TIMING], step=2))
async def test_an_injector_that_only_times_too_well_is_reported_and_not_decided_upon(
    field: Field, kind: DeviceKind
) -> None:
    result = await field.check(field.device(kind), pace="realtime")
    assert failed(result) == {"camera.timestamps"}
    (sign,) = result.device.signals
    assert (sign.name, sign.passed) == ("injection", True)
    assert (result.status, result.device.assurance) == (SUCCESS, MEDIUM)


async def test_findings_common_on_honest_devices_are_not_decisive(field: Field) -> None:
    result = await field.check(field.device(DeviceKind.SHARED_SCREEN), pace="realtime")
    assert failed(result) == {"runtime.screen_sharing"}
    (sign,) = result.device.signals
    assert (sign.name, sign.passed) == ("remote_control", True)
    assert (result.status, result.device.assurance) == (SUCCESS, MEDIUM)


@pytest.mark.slow
async def test_a_phone_that_makes_many_keys_is_reported(field: Field) -> None:
    for _ in range(2):
        result = await field.check(field.device(DeviceKind.KEY_FARM), pace="realtime")
        assert failed(result) == {"app_attest_receipt.risk"}
        (sign,) = (check for check in result.device.checks if check.name == "app_attest_receipt.risk")
        assert sign.reason == "RISK_HIGH"
        assert (result.status, result.device.assurance, signs(result)) == (SUCCESS, MEDIUM, set())


@pytest.mark.slow
async def test_an_iphone_enrols_and_a_repeated_counter_is_refused(field: Field) -> None:
    use = AttestedUse()
    verified = []
    for _ in range(2):
        result = await field.check(field.device(DeviceKind.IPHONE, use))
        assert result.status == SUCCESS
        names = {check.name.partition(".")[0] for check in result.device.checks}
        verified.append(names & {"app_attest", "app_attest_assertion", "app_attest_receipt"})
    assert verified == [
        {"app_attest", "app_attest_receipt"},
        {"app_attest_assertion", "app_attest_receipt"},
    ]
    result = await field.check(field.device(DeviceKind.COUNTER_REPLAY, use))
    assert failed(result) - {"stream.arrival"} == {"app_attest_assertion.counter"}
    assert signs(result) == {"man_in_the_middle"}
    assert (result.status, reasons(result)) == (FAILURE, ["DEVICE_NOT_TRUSTED"])


@pytest.mark.slow
@pytest.mark.long
async def test_with_the_flash_an_honest_phone_gets_high_and_constant_exposure_is_reported(
    tmp_path: Path,
) -> None:
    async with believing(tmp_path, tuning=Tuning()) as field:
        honest = await field.check(field.device(DeviceKind.ANDROID), screen=phone(field.live.world, seed=5))
        assert (honest.status, reasons(honest), failed(honest)) == (SUCCESS, [], set())
        assert honest.device.assurance == result_pb2.DEVICE_ASSURANCE_HIGH

        screen = phone(field.live.world, seed=6)
        renamed = await field.check(field.device(DeviceKind.RENAMED_CAMERA), screen=screen)
        assert failed(renamed) == {"camera.exposure", "camera.timestamps"}
        (sign,) = renamed.device.signals
        # Two soft tests of the camera are a suspicion: they decide nothing, and the device is not HIGH.
        assert (sign.name, sign.passed) == ("injection", False)
        assert renamed.device.assurance == result_pb2.DEVICE_ASSURANCE_MEDIUM
        assert renamed.status == SUCCESS
