"""The server: checks, scans, storage, evidence and the gRPC edge.

These arguments mean the same everywhere, so docstrings do not repeat it. ``now`` is, or returns, the wall
clock in UTC. ``monotonic`` returns seconds of a clock that is never set. ``random`` returns the given number
of bytes of a cryptographic source. ``sandbox`` says whether the caller is a sandbox caller, which can access
sandbox checks only. ``policy`` is the frozen policy of a check. ``epoch`` is the lease epoch of the caller.
``tenant_key`` returns the key of a tenant's marks, 32 bytes. ``hashes`` are those of the subject reference
(``MemoryKey.subject_hashes``). ``limit`` is the most rows that a query returns. ``env`` is what all streams
share. ``metrics`` counts what the class does.
"""
