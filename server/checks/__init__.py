"""The life of a check: its creation, progress, decision and erasure."""
