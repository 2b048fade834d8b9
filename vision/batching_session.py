"""Runs the inputs of several threads in one call of a model.

A GPU needs almost as long for one small image as for several, so one call for the frames of several scans is
cheaper than one call for each. On the CPU, batches gain nothing: the callers already use all cores.

The session starts no thread. The first caller runs the model. Callers that arrive meanwhile wait; then one of
them runs the model for all of them. Before a run, a caller waits for others only if the previous batch joined
several or others arrived while it ran, and never longer than the given time. Each thread waits for its own
result, so memory is bounded by the number of calling threads.
"""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.onnx_session import OnnxSession

__all__ = ["BatchingSession", "takes_batches"]


def takes_batches(session: OnnxSession) -> bool:
    """Return whether a model takes any number of images at once.

    The first side of every input and output must be free, and the other sides of the inputs fixed. Many
    published files fix the first side to 1.
    """
    inputs = [list(entry.shape) for entry in session.get_inputs()]
    outputs = [list(entry.shape) for entry in session.get_outputs()]
    return all(shape and not isinstance(shape[0], int) for shape in (*inputs, *outputs)) and all(
        isinstance(side, int) for shape in inputs for side in shape[1:]
    )


class BatchingSession:
    """A session that joins the calls of several threads; implements ``OnnxSession``."""

    def __init__(self, session: OnnxSession, *, max_batch: int, max_wait_seconds: float) -> None:
        """Wrap a session.

        Args:
            session: A session for which ``takes_batches`` is true.
            max_batch: The most calls that are joined, 1 or more.
            max_wait_seconds: The longest time that a caller waits for others before it runs the model.
        """
        self._session = session
        self._max_batch = max_batch
        self._max_wait_seconds = max_wait_seconds
        self._changed = threading.Condition()
        self._waiting: deque[_Call] = deque()
        self._leading = False
        self._expected = 1

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[NDArray[np.float32]]:
        """Run the model on the input of this caller, perhaps together with those of others.

        Raises:
            Exception: The exception of the model, run on this input alone.
        """
        call = _Call(output_names, input_feed)
        with self._changed:
            self._waiting.append(call)
            self._changed.notify_all()
            try:
                while not call.done:
                    if self._leading:
                        self._changed.wait()
                    else:
                        self._lead()
            finally:
                # Only if this thread was interrupted.
                if call in self._waiting:
                    self._waiting.remove(call)
        return call.result()

    def get_inputs(self) -> list[Any]:
        """Return names, shapes and types of the inputs."""
        return self._session.get_inputs()

    def get_outputs(self) -> list[Any]:
        """Return names, shapes and types of the outputs."""
        return self._session.get_outputs()

    def get_providers(self) -> list[str]:
        """Return the execution providers in use, in order."""
        return self._session.get_providers()

    def _lead(self) -> None:
        """Run one batch for its callers. The lock is held, but not while the model runs."""
        self._leading = True
        batch: list[_Call] = []
        try:
            self._changed.wait_for(lambda: len(self._waiting) >= self._expected, self._max_wait_seconds)
            batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
            self._changed.release()
            try:
                self._serve(batch)
            finally:
                self._changed.acquire()
            # As many callers as there were are likely to come again.
            self._expected = min(self._max_batch, len(batch) + len(self._waiting))
        finally:
            self._leading = False
            # If this thread was interrupted, another one serves its followers.
            self._waiting.extendleft(call for call in reversed(batch) if not call.done)
            self._changed.notify_all()

    def _serve(self, batch: Sequence["_Call"]) -> None:
        if len(batch) > 1 and self._run_together(batch):
            return
        for call in batch:
            call.run_alone(self._session)

    def _run_together(self, batch: Sequence["_Call"]) -> bool:
        """Run all calls at once; return ``False`` if that failed and each must be run alone."""
        names = batch[0].output_names
        if any(call.output_names != names for call in batch):
            return False
        try:
            feed = {name: np.concatenate([call.feed[name] for call in batch]) for name in batch[0].feed}
            outputs = self._session.run(names, feed)
        except Exception:  # noqa: BLE001 - which input caused it shows when each is run alone
            return False
        ends = np.cumsum([call.rows for call in batch])
        if any(len(output) != ends[-1] for output in outputs):
            return False
        for call, end in zip(batch, ends, strict=True):
            call.outcome = [output[end - call.rows : end] for output in outputs]
        return True


class _Call:
    """The input of one caller, and its result or error."""

    def __init__(self, output_names: list[str] | None, feed: dict[str, Any]) -> None:
        self.output_names = output_names
        self.feed = feed
        self.outcome: list[NDArray[np.float32]] | Exception | None = None

    @property
    def rows(self) -> int:
        """Number of images."""
        return len(next(iter(self.feed.values())))

    @property
    def done(self) -> bool:
        return self.outcome is not None

    def run_alone(self, session: OnnxSession) -> None:
        try:
            self.outcome = session.run(self.output_names, self.feed)
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            self.outcome = error

    def result(self) -> list[NDArray[np.float32]]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is None:
            raise RuntimeError("a call was ended before the model ran")
        return self.outcome
