"""The unavoidable work for a frame: parsing its message, verifying its MAC, decoding its luma.

It is a lower bound for "server CPU over model CPU". The costs of gRPC, the event loop, storage and every use
of the frame are additional.
"""

import time
from typing import Final

from facegate.v1 import scan_pb2

from attempt import FrameDecoder, FrameLimits
from facegate_protocol import MacChain
from formats.image_header import parse_header
from server.edge.scan_codec import to_inbound
from server.scan.messages import FrameMessage

__all__ = ["FrameReceipt"]

_KEY: Final = bytes(32)
_BINDING: Final = bytes(32)


class FrameReceipt:
    """Receives one scan's frames as a server does, and then discards them. Not thread-safe."""

    def __init__(self) -> None:
        """Starts a chain of MACs on both sides."""
        self._device = MacChain(key=_KEY, binding=_BINDING)
        self._server = MacChain(key=_KEY, binding=_BINDING)
        self._decoder = FrameDecoder(FrameLimits())
        self._frames = 0
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """CPU seconds of the receiving thread so far."""
        return self._seconds

    def take(self, jpeg: bytes) -> None:
        """Sends a frame, which is not counted, and receives it.

        Raises:
            ValueError: It does not arrive as sent: a bug of the benchmark.
        """
        sent = self._sent(jpeg)
        began = time.thread_time()
        message = to_inbound(scan_pb2.ScanFaceRequest.FromString(sent))
        if not isinstance(message, FrameMessage) or not self._server.accept_frame(
            header=message.header, image=message.image, mac=message.mac
        ):
            raise ValueError("the benchmark's own frame was not accepted")
        self._decoder.luma(message)
        self._seconds += time.thread_time() - began

    def _sent(self, jpeg: bytes) -> bytes:
        size = parse_header(jpeg)
        header = scan_pb2.FrameHeader(
            attempt=1,
            index=self._frames,
            capture_time_us=1 + self._frames,
            width=size.width,
            height=size.height,
        ).SerializeToString()
        self._frames += 1
        mac = self._device.add_frame(header=header, image=jpeg)
        frame = scan_pb2.Frame(header=header, image=jpeg, mac=mac)
        return scan_pb2.ScanFaceRequest(frame=frame).SerializeToString()
