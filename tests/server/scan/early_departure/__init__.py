"""How early an attempt that its device left may be decided against; ``docs/accuracy.md`` has the figures."""
