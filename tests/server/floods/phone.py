"""A phone and its orchestrator in a separate process, which retry until a scan is complete.

Run as ``python -m tests.server.floods.phone DEVICE_TARGET SERVICE_TARGET SECONDS``, with the pickled portrait
and frames on standard input. In an attacker's process they would wait for the attacker's own event loop.
"""

import asyncio
import pickle
import sys
from collections.abc import Sequence
from uuid import uuid4

import grpc
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from tests.server.live import Picture, pictures, portrait
from tests.server.raw_device import Ended, RawDevice, RawStream


async def scan_through(device_target: str, service_target: str, *, seconds: float) -> None:
    """Make a check and scan it in a separate process.

    Raises:
        AssertionError: It was not complete in time.
    """
    command = [sys.executable, "-m", __name__, device_target, service_target, str(seconds)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, written = await process.communicate(pickle.dumps((portrait(), tuple(pictures()))))
    assert process.returncode == 0, written.decode()[-2000:]


async def _scan(
    device_target: str, service_target: str, seconds: float, *, image: bytes, shown: Sequence[Picture]
) -> None:
    async with (
        asyncio.timeout(seconds),
        grpc.aio.insecure_channel(device_target) as device_channel,
        grpc.aio.insecure_channel(service_target) as service_channel,
    ):
        device, service = VerificationServiceStub(device_channel), VerificationServiceStub(service_channel)
        while True:
            try:
                upload = await service.UploadTrustedImage(
                    service_pb2.UploadTrustedImageRequest(image=image, policy="once", request_id=str(uuid4()))
                )
                # A channel reconnects by itself, like a phone whose connection is refused.
                stream = RawStream(RawDevice(device, upload), device.ScanFace(wait_for_ready=True))
                await stream.start()
                await stream.begin()
                await stream.send_live(shown)
                await stream.send(stream.end())
                assert (await stream.result()).attempt == 1
                return
            except (Ended, grpc.RpcError) as error:
                print(error, file=sys.stderr)
                await asyncio.sleep(0.2)


if __name__ == "__main__":
    own_portrait, frames = pickle.load(sys.stdin.buffer)  # noqa: S301 - from scan_through
    asyncio.run(_scan(sys.argv[1], sys.argv[2], float(sys.argv[3]), image=own_portrait, shown=frames))
