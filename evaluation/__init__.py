"""Measurements over data sets: what the product's models and decisions are worth.

Nothing imports this package but ``cli`` and tests. Start with ``evaluation.match``.
"""
