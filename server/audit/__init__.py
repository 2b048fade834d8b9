"""The audit log without its storage: events, the hash chain, its verification, checkpoints and pseudonyms.

This package is pure. ``server.storage.audit`` stores the entries; ``docs/audit.md`` describes the log.
"""

from server.audit.chain import (
    GENESIS,
    AuditEntry,
    ChainVerifier,
    Head,
    Problem,
    ProblemKind,
    Report,
    detail_text,
    encode_entry,
    entry_hash,
    make_entry,
)
from server.audit.checkpoint import (
    Checkpoint,
    CheckpointKeys,
    CheckpointSigner,
    SignedCheckpoint,
    digest_of,
)
from server.audit.checkpoint_chain import ALL_LOGS, CheckpointChain, LostCheckpoints, NewestCheckpoint
from server.audit.errors import (
    AuditError,
    AuditEventInvalid,
    AuditExportInvalid,
    AuditKeysInvalid,
    CheckpointInvalid,
    LogChanged,
)
from server.audit.event import (
    LONGEST_PURPOSE_BYTES,
    SERVER_TENANT,
    Actor,
    AuditAction,
    AuditEvent,
    pseudonym,
    subject_hash,
    subject_hashes,
)
from server.audit.export import checkpoint_line, entry_line, mark_line, parse_line
from server.audit.export_verification import (
    ExportLine,
    VerifiedExport,
    copies_by_position,
    copies_by_tenant,
    verify_export,
    without_lost,
)
from server.audit.tally import Repeats, Tally

__all__ = [
    "ALL_LOGS",
    "GENESIS",
    "LONGEST_PURPOSE_BYTES",
    "SERVER_TENANT",
    "Actor",
    "AuditAction",
    "AuditEntry",
    "AuditError",
    "AuditEvent",
    "AuditEventInvalid",
    "AuditExportInvalid",
    "AuditKeysInvalid",
    "ChainVerifier",
    "Checkpoint",
    "CheckpointChain",
    "CheckpointInvalid",
    "CheckpointKeys",
    "CheckpointSigner",
    "ExportLine",
    "Head",
    "LogChanged",
    "LostCheckpoints",
    "NewestCheckpoint",
    "Problem",
    "ProblemKind",
    "Repeats",
    "Report",
    "SignedCheckpoint",
    "Tally",
    "VerifiedExport",
    "checkpoint_line",
    "copies_by_position",
    "copies_by_tenant",
    "detail_text",
    "digest_of",
    "encode_entry",
    "entry_hash",
    "entry_line",
    "make_entry",
    "mark_line",
    "parse_line",
    "pseudonym",
    "subject_hash",
    "subject_hashes",
    "verify_export",
    "without_lost",
]
