"""Simulated persons and attackers in front of a phone, as sources of frames for a client.

``phone`` is the simulated phone, ``source`` opens the scans of `facegate verify --simulate`, ``knobs`` sets
their parameters.
"""
