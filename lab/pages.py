"""The templates of the laboratory's pages, which extend those of ``server.pages``."""

from pathlib import Path

from server.pages import add_templates, render

__all__ = ["render"]

add_templates(Path(__file__).with_name("templates"))
