"""A worker with a decoder that obeys the job's bytes; run as a program, by tests only."""

import ctypes
import mmap
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vision.isolation.protocol import Message, MessageKind, PixelLayout, Unable
from vision.isolation.worker import Decoder, serve

_ANSWERS = 4
"""The worker's pipe to the server: the second handle that it made."""


def _crash() -> None:
    ctypes.string_at(1)


def _loop() -> None:
    while True:
        pass


def _memory() -> None:
    kept = []
    while True:
        kept.append(bytearray(16 * 1024 * 1024))


def _connect() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("127.0.0.1", 9))


def _execute() -> None:
    os.execv("/bin/true", ["true"])  # noqa: S606


def _signal_server() -> None:
    os.kill(os.getppid(), signal.SIGTERM)


def _write_file() -> None:
    os.open("/tmp/facegate-must-not-exist", os.O_WRONLY | os.O_CREAT)  # noqa: S108


def _limit_server() -> None:
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)


_DEADLY: dict[bytes, Callable[[], object]] = {
    b"crash": _crash,
    b"loop": _loop,
    b"sleep": lambda: time.sleep(60),
    b"memory": _memory,
    b"abort": os.abort,
    b"exit": lambda: os._exit(0),
    b"garbage": lambda: os.write(_ANSWERS, b"GARBAGE!" * 100),
    b"connect": _connect,
    b"execute": _execute,
    b"fork": os.fork,
    b"signal server": _signal_server,
    b"write file": _write_file,
    b"limit server": _limit_server,
    b"kill itself": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


def _thread() -> None:
    threading.Thread(target=int).start()


REFUSED: dict[bytes, Callable[[], object]] = {
    b"read file": lambda: os.open("/etc/hostname", os.O_RDONLY),
    b"thread": _thread,
    b"executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    b"list folder": lambda: next(Path("/").iterdir()),
    b"more cpu": lambda: resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40)),
}


def _misbehave(numbers: tuple[int, ...], data: bytes) -> Iterator[Message]:
    _, width, height = numbers[:3]
    fine = Message(MessageKind.PIXELS, (PixelLayout.GREY, width, height), bytes(width * height))
    if data in _DEADLY:
        _DEADLY[data]()
    if data in REFUSED:
        try:
            REFUSED[data]()
        except (OSError, RuntimeError, ValueError):
            yield Message(MessageKind.PIXELS, (PixelLayout.GREY, width, height), b"\x01" * (width * height))
            return
    match data:
        case b"too many bytes":
            yield Message(MessageKind.PIXELS, (PixelLayout.GREY, width, height), bytes(width * height + 1))
        case b"another size":
            yield Message(MessageKind.PIXELS, (PixelLayout.GREY, height, width), bytes(width * height))
        case b"another kind":
            yield Message(MessageKind.END, (PixelLayout.GREY, width, height), bytes(width * height))
        case b"another mode":
            yield Message(MessageKind.PIXELS, (99, width, height), bytes(width * height))
        case b"two answers":
            yield fine
            yield fine
        case b"unknown refusal":
            yield Message(MessageKind.UNABLE, (99,))
        case b"polite refusal":
            yield Message(MessageKind.UNABLE, (Unable.DOES_NOT_DECODE,))
        case b"environment":
            yield Message(
                MessageKind.PIXELS,
                (PixelLayout.GREY, width, height),
                bytes([len(os.environ)] * width * height),
            )
        case _:
            yield fine


def _frame(
    *,
    width: int = 4,
    height: int = 2,
    turn: int = 0,
    mirrored: int = 0,
    time: int = 0,
    curve: int = 0,
    spare: int = 0,
) -> Message:
    numbers = (width, height, turn, mirrored, time, curve)
    return Message(MessageKind.FRAME, numbers, bytes(3 * max(0, width * height) + spare))


def _end(*, decoded: int = 9, other: int = 0, whole: int = 900_000, packets: int = 9) -> Message:
    return Message(MessageKind.END, (decoded, other, 0, whole, packets))


VIDEOS: dict[bytes, tuple[Message, ...]] = {
    b"fine": (_frame(), _frame(time=500_000), _end()),
    b"no frames": (_end(),),
    b"too many frames": (*(_frame(time=number) for number in range(5)), _end()),
    b"a frame too large": (_frame(width=40, height=40), _end()),
    b"too much together": (
        *(_frame(width=10, height=8, time=number) for number in range(4)),
        _end(),
    ),
    b"a negative size": (_frame(width=-4, height=-2), _end()),
    b"more bytes than pixels": (_frame(spare=1), _end()),
    b"an odd turn": (_frame(turn=45), _end()),
    b"eight bits of HDR": (_frame(curve=1), _end()),
    b"an unknown curve": (_frame(curve=3), _end()),
    b"half a mirror": (_frame(mirrored=2), _end()),
    b"again": (_frame(width=2), Message(MessageKind.AGAIN), _frame(), _frame(time=500_000), _end()),
    b"again and again": (_frame(), *2 * (Message(MessageKind.AGAIN), _frame()), _end()),
    b"again with a payload": (_frame(), Message(MessageKind.AGAIN, (), b"1"), _frame(), _end()),
    b"again and nothing": (_frame(), Message(MessageKind.AGAIN), _end()),
    b"times that go back": (_frame(time=500_000), _frame(time=400_000), _end()),
    b"two frames at one time": (_frame(), _frame(), _end()),
    b"a frame of another size": (_frame(), _frame(width=2, height=4, time=1), _end()),
    b"a frame that lies down": (_frame(), _frame(turn=90, time=1), _end()),
    b"a time beyond the limit": (_frame(time=2_000_001), _end()),
    b"a time before the start": (_frame(time=-1), _end()),
    b"more frames than decoded": (_frame(), _frame(time=1), _end(decoded=1)),
    b"a negative count": (_frame(), _end(other=-1)),
    b"a length before the last frame": (_frame(time=500_000), _end(whole=1)),
    b"more packets than allowed": (_frame(), _end(packets=1_000_000)),
    b"an end with a payload": (_frame(), Message(MessageKind.END, (9, 0, 0, 0, 9), b"more")),
    b"words after the end": (_frame(), _end(), _frame()),
    b"another kind": (_frame(), Message(MessageKind.PIXELS, (9, 0, 0, 0, 9))),
    b"unknown refusal": (Message(MessageKind.UNABLE, (99,)),),
    b"a refusal for want of memory": (Message(MessageKind.UNABLE, (Unable.OUT_OF_MEMORY,)),),
}


def _mislead(numbers: tuple[int, ...], data: bytes) -> Iterator[Message]:
    deed = data[12:]
    if deed in _DEADLY:
        _DEADLY[deed]()
    yield from VIDEOS[deed]


def _load() -> Mapping[MessageKind, Decoder]:
    return {MessageKind.STILL: _misbehave, MessageKind.VIDEO: _mislead}


if __name__ == "__main__":
    serve(_load, sys.argv[2:])
