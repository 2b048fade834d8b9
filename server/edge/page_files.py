"""The files of the built pages that the server itself serves."""

import gzip
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

from aiohttp import web

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_TAKES_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)


def page_files(name: str) -> Mapping[str, bytes]:
    """Return the files of a built page, by their path.

    Args:
        name: Its folder in ``server.edge``.
    """
    folder = files("server.edge").joinpath(name)
    found = {f"/{entry.name}": entry for entry in folder.iterdir() if entry.is_file()}
    assets = folder.joinpath("assets")
    if assets.is_dir():
        found |= {f"/assets/{entry.name}": entry for entry in assets.iterdir() if entry.is_file()}
    return {path: entry.read_bytes() for path, entry in found.items() if path.endswith(tuple(_TYPES))}


def file_answer(found: Mapping[str, bytes], path: str, request: web.Request) -> web.Response:
    """Return a file, compressed if the browser takes that: a phone loads a third.

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
        if path.endswith((".js", ".css")):
            answer.headers["Vary"] = "Accept-Encoding"
            if _TAKES_GZIP.search(request.headers.get("Accept-Encoding", "")):
                answer.headers["Content-Encoding"] = "gzip"
                answer.body = _compressed(content)
    return answer


@lru_cache(maxsize=16)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
