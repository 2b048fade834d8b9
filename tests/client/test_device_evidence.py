"""Evidence of the platform: its messages and their times."""

from collections.abc import AsyncIterator

import pytest
from facegate.v1 import device_pb2, scan_pb2

from facegate_client import FaceScanner, ScanTicket, generated_source, open_channel
from facegate_protocol import evidence_challenge
from tests.client.conftest import FAST, pictures
from tests.client.fake_server import FakeServer, serving
from tests.client.stream_plan import StreamPlan


class Pieces:
    """A platform that makes a set number of pieces of evidence for each stream."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.bindings: list[bytes] = []

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        self.bindings.append(binding)
        for number in range(self.count):
            assertion = device_pb2.AppAttestAssertion(key_id=bytes([number]) * 32, assertion=binding)
            yield device_pb2.Attestation(app_attest_assertion=assertion)


@pytest.mark.parametrize(("made", "sent"), [(0, 0), (1, 1), (2, 2), (4, 4), (6, 4)])
async def test_pieces_are_sent_in_order_up_to_the_protocols_limit(made: int, sent: int) -> None:
    fake, platform = FakeServer(), Pieces(made)
    async with serving(fake) as target, open_channel(target) as channel:
        outcome = await FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
            source=generated_source(pictures(12), pace="fast"),
            attestor=platform,
            settings=FAST,
        ).scan()
    assert fake.violations == []
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert [one.app_attest_assertion.key_id[0] for one in fake.attestations] == list(range(sent))
    (binding,) = platform.bindings
    assert {one.app_attest_assertion.assertion for one in fake.attestations} <= {binding}


async def test_the_platforms_words_on_device_and_camera_are_sent() -> None:
    fake = FakeServer()
    device = device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_IOS, model="iPhone16,1")
    camera = device_pb2.CameraProfile(label="Front", facing=device_pb2.CAMERA_FACING_FRONT)
    async with serving(fake) as target, open_channel(target) as channel:
        await FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
            source=generated_source(pictures(12), pace="fast"),
            profile=device,
            camera=camera,
            settings=FAST,
        ).scan()
    (start,) = fake.starts
    assert (start.device, start.camera) == (device, camera)


@pytest.mark.parametrize("takes", [True, False])
async def test_findings_go_with_the_evidence_to_servers_that_take_them(takes: bool) -> None:
    def announce(body: scan_pb2.ChallengeBody) -> None:
        body.attestation.runtime_findings = takes

    fake, platform = FakeServer(StreamPlan(body_changes=announce)), Pieces(2)
    findings = device_pb2.RuntimeFindings(looked_for=[device_pb2.RUNTIME_FINDING_KIND_ROOT])
    async with serving(fake) as target, open_channel(target) as channel:
        await FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
            source=generated_source(pictures(12), pace="fast"),
            attestor=platform,
            runtime_findings=findings,
            settings=FAST,
        ).scan()
    assert fake.violations == []
    (start,) = fake.starts
    assert scan_pb2.CAPABILITY_RUNTIME_FINDINGS in start.capabilities
    sent = findings.SerializeToString() if takes else b""
    assert [one.runtime_findings for one in fake.attestations] == [sent, sent]
    assert platform.bindings == [evidence_challenge(binding=fake.bindings[0], findings=sent)]


async def test_a_client_without_findings_announces_none() -> None:
    fake = FakeServer()
    async with serving(fake) as target, open_channel(target) as channel:
        await FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=fake.token, challenge_key_sha256=fake.challenge_key_sha256),
            source=generated_source(pictures(12), pace="fast"),
            settings=FAST,
        ).scan()
    (start,) = fake.starts
    assert scan_pb2.CAPABILITY_RUNTIME_FINDINGS not in start.capabilities
    assert [one.runtime_findings for one in fake.attestations] == [b""]
