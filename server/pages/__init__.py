"""The pages that commands write: Jinja2 templates. Each page is one HTML file that loads and runs nothing.

All templates and style sheets are in ``templates``: ``frame.html`` is the frame of a page, ``parts.html`` has
its parts, ``verdict.html`` explains a verdict, ``charts.html`` has drawings in SVG.
"""

from server.pages.rendering import Html, data_uri, render

__all__ = ["Html", "data_uri", "render"]
