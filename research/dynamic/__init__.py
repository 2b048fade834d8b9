"""The flash challenge over simulated persons and attackers; run it with ``python -m research.dynamic``."""
