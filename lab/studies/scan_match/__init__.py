"""Measures the matcher on whole scans: the range of scans in ``vision/packs/calibrations/*.toml``."""
