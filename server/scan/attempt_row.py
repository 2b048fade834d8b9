"""An attempt's row in the database: from its first accepted frame on, and counted once there are enough."""

from server.domain.terms import Mode, Plan
from server.scan.environment import ScanEnvironment
from server.storage.errors import StorageUnavailable
from server.storage.records import CheckRecord, NewAttempt

__all__ = ["AttemptRow"]


class AttemptRow:
    """Writes one attempt, which its stream's lease allows.

    Attributes:
        number: The attempt's number in the check, from 1.
        plan: What it asks for.
        recorded: Whether it stands in the database.
    """

    def __init__(self, env: ScanEnvironment, check: CheckRecord, *, number: int, plan: Plan) -> None:
        """Takes an attempt that does not stand there yet.

        Args:
            env: What every stream shares.
            check: The check, as it was when the lease was taken.
            number: The attempt's number in the check, from 1.
            plan: What it asks for.
        """
        self.number = number
        self.plan = plan
        self.recorded = False
        self._env = env
        self._check = check

    @property
    def mode(self) -> Mode:
        """How the attempt proves life. The movement challenge has no mode of its own: it only stands in."""
        return Mode.DYNAMIC if self.plan is Plan.FLASH else Mode.EXPRESS

    async def record(self) -> None:
        """Writes the attempt, once.

        Raises:
            Conflict: The lease is another's.
            StorageUnavailable: The database failed; to be tried again.
        """
        if self.recorded:
            return
        self.recorded = True
        try:
            await self._env.repository.start_attempt(
                self._check.check_id,
                epoch=self._check.lease_epoch,
                attempt=NewAttempt(
                    number=self.number, start_time=self._env.clock.now(), mode=self.mode, plan=self.plan
                ),
            )
        except StorageUnavailable:
            self.recorded = False
            raise

    async def count(self, frames: int) -> None:
        """Counts the attempt once it has ``frames`` enough.

        Raises:
            Conflict: The lease is another's.
            StorageUnavailable: The database failed.
        """
        if frames == self._env.settings.counted_frames:
            await self._env.repository.count_attempt(
                self._check.check_id, epoch=self._check.lease_epoch, attempt=self.number, frames=frames
            )
