"""Studies, fits and training for the data files and documents of the product.

Only its tests import this package, and no wheel contains it. Run a study from a checkout, such as
``python -m research.dynamic --help``. ``evaluation`` has the measurements for users.
"""
