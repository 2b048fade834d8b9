"""The worker's main: ``vision.isolation.worker KIND MEMORY CPU BYTES PARENT``, run by an isolated Python.

It loads its decoders, gives up its rights, and answers one job after the other until its pipe ends. It
knows nothing of policies, keys or storage, and its environment is empty. ``KIND`` is ``stills`` or
``video``; ``MEMORY`` and ``BYTES`` are bytes of address space and of the longest job, ``CPU`` is seconds
a job, ``PARENT`` is the server's process.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from vision.isolation.confinement import allow_cpu_seconds, confine, die_with
from vision.isolation.protocol import HEADER_BYTES, VERSION, Message, MessageKind, Unable, read_exactly

__all__ = ["Decoder", "serve"]

Decoder: TypeAlias = Callable[[tuple[int, ...], bytes], Iterator[Message]]
"""Takes a job's numbers and payload and gives the messages that answer it, pixels or ``UNABLE`` last."""

_INPUT, _OUTPUT, _ERRORS = 0, 1, 2


def serve(load: Callable[[], Mapping[MessageKind, Decoder]], arguments: list[str]) -> None:
    """Answers jobs until the pipe ends.

    Args:
        load: Imports the decoders; called before anything is given up.
        arguments: Memory, CPU seconds, longest job and parent, as the module's text says.

    Raises:
        OSError: A limit cannot be set, or the server is gone.
        ValueError: An argument is no number, or what comes is no job.
    """
    memory_bytes, cpu_seconds, most_bytes, parent = (int(argument) for argument in arguments)
    die_with(parent)
    decoders = load()
    jobs, answers = os.dup(_INPUT), os.dup(_OUTPUT)
    # A library that prints must not be able to break the protocol.
    os.dup2(_ERRORS, _INPUT)
    os.dup2(_ERRORS, _OUTPUT)
    refused = confine(memory_bytes=memory_bytes)
    _send(answers, Message(MessageKind.HELLO, (VERSION, refused)))
    while header := read_exactly(jobs, HEADER_BYTES):
        kind, numbers, length = Message.parse(header)
        if length > most_bytes:
            raise ValueError("the job is longer than agreed")
        allow_cpu_seconds(cpu_seconds)
        try:
            for answer in decoders[kind](numbers, read_exactly(jobs, length)):
                _send(answers, answer)
        except MemoryError:
            _send(answers, Message(MessageKind.UNABLE, (Unable.OUT_OF_MEMORY,)))


def _send(handle: int, message: Message) -> None:
    for part in (message.header(), message.payload):
        view = memoryview(part)
        while view:
            view = view[os.write(handle, view) :]


def _stills() -> Mapping[MessageKind, Decoder]:
    from vision.isolation.still_decoders import decode_still

    return {MessageKind.STILL: decode_still}


def _video() -> Mapping[MessageKind, Decoder]:
    from vision.isolation.video_decoder import decode_video

    return {MessageKind.VIDEO: decode_video}


if __name__ == "__main__":
    serve({"stills": _stills, "video": _video}[sys.argv[1]], sys.argv[2:])
