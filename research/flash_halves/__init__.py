"""Would two colours on the screen at once tell a face from relighting? See ``research/dynamic/NOTES.md``."""
