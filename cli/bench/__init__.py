"""``facegate bench``: what a server costs, against what its models cost.

``suites`` lists what is measured; a further figure is one more module with one more function there.
How clocks, figures and reports work is in ``evaluation.bench``.
"""

from cli.bench.command import bench

__all__ = ["bench"]
