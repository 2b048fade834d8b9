"""Simulated persons and attackers in front of a phone, as sources of frames for the reference client.

``phone`` is the simulated phone, ``source`` opens the scans of `facegate verify --simulate`, ``knobs`` sets
their parameters. They and ``simulator.devices.client`` are all of the simulator that knows the client.
"""
