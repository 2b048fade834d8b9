"""``facegate`` with another lease of scans: ``python -m tests.server.process.tuned SECONDS serve ...``."""

import sys
from functools import partial

from cli import serve
from cli.main import main
from server.running.app import FacegateServer
from server.running.assembly import Tuning


def tune(lease_seconds: float) -> None:
    """Let ``facegate serve`` in this process have such a lease."""
    serve.FacegateServer = partial(FacegateServer, tuning=Tuning(lease_seconds=lease_seconds))  # type: ignore[assignment, attr-defined]


if __name__ == "__main__":
    _, seconds, *words = sys.argv
    tune(float(seconds))
    sys.argv = ["facegate", *words]
    main()
