"""Measures how far actions of a living face stand out from a rigid mask: a study for a second challenge."""
