"""Does skin soften the screen's light otherwise than masks do? See ``research/dynamic/NOTES.md``."""
