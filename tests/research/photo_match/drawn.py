"""The people of the drawn templates."""

__all__ = ["GROUPS", "PEOPLE"]

PEOPLE = 60
"""People of each of the two sources."""
GROUPS = ("East Asian", "Indian", "White")
