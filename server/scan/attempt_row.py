"""The database row of an attempt: written at its first received frame, counted once it has enough frames."""

from server.domain.terms import Mode, Plan
from server.scan.environment import ScanEnvironment
from server.storage.errors import StorageUnavailable
from server.storage.records import CheckRecord

__all__ = ["AttemptRow"]


class AttemptRow:
    """Writes the row of one attempt, under the lease of its stream.

    Attributes:
        number: The attempt's number in the check, from 1.
        plan: The plan of the attempt.
        recorded: Whether the row is written.
    """

    def __init__(self, env: ScanEnvironment, check: CheckRecord, *, number: int, plan: Plan) -> None:
        """Initialises the row of an attempt that the database does not contain yet.

        Args:
            env: The environment that all streams share.
            check: The check at the time when the lease was acquired.
            number: The attempt's number in the check, from 1.
            plan: The plan of the attempt.
        """
        self.number = number
        self.plan = plan
        self.recorded = False
        self._env = env
        self._check = check

    @property
    def mode(self) -> Mode:
        """The mode of the attempt. The movement challenge has no mode of its own; it counts as EXPRESS."""
        return Mode.DYNAMIC if self.plan is Plan.FLASH else Mode.EXPRESS

    async def record(self) -> None:
        """Writes the attempt unless it is written already.

        Raises:
            Conflict: Another stream holds the lease.
            StorageUnavailable: The database failed; the call may be repeated.
        """
        if self.recorded:
            return
        self.recorded = True
        try:
            await self._env.repository.start_attempt(
                self._check.check_id,
                epoch=self._check.lease_epoch,
                number=self.number,
                start_time=self._env.clock.now(),
                mode=self.mode,
                plan=self.plan,
            )
        except StorageUnavailable:
            self.recorded = False
            raise

    async def count(self, frames: int) -> None:
        """Counts the attempt when its number of frames reaches ``counted_frames``.

        Raises:
            Conflict: Another stream holds the lease.
            StorageUnavailable: The database failed.
        """
        if frames == self._env.settings.counted_frames:
            await self._env.repository.count_attempt(
                self._check.check_id, epoch=self._check.lease_epoch, attempt=self.number, frames=frames
            )
