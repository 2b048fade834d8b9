"""The work of compliance on decided checks: find, read, export, keep on hold, and erase their evidence.

Every read is an entry of the audit log before its bytes leave; every change is logged in its transaction.
It may import ``server.checks``, ``server.evidence`` and ``server.storage``; start with ``access.py``.
"""
