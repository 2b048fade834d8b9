"""Measures the matcher on whole scans against portraits, and on scans in which the person changes.

It makes the range of scans in ``vision/packs/calibrations/*.toml``. ``SWAP_MAX_FMR`` in
``matcher/constancy.py`` rests on it.
"""
