"""Fits and training that write the data files of the product; each names its own.

Only tests import this package, and no wheel contains it. Run a study from a checkout, such as
``python -m lab.studies.dynamic --help``; a command that a shipped file records as ``research.X`` is
``lab.studies.X`` now. Tag ``studies-1.0`` (commit d518bab3, folder ``research``) has the finished studies,
which print figures that pages cite, and constants in code. ``evaluation`` has the measurements for users.
"""
