"""One ScanFace stream: its opening, its attempts with their results, and its end.

Everything relies on this order: a transition is durable before it is acknowledged, and the decision and its
evidence are durable before the device gets the result.
"""

from collections.abc import AsyncIterator
from contextlib import suppress

from server.base.errors import Reason, Refusal
from server.checks.lifecycle import scan_begun
from server.checks.progress import attempts_remaining
from server.checks.running import CheckClosing
from server.domain.terms import OPEN_STATES, EndedBy
from server.scan.attempt import AttemptRun
from server.scan.budget import ScanBytes
from server.scan.endings import LeaseLost, ScanDeadlinePassed
from server.scan.ends import ScanEnds, await_ready, run_to_end
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream, Send, open_stream
from server.scan.inbox import ConnectionLost, CreditLedger, Inbox, StreamEnded
from server.scan.judging import AttemptJudge
from server.scan.messages import GoodbyeMessage, GoodbyeReason, Inbound, StartMessage
from server.scan.plans import conclude_challenge, start_challenge
from server.storage.errors import Conflict
from server.storage.records import CheckRecord
from server.telemetry.stages import Stage, attempt_bound

_RECONNECT_SECONDS = 1.0
_FAULT_RECONNECT_SECONDS = 2.0


class ScanSession:
    """Serves one stream. Each stream has its own instance."""

    def __init__(self, env: ScanEnvironment, *, header_origin: str | None = None) -> None:
        """Initialise the session with the shared environment and the call's ``Origin`` header, if any."""
        self._env = env
        self._header_origin = header_origin
        self._bytes = ScanBytes()
        self._credit = CreditLedger(
            window_frames=env.limits.window_frames,
            window_bytes=env.limits.window_bytes,
            largest_frame=env.limits.budget.max_frame_bytes,
            monotonic=env.clock.monotonic,
            waited=env.metrics.work.waited_for_credit,
        )

    async def serve(
        self, start: StartMessage, record: CheckRecord, inbound: AsyncIterator[Inbound], send: Send
    ) -> None:
        """Serve the stream to its end.

        Args:
            start: The device's first message, from ``find_check``.
            record: The check that its token belongs to, from ``find_check``.
            inbound: The device's further messages; the iterator ends when the device half-closes.

        Raises:
            Refusal: The stream cannot continue; the caller sends the reason to the device.
        """
        inbox = Inbox(
            inbound,
            monotonic=self._env.clock.monotonic,
            arrives=self._credit.count_arrival,
            window_frames=self._env.limits.window_frames,
        )
        try:
            with self._env.metrics.stages.stage(Stage.HANDSHAKE):
                stream = await open_stream(
                    self._env, start, record, inbox, send, header_origin=self._header_origin
                )
            scan_begun(stream.record)
            self._bytes.used = stream.record.bytes_received
            await self._serve(stream, inbox, send)
        except StreamEnded:
            # The device half-closed before the scan began, or after its check was closed for that.
            return
        except Conflict as error:
            # Another stream took the lease while this one was opening.
            raise await self._fenced(None, send) from error
        finally:
            inbox.close()

    async def _serve(self, stream: OpenStream, inbox: Inbox, send: Send) -> None:
        """Run the attempts, end the scan, and notify the device of the end."""
        judge = AttemptJudge(self._env, stream)
        ends = ScanEnds(self._env, stream, judge=judge, scan_bytes=self._bytes)
        try:
            with self._env.running.running(stream.record.check_id, inbox):
                # The scan ends inside this block, so that a call that closes the check waits for its
                # judgement.
                async with ends.leave_at_exit():
                    await self._attempts(stream, judge, ends, inbox, send)
        except CheckClosing as closing:
            await send(GoodbyeMessage(GoodbyeReason.CHECK_CLOSED, None))
            raise _check_closed() from closing
        except ScanDeadlinePassed:
            await send(GoodbyeMessage(GoodbyeReason.DEADLINE, None))
        except (LeaseLost, Conflict) as error:
            raise await self._fenced(stream, send) from error
        except (Refusal, ConnectionLost, StreamEnded):
            raise
        except Exception:
            if ends.ended_by is EndedBy.SERVER_FAULT:
                with suppress(ConnectionLost, Refusal):
                    await send(GoodbyeMessage(GoodbyeReason.SERVER_FAULT, _FAULT_RECONNECT_SECONDS))
            raise
        finally:
            if ends.unwritten:
                # The device and the place of the scan do not wait for a storage that is away.
                self._env.running.finish_later(_end_later(stream, judge, ends))
            else:
                await run_to_end(_clean_up(stream, judge))

    async def _fenced(self, stream: OpenStream | None, send: Send) -> Refusal:
        """Send Goodbye to a device whose stream was fenced; return the refusal that ends the stream."""
        record = None if stream is None else await self._env.repository.get(stream.record.check_id)
        if record is not None and record.state not in OPEN_STATES:
            await send(GoodbyeMessage(GoodbyeReason.CHECK_CLOSED, None))
            return _check_closed()
        await send(GoodbyeMessage(GoodbyeReason.SUPERSEDED, None))
        return Refusal(Reason.SUPERSEDED, "a newer stream of the same scan took over")

    async def _attempts(
        self, stream: OpenStream, judge: AttemptJudge, ends: ScanEnds, inbox: Inbox, send: Send
    ) -> None:
        """Run attempt after attempt, until none follows or the server is about to stop."""
        env, stages, attempts = self._env, self._env.metrics.stages, stream.attempts
        while not env.running.draining.is_set():
            number = max((attempt.number for attempt in attempts), default=0) + 1
            with attempt_bound(number), stages.stage(Stage.ATTEMPT):
                run = AttemptRun(
                    env,
                    stream,
                    number=number,
                    attempts_left=attempts_remaining(attempts, stream.policy) + stream.plans.reserved,
                    scan_bytes=self._bytes,
                    credit=self._credit,
                    challenge=start_challenge(env, stream.plans),
                    send=send,
                    look_early=judge.look_early,
                    on_settled=judge.judge_ahead,
                )
                ends.begin(run)
                await judge.begin(run)
                try:
                    # Judging starts while the capture ends, and is no part of it.
                    with stages.stage(Stage.CAPTURE, beside=True):
                        end = await run.run(inbox)
                finally:
                    env.metrics.checks.attempt_received(frames=run.frames, dropped=stream.transcript.dropped)
                # If the device disconnects now, the decision must still be stored.
                result, attempts = await run_to_end(ends.conclude(run, end, inbox))
                conclude_challenge(stream.plans, run.challenge)
                result_sent = env.clock.monotonic()
                with stages.stage(Stage.RESULT):
                    await send(result)
                if not result.another_attempt:
                    return
                # Stored at once, so that another check is recognised that shows the same frames.
                await judge.keep_memory()
                if result.ready_within is not None:
                    await await_ready(env, stream, run, inbox, result_sent=result_sent)
        await send(GoodbyeMessage(GoodbyeReason.DRAINING, _RECONNECT_SECONDS))


async def _end_later(stream: OpenStream, judge: AttemptJudge, ends: ScanEnds) -> None:
    try:
        await ends.write_later()
    finally:
        await run_to_end(_clean_up(stream, judge))


async def _clean_up(stream: OpenStream, judge: AttemptJudge) -> None:
    """Cancel the remaining work of the stream and store its marks in the scan memory."""
    await judge.close()
    await stream.evidence.close()
    # This comes after the result, which need not wait for it, and even if the result could not be sent.
    await judge.keep_memory()


def _check_closed() -> Refusal:
    return Refusal(Reason.CHECK_CLOSED, "the check was closed while it was scanned")
