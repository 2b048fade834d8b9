"""Pages as Jinja2 templates: reports, each one HTML file that loads and runs nothing, and the log-in's.

All templates and style sheets are in ``templates``: ``frame.html`` is the frame of a page, ``parts.html`` has
its parts, ``verdict.html`` explains a verdict, ``charts.svg`` has the drawings.
"""

from server.pages.explanation import Explanation, Figure, Group, Judgement, Measure, explanation_page
from server.pages.rendering import Html, add_templates, data_uri, render
from server.pages.time_chart import TimeRow, time_chart

__all__ = [
    "Explanation",
    "Figure",
    "Group",
    "Html",
    "Judgement",
    "Measure",
    "TimeRow",
    "add_templates",
    "data_uri",
    "explanation_page",
    "render",
    "time_chart",
]
