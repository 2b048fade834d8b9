"""The lines that native libraries write to standard error, as lines of our log.

gRPC's transport logs to file descriptor 2, past ``logging``: a line of text between the JSON of the log,
for each handshake that fails. It is also the only place that says why a caller's TLS handshake was refused:
gRPC calls no code of ours then, and sends the caller no alert.
"""

import atexit
import faulthandler
import os
import re
import sys
import threading
from typing import Final

import structlog

__all__ = ["log_native_line", "log_native_output"]

_MOST_CHARACTERS: Final = 500
_CHUNK_BYTES: Final = 65_536
_GRPC_LINE: Final = re.compile(r"([IWEF])[0-9]{4} [0-9:.]+ +[0-9]+ ([\w.-]+:[0-9]+)\] (.*)")
_HANDSHAKE: Final = re.compile(
    r"Handshake failed with error \w+: (?:error:[0-9a-f]+:.*?:)?([A-Z0-9_]{4,64})\b"
)
_CERTIFICATES: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the caller shows no certificate, and client_ca demands one",
    "CERTIFICATE_VERIFY_FAILED": "the certificate is not of a trusted authority, or is not valid now",
}
"""Failures that an operator can mend; port scanners and callers without TLS cause the others."""

_log = structlog.get_logger(__name__)


def log_native_output() -> None:
    """Logs what native code writes to file descriptor 2, until the process ends.

    Call it before logging is set up. ``sys.stderr``, and so the log, then writes to where the descriptor
    pointed, as does ``faulthandler``, which this enables: a library that aborts the process may take its last
    line with it. Lines are dropped if they come faster than they are read, so that a flood of them blocks no
    thread of gRPC. Nothing changes in a program that has replaced ``sys.stderr``.
    """
    if sys.__stderr__ is None or sys.stderr is not sys.__stderr__:
        return
    shown = os.dup(2)
    read, write = os.pipe()
    os.set_blocking(write, False)
    sys.stderr.flush()
    os.dup2(write, 2)
    os.close(write)
    sys.stderr = os.fdopen(
        shown, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
    faulthandler.enable(sys.stderr)
    reader = threading.Thread(target=_log_lines, args=(read,), name="native-output", daemon=True)
    reader.start()

    def end() -> None:
        # Closes the last writer, so that the reader ends after what is left in the pipe.
        os.dup2(shown, 2)
        reader.join(timeout=5.0)

    atexit.register(end)


def _log_lines(read: int) -> None:
    rest = b""
    while chunk := os.read(read, _CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        # A line without an end must not fill the memory.
        if len(rest) > _CHUNK_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            log_native_line(line.decode("utf-8", "backslashreplace"))
    if rest:
        log_native_line(rest.decode("utf-8", "backslashreplace"))
    os.close(read)


def log_native_line(line: str) -> None:
    """Logs one line as what it says, if it is known, and as text otherwise."""
    line = line.rstrip()[:_MOST_CHARACTERS]
    if not line:
        return
    found = _GRPC_LINE.fullmatch(line)
    if found is None:
        _log.warning("native_output", text=line)
        return
    severity, place, text = found.groups()
    failed = _HANDSHAKE.match(text)
    if failed is not None:
        why = _CERTIFICATES.get(failed[1])
        if why is None:
            _log.info("tls_handshake_failed", reason="OTHER", why=failed[1])
        else:
            _log.warning("tls_handshake_failed", reason=failed[1], why=why)
        return
    write = {"I": _log.info, "W": _log.warning}.get(severity, _log.error)
    write("native_output", text=text, place=place)
