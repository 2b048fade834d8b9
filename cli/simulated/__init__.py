"""Simulated persons and attackers in front of a phone, as sources of frames for a client.

``phone`` is the phone in the hand of whoever is simulated, ``source`` what `facegate verify --simulate`
opens, ``knobs`` what can be turned.
"""
