"""Would a face's own geometry tell it from a sheet? See ``research/dynamic/NOTES.md``."""
