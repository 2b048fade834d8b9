"""The data of a person as one archive, for a request under Article 15 of the GDPR."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC

from server.audit import AuditAction
from server.base.errors import Reason, Refusal
from server.compliance.access import Access, ApprovalRules, reference_field
from server.compliance.erasing import Erasure
from server.compliance.reading import EvidenceReading
from server.storage.audit import AuditLog
from server.storage.devices import DeviceRepository

_LONGEST_REFERENCE = 256
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = frozenset(
    {
        Reason.CHECK_NOT_DECIDED,
        Reason.EVIDENCE_ERASED,
        Reason.EVIDENCE_RECORD_MISSING,
        Reason.EVIDENCE_UNREADABLE,
    }
)


class _Sink(io.RawIOBase):
    """Collects what a ZIP file writes, to be passed on in parts; it cannot be sought."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        content = bytes(memoryview(data))  # type: ignore[arg-type]  # any buffer, as the base class says
        self._written += content
        return len(content)

    def taken(self) -> bytes:
        """Return the bytes that were written since the last call."""
        content = bytes(self._written)
        self._written.clear()
        return content


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectExport:
    """Exports the data of a person.

    Attributes:
        reading: Makes the archive of each check.
        erasure: Finds the checks of a person.
        devices: Counts the data about devices.
        rules: Knows people in the audit log.
    """

    reading: EvidenceReading
    erasure: Erasure
    devices: DeviceRepository
    log: AuditLog
    rules: ApprovalRules

    async def archive(self, access: Access, subject: str) -> AsyncIterator[bytes]:
        """Yield the parts of the archive. One check at a time is in memory.

        Raises:
            Refusal: INVALID_FIELD without a subject reference or a purpose.
        """
        access.require_purpose()
        reference_field("subject_reference", subject, longest=_LONGEST_REFERENCE)
        check_ids = await self.erasure.checks_of(access.tenant, subject)
        await self.log.append(
            access.event(
                AuditAction.SUBJECT_EXPORTED,
                subject=self.rules.subject_hash(access.tenant, subject),
                detail={"checks": str(len(check_ids))},
            ),
            now=access.now,
        )
        sink, listed = _Sink(), []
        with zipfile.ZipFile(sink, "w") as archive:
            for check_id in check_ids:
                try:
                    content = await self.reading.archive(access, check_id)
                except Refusal as refusal:
                    if refusal.reason not in _LEFT_OUT:
                        raise
                    listed.append({"check_id": str(check_id), "left_out": refusal.reason.value})
                    continue
                archive.writestr(zipfile.ZipInfo(f"checks/{check_id}.zip", date_time=_EPOCH), content)
                listed.append({"check_id": str(check_id), "file": f"checks/{check_id}.zip"})
                yield sink.taken()
            about = {
                "format": "facegate-subject/1",
                "subject_reference": subject,
                "export_time": access.now.astimezone(UTC).isoformat(),
                "purpose": access.purpose,
                "checks": listed,
                "devices": await self.devices.about_subject(
                    access.tenant, self.rules.device_hashes(access.tenant, subject)
                ),
            }
            archive.writestr(
                zipfile.ZipInfo("subject.json", date_time=_EPOCH),
                json.dumps(about, indent=2, ensure_ascii=False) + "\n",
            )
        yield sink.taken()
