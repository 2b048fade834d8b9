"""Studies, fits and training behind the product's own data files and documents.

Nothing imports this package but its tests, and no wheel contains it. Run a study from a checkout, such as
``python -m research.dynamic --help``. What users measure is in ``evaluation``.
"""
