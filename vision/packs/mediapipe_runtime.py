"""Runs TensorFlow Lite networks through LiteRT, shared by threads.

An interpreter holds the tensors of its current run, so two threads may not share one. Making one
takes tens of milliseconds, so idle ones are kept and reused. There are as many as there were
threads at once. Each runs on one core. LiteRT releases Python's lock while it runs, so the callers'
threads run in parallel.
"""

import contextlib
import os
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed, PackFileUnusable

__all__ = ["TfliteNetwork"]

_STDERR = 2
_GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
_redirecting = threading.Lock()


class TfliteNetwork:
    """One network with one input; safe to call from several threads at once."""

    def __init__(
        self, content: bytes, *, name: str, input_shape: Sequence[int], output_sizes: Sequence[int]
    ) -> None:
        """Load a network and test that it is the expected one.

        Args:
            content: A TensorFlow Lite model; its content was verified, because the runtime does not guard
                against a hostile one.
            name: The network's name, for messages.
            input_shape: Shape of its one input of 32-bit floats.
            output_sizes: The number of values of each output of 32-bit floats, in order.

        Raises:
            PackFileUnusable: LiteRT cannot load it, or it has other inputs or outputs.
        """
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter_class: Any = Interpreter
        self._content = content
        self._name = name
        try:
            with _without_greeting():
                first = self._make()
            inputs, outputs = first.get_input_details(), first.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise PackFileUnusable(
                f"LiteRT cannot load {name} ({type(error).__name__}): expected a TensorFlow Lite model. "
                "Fetch the file again from its source."
            ) from error
        takes = [tuple(int(side) for side in each["shape"]) for each in inputs]
        gives = [int(np.prod(each["shape"])) for each in outputs]
        types = {each["dtype"] for each in (*inputs, *outputs)}
        if (takes, gives, types) != ([tuple(input_shape)], list(output_sizes), {np.float32}):
            raise PackFileUnusable(
                f"{name} takes {takes} and gives {gives} numbers, expected [{tuple(input_shape)}] and "
                f"{list(output_sizes)}: it is another version of the network. Use the catalogued file."
            )
        self._input = int(inputs[0]["index"])
        self._outputs = tuple(int(each["index"]) for each in outputs)
        self._idle: deque[Any] = deque([first])

    def run(self, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the outputs for one input.

        Args:
            values: The input, in its shape.

        Returns:
            Every output, flat, in order; copies that belong to the caller.

        Raises:
            ModelFailed: LiteRT failed.
        """
        try:
            try:
                interpreter = self._idle.pop()
            except IndexError:
                interpreter = self._make()
            try:
                interpreter.set_tensor(self._input, values)
                interpreter.invoke()
                outputs = tuple(
                    np.asarray(interpreter.get_tensor(index), dtype=np.float32).ravel()
                    for index in self._outputs
                )
            finally:
                self._idle.append(interpreter)
        except (MemoryError, RuntimeError, ValueError) as error:
            raise ModelFailed(f"the network {self._name} failed ({type(error).__name__})") from error
        return outputs

    def _make(self) -> Any:
        interpreter = self._interpreter_class(model_content=self._content, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter


@contextlib.contextmanager
def _without_greeting() -> Iterator[None]:
    """Keeps LiteRT's greeting out of the terminal and passes on everything else that is written meanwhile.

    LiteRT has no setting for it. The first interpreter of a process prints a line directly to file
    descriptor 2.
    """
    with _redirecting, contextlib.ExitStack() as undo:
        try:
            stderr = os.dup(_STDERR)
        except OSError:
            # A service without stderr needs no filter.
            yield
            return
        undo.callback(os.close, stderr)
        caught = undo.enter_context(tempfile.TemporaryFile())
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            caught.seek(0)
            rest = caught.read().replace(_GREETING, b"")
            if rest:
                os.write(_STDERR, rest)
