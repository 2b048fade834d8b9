"""Whether the extra ``evaluation`` is installed: SciPy for the bounds, matplotlib for the charts.

The modules of ``evaluation`` import both in the functions that need them, because ``facegate bench`` and
``facegate doctor`` use this package without them.
"""

from importlib.util import find_spec

from formats.extras import missing_extra


class EvaluationUnavailable(Exception):
    """The extra ``evaluation`` is not installed."""


def require_evaluation() -> None:
    """Make sure, before a long computation, that rates can be bounded and charts drawn.

    Raises:
        EvaluationUnavailable: The extra is not installed.
    """
    if find_spec("scipy") is None or find_spec("matplotlib") is None:
        raise EvaluationUnavailable(missing_extra("facegate evaluate", "evaluation"))
