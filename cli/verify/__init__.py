"""`facegate verify`: makes a whole check, as an orchestrator and a device do."""

from cli.verify.command import verify
from cli.verify.help import VerifyCommand

__all__ = ["VerifyCommand", "verify"]
