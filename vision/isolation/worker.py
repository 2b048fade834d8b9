"""The worker's main module: ``vision.isolation.worker KIND MEMORY CPU BYTES PARENT``, in an isolated Python.

It loads its decoders, gives up its rights, and answers jobs one after another until its pipe ends. It
has no policies, keys or storage, and its environment is empty. ``KIND`` is ``stills`` or ``video``.
``MEMORY`` is the limit of its address space and ``BYTES`` that of a job, in bytes. ``CPU`` is the limit of
seconds per job. ``PARENT`` is the server's process id.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from vision.isolation.confinement import allow_cpu_seconds, confine, die_with
from vision.isolation.protocol import HEADER_BYTES, VERSION, Message, MessageKind, Unable, read_exactly

Decoder: TypeAlias = Callable[[tuple[int, ...], bytes], Iterator[Message]]
"""Takes a job's numbers and payload and yields the messages of its answer."""

_INPUT, _OUTPUT, _ERRORS = 0, 1, 2


def serve(load: Callable[[], Mapping[MessageKind, Decoder]], arguments: list[str]) -> None:
    """Answer jobs until the pipe ends.

    Args:
        load: Imports the decoders; called before any right is given up.
        arguments: Memory, CPU seconds, longest job and parent, as in the module's docstring.

    Raises:
        OSError: A limit cannot be set, or the server has ended.
        ValueError: An argument is not a number, or a message is not a job.
    """
    memory_bytes, cpu_seconds, most_bytes, parent = (int(argument) for argument in arguments)
    die_with(parent)
    decoders = load()
    jobs, answers = os.dup(_INPUT), os.dup(_OUTPUT)
    # A library that prints must not disturb the protocol.
    os.dup2(_ERRORS, _INPUT)
    os.dup2(_ERRORS, _OUTPUT)
    refused = confine(memory_bytes=memory_bytes)
    _send(answers, Message(MessageKind.HELLO, (VERSION, refused)))
    while header := read_exactly(jobs, HEADER_BYTES):
        kind, numbers, length = Message.parse(header)
        if length > most_bytes:
            raise ValueError("the job is longer than its limit")
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
