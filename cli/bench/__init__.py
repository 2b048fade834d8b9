"""``facegate bench``: measures the cost of a server against the cost of its models.

``suites`` lists the measurements; to add a figure, write a module with a function and list it there.
``evaluation.bench`` has the clocks, figures and reports.
"""

from cli.bench.command import bench

__all__ = ["bench"]
