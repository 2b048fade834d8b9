"""Measures the error rates and the cost of the product's models and decisions over data sets.

Only ``cli``, ``research`` and tests import this package. Start with ``evaluation.match``.
"""
