"""Studies, fits and training that make the data files and constants of the product; each names its own.

Only its tests import this package, and no wheel contains it. Run a study from a checkout, such as
``python -m lab.studies.dynamic --help``. ``evaluation`` has the measurements for users.
"""
