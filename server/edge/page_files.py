"""The files of the built pages that the server itself serves."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from aiohttp import web

__all__ = ["file_answer", "page_files"]

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


def page_files(name: str) -> Mapping[str, bytes]:
    """Returns the files of a built page, by their path.

    Args:
        name: Its folder in ``server.edge``.
    """
    folder = files("server.edge").joinpath(name)
    found = {f"/{entry.name}": entry for entry in folder.iterdir() if entry.is_file()}
    assets = folder.joinpath("assets")
    if assets.is_dir():
        found |= {f"/assets/{entry.name}": entry for entry in assets.iterdir() if entry.is_file()}
    return {path: entry.read_bytes() for path, entry in found.items() if path.endswith(tuple(_TYPES))}


def file_answer(found: Mapping[str, bytes], path: str) -> web.Response:
    """Returns a file.

    Raises:
        HTTPNotFound: There is none at this path.
    """
    content = found.get(path)
    if content is None:
        raise web.HTTPNotFound
    answer = web.Response(body=content, content_type=_TYPES[path[path.rindex(".") :]])
    answer.charset = "utf-8" if answer.content_type.startswith("text/") else None
    if path.startswith("/assets/"):
        # Their names change with their content.
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer
