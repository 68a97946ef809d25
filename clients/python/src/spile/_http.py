"""The REST calls: addresses, headers, and what an answer means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from .errors import UnavailableError, ValidationError, refusal
from .frames import Json

BASE_PATH = "/api/v1"
DEFAULT_SERVER = "http://127.0.0.1:7800"


def settled(token: str | None, base_url: str | None) -> tuple[str | None, str]:
    """Settle the token and the server: as given, else from SPILE_TOKEN, SPILE_TOKEN_FILE, SPILE_SERVER."""
    if token is None:
        token = os.environ.get("SPILE_TOKEN") or None
    if token is None and (path := os.environ.get("SPILE_TOKEN_FILE")):
        token = Path(path).read_text(encoding="utf-8").strip()
    if token is not None and (not token or any(c.isspace() for c in token)):
        raise ValidationError("token: must be one word without spaces or line ends")
    url = (base_url or os.environ.get("SPILE_SERVER") or DEFAULT_SERVER).rstrip("/").removesuffix(BASE_PATH)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationError(f"base_url: {url!r} must be a URL such as {DEFAULT_SERVER}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValidationError("base_url: must have no user, query or fragment")
    return token, url


class Http:
    """The calls to one server."""

    def __init__(self, token: str | None, base_url: str | None, timeout: float) -> None:
        """Settle where the server is; nothing is connected yet."""
        token, self.base = settled(token, base_url)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.AsyncClient(
            headers={**self.headers, "Accept": "application/json"}, timeout=timeout, follow_redirects=False
        )

    def url(self, *path: str) -> str:
        """Make an address below the base of the API; parts may hold anything."""
        return self.base + BASE_PATH + "/" + "/".join(quote(part, safe="") for part in path)

    async def call(
        self, method: str, *path: str, body: Json | None = None, query: Json | None = None, timeout: float | None = None
    ) -> Any:
        """Make one call and read its answer."""
        limit = httpx.USE_CLIENT_DEFAULT if timeout is None else timeout
        try:
            answer = await self.client.request(method, self.url(*path), json=body, params=query, timeout=limit)
        except httpx.HTTPError as error:
            raise self.lost(error) from error
        return self.read(answer)

    def read(self, answer: httpx.Response) -> Any:
        """Read an answer that is there as a whole; what is no success is raised."""
        if not answer.is_success:
            raise refusal(answer.status_code, answer.content, answer.headers.get("Retry-After"))
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise UnavailableError(f"{self.base} answered with something else than JSON") from error

    def lost(self, error: Exception) -> UnavailableError:
        """Make the error of a call that got no answer."""
        return UnavailableError(f"reach {self.base}: {error or type(error).__name__}")

    async def close(self) -> None:
        """Close what is kept open between calls."""
        await self.client.aclose()
