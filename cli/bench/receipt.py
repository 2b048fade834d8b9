"""What no server can leave out for a frame: parsing its message, checking its MAC, decoding its luma.

It is the floor under "server CPU over model CPU": what gRPC, the event loop and storage cost comes on top,
and so does everything that a frame is used for.
"""

import time
from typing import Final

from facegate.v1 import scan_pb2

from attempt.frame import FrameLimits
from attempt.pictures import FrameDecoder
from facegate_protocol import MacChain
from server.edge.scan_codec import to_inbound
from server.scan.messages import FrameMessage
from vision.image_header import parse_header

__all__ = ["FrameReceipt"]

_KEY: Final = bytes(32)
_BINDING: Final = bytes(32)


class FrameReceipt:
    """Receives one scan's frames as a server does, and does nothing with them. For one thread at a time."""

    def __init__(self) -> None:
        """Starts a chain of MACs on both sides."""
        self._device = MacChain(key=_KEY, binding=_BINDING)
        self._server = MacChain(key=_KEY, binding=_BINDING)
        self._decoder = FrameDecoder(FrameLimits())
        self._frames = 0
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """CPU seconds of the thread that received, so far."""
        return self._seconds

    def take(self, jpeg: bytes) -> None:
        """Sends a frame, which does not count, and receives it.

        Raises:
            ValueError: It does not arrive as it was sent; a mistake of the benchmark's code.
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
