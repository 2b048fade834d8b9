"""Makes the calibrations of photo against photo, ``vision/packs/calibrations/*.toml``, and their tables."""
