"""Serves the page and its JSON interface, on loopback."""

import base64
import socket
from importlib.resources import files
from typing import Any, Final

from aiohttp import web

from cli.errors import ServerUnusable
from cli.try_.attacks import AttackRoom
from cli.try_.checks import PersonChecks, Unknown
from cli.try_.guard import Guard
from cli.try_.portraits import MOST_BYTES, refused_document
from facegate_client import CallRefusedError, ClientError

__all__ = ["TrySite", "open_socket"]

_HOST: Final = "127.0.0.1"
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_NOT_FOUND: Final = 404


def open_socket(port: int) -> socket.socket:
    """Binds the page's port on loopback.

    Args:
        port: TCP port; 0 for any free one.

    Raises:
        ServerUnusable: Another program uses the port.
    """
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((_HOST, port))
    except OSError as error:
        bound.close()
        raise ServerUnusable(
            f"the page cannot use {_HOST}:{port}: {error.strerror}; give another port with --port, or 0 for "
            "any free one"
        ) from error
    return bound


class TrySite:
    """The page, its interface, and what both show of the server."""

    def __init__(
        self, *, guard: Guard, checks: PersonChecks, attacks: AttackRoom, about: dict[str, Any]
    ) -> None:
        """Prepares the site; nothing is served before ``start``.

        Args:
            guard: Refuses requests that do not come from the page.
            checks: Makes the checks of the person.
            attacks: Makes the checks of the simulated attackers.
            about: The facts about the server that the page states, a JSON object.
        """
        self._checks = checks
        self._attacks = attacks
        self._about = about
        application = web.Application(client_max_size=MOST_BYTES, middlewares=[guard.middleware()])
        application.on_response_prepare.append(guard.restrict)
        application.add_routes(
            [
                web.get("/api/about", self._get_about),
                web.post("/api/portraits", self._post_portrait),
                web.post("/api/checks", self._post_check),
                web.post("/api/checks/{check}/finish", self._finish_check),
                web.post("/api/attacks", self._start_attacks),
                web.get("/api/attacks", self._get_attacks),
                web.get("/api/attacks/{key}", self._get_attack),
                web.get("/{name:[a-z_.]*}", self._get_file),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)
        self._files = {
            entry.name: entry.read_bytes()
            for entry in files("cli.try_").joinpath("page").iterdir()
            if entry.name.endswith(tuple(_TYPES))
        }

    async def start(self, bound: socket.socket) -> None:
        """Serves on a socket."""
        await self._runner.setup()
        await web.SockSite(self._runner, bound).start()

    async def stop(self) -> None:
        """Ends the page and the checks in the background."""
        await self._attacks.close()
        await self._runner.cleanup()

    async def _get_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"] or "index.html"
        content = self._files.get(name)
        if content is None:
            return web.Response(status=_NOT_FOUND, text="there is no such page\n")
        media_type = _TYPES[name[name.rindex(".") :]]
        return web.Response(body=content, content_type=media_type, charset="utf-8")

    async def _get_about(self, _: web.Request) -> web.Response:
        return web.json_response(self._about)

    async def _post_portrait(self, request: web.Request) -> web.Response:
        try:
            upload = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _problem(413, "IMAGE_TOO_LARGE", f"the file has more than {MOST_BYTES:,} bytes")
        try:
            return web.json_response(await self._checks.examine(upload))
        except CallRefusedError as error:
            return web.json_response(refused_document(error.refusal), status=422)
        except ClientError as error:
            return _unreachable(error)

    async def _post_check(self, request: web.Request) -> web.Response:
        wanted = request.query
        try:
            created = await self._checks.create(wanted.get("portrait", ""), wanted.get("mode", ""))
        except Unknown as error:
            return _problem(_NOT_FOUND, "NOT_FOUND", str(error))
        except CallRefusedError as error:
            return web.json_response(refused_document(error.refusal), status=422)
        except ClientError as error:
            return _unreachable(error)
        return web.json_response(
            {
                "check": created.check_id,
                "ticket": {
                    "token": created.scan_token,
                    "challengeKeySha256": base64.b64encode(created.challenge_key_sha256).decode(),
                },
            }
        )

    async def _finish_check(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(await self._checks.finish(request.match_info["check"]))
        except Unknown as error:
            return _problem(_NOT_FOUND, "NOT_FOUND", str(error))
        except CallRefusedError as error:
            return web.json_response(refused_document(error.refusal), status=409)
        except ClientError as error:
            return _unreachable(error)

    async def _start_attacks(self, _: web.Request) -> web.Response:
        self._attacks.start()
        return web.json_response(self._attacks.overview)

    async def _get_attacks(self, _: web.Request) -> web.Response:
        return web.json_response(self._attacks.overview)

    async def _get_attack(self, request: web.Request) -> web.Response:
        detail = self._attacks.detail(request.match_info["key"])
        if detail is None:
            return _problem(_NOT_FOUND, "NOT_FOUND", "this check is not done, or does not exist")
        return web.json_response(detail)


def _problem(status: int, reason: str, message: str) -> web.Response:
    return web.json_response({"reason": reason, "message": message}, status=status)


def _unreachable(error: ClientError) -> web.Response:
    return _problem(502, "SERVER_UNREACHABLE", f"the server cannot be reached: {error}")
