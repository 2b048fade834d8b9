"""``facegate keys``: makes API keys for callers, and manages the server's keys."""

from cli.keys.command import app

__all__ = ["app"]
