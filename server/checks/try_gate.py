"""Enforces limits over several checks when a new check is requested."""

from collections.abc import Callable
from datetime import datetime

from server.checks.refusals import too_many_failures
from server.checks.uploads import TrustedImageUpload
from server.domain.tries import TryMark, TrySetting, portrait_mark, subject_mark
from server.sandbox import memory_scope
from server.storage.errors import TriesExceeded
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics

__all__ = ["TryGate"]


class TryGate:
    """Admits a new check unless too many checks of its subject or its portrait have failed or are running."""

    def __init__(
        self,
        *,
        repository: CheckRepository,
        setting: TrySetting,
        tenant_key: Callable[[str], bytes],
        metrics: Metrics,
    ) -> None:
        """Sets the limits and the stores.

        Args:
            repository: The repository of checks.
            setting: The limits.
            tenant_key: Returns the key with which the marks of a scope are made.
            metrics: Counts checks that are refused.
        """
        self._repository = repository
        self._setting = setting
        self._tenant_key = tenant_key
        self._metrics = metrics

    async def pass_through(
        self, upload: TrustedImageUpload, image: bytes, *, now: datetime
    ) -> tuple[TryMark, ...]:
        """Returns the marks of the subject and the portrait of a check, if their limits allow the check.

        The limits are enforced before the image is decoded, and again when a scan begins.

        Raises:
            Refusal: Too many checks failed, or run now (TOO_MANY_FAILURES).
        """
        key = self._tenant_key(memory_scope(upload.tenant, sandbox=upload.sandbox))
        marks = [portrait_mark(image, tenant_key=key)]
        if upload.subject_reference.strip():
            marks.insert(0, subject_mark(upload.subject_reference, tenant_key=key))
        try:
            await self._repository.expect_allowed(
                marks, rules=self._setting.limits_for(sandbox=upload.sandbox), now=now
            )
        except TriesExceeded as error:
            self._metrics.checks.try_refused(error.kind.value, sandbox=upload.sandbox)
            raise too_many_failures(error, now=now) from error
        return tuple(marks)
