"""Studies what a display adds to a replay over time. Figures: ``docs/accuracy.md``, "Screens over time"."""
