"""People with a browser who log in at ``provider.mjs``, by the form that it shows."""

import html
import re
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from tests.server.edge.console.browser import Answer, Browser

_MOST_STEPS = 12


class Person:
    """Somebody with cookies at the issuer."""

    def __init__(self, name: str, session: aiohttp.ClientSession) -> None:
        """Set the name of the account.

        Args:
            session: A session with a cookie jar that accepts addresses (``unsafe``).
        """
        self.name = name
        self._session = session
        self.forms = 0

    async def follow(self, place: str, *, until: str) -> str:
        """Follow redirects and answer forms of the issuer; return the first address below ``until``."""
        form: dict[str, str] | None = None
        for _ in range(_MOST_STEPS):
            method = "GET" if form is None else "POST"
            async with self._session.request(method, place, data=form, allow_redirects=False) as answer:
                body, form = await answer.text(), None
                if answer.status in {302, 303}:
                    place = urljoin(place, answer.headers["Location"])
                    if place.startswith(until):
                        return place
                    continue
                assert answer.status == 200, (answer.status, body)
                place, form = self._answered(body, place)
        raise AssertionError("the issuer does not send the browser back")

    async def log_in(self, browser: Browser, *, step_up: bool = False) -> Answer:
        """Log in at the console, and return the answer of its callback."""
        begun = await browser.get(f"/login/oidc{'?step_up=1' if step_up else ''}")
        assert begun.status == 303, begun.body
        back = await self.follow(begun.headers["Location"], until=f"{browser.address}/login/callback")
        # The browser comes from another site, with which it does not send a strict cookie.
        return await browser.navigate(urlsplit(back))

    def _answered(self, page: str, place: str) -> tuple[str, dict[str, str]]:
        self.forms += 1
        found: Any = re.search(r'<form[^>]* action="([^"]+)"', page)
        assert found, page
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        if 'name="login"' in page:
            fields |= {"login": self.name, "password": "any"}
        if 'name="logout"' in page:
            fields |= {"logout": "yes"}
        return urljoin(place, html.unescape(found[1])), fields
