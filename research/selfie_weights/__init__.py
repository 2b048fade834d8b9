"""Chooses the weights of the eight signals and measures them.

``python -m research.selfie_weights --help``
"""
