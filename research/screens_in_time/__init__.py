"""Studies the traces of a display in a replay over time (``docs/accuracy.md``, "Screens over time")."""
