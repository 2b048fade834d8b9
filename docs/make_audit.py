"""Writes docs/reference/audit.md: the actions of the audit log, from ``server.audit.event``."""

from pathlib import Path

from docs.make_roles import member_texts
from server.audit import event
from server.audit.event import AuditAction

PAGE = Path(__file__).resolve().parent / "reference" / "audit.md"

_INTRODUCTION = """\
# Actions of the audit log

What the entries of the [audit log](../evidence.md#the-audit-log) name as `action`.

`make reference` writes this page from `server/audit/event.py`; do not edit it by hand.

| Action | What happened |
| --- | --- |
"""


def audit_page() -> str:
    """The whole page."""
    rows = (
        f"| `{AuditAction[name].value}` | {' '.join(text.split()).replace('``', '`')} |\n"
        for name, text in member_texts(event, AuditAction)
    )
    return _INTRODUCTION + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(audit_page())
