"""Converts the progress of checks to ``facegate.v1.CheckProgress``."""

from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.checks.progress import AttemptProgress, CheckProgress
from server.edge.scan_codec import mode_to_wire, plan_to_wire, timestamp

__all__ = ["progress_to_wire"]


def progress_to_wire(progress: CheckProgress) -> service_pb2.CheckProgress:
    """Returns the progress of a check as the message."""
    message = service_pb2.CheckProgress(
        check_id=str(progress.check_id),
        state=service_pb2.CheckProgress.State.Value(f"STATE_{progress.state}"),
        attempts=[_attempt(attempt) for attempt in progress.attempts],
        scan_expire_time=timestamp(progress.scan_deadline),
        result_expire_time=timestamp(progress.result_deadline),
        attempts_remaining=progress.attempts_remaining,
        sandbox=progress.sandbox,
    )
    if progress.resumable_until is not None:
        message.resumable_until.CopyFrom(timestamp(progress.resumable_until))
    return message


def _attempt(attempt: AttemptProgress) -> result_pb2.AttemptSummary:
    message = result_pb2.AttemptSummary(
        attempt=attempt.attempt,
        mode=mode_to_wire(attempt.mode),
        plan=plan_to_wire(attempt.plan),
        frames=attempt.frames,
        start_time=timestamp(attempt.start_time),
    )
    if attempt.outcome is not None:
        message.outcome = result_pb2.AttemptSummary.Outcome.Value(f"OUTCOME_{attempt.outcome}")
    if attempt.ended_by is not None:
        message.ended_by = result_pb2.AttemptSummary.EndedBy.Value(f"ENDED_BY_{attempt.ended_by}")
    if attempt.end_time is not None:
        message.end_time.CopyFrom(timestamp(attempt.end_time))
    return message
