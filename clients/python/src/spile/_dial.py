"""The three ways to a stream: WebSocket, server-sent events, and polls. Each gives frames as JSON, in batches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect

from ._http import Http
from ._timing import Timing
from .errors import SpileError, UnavailableError, error_of, refusal
from .frames import Json

MAX_MESSAGE = 32 << 20
"""Bounds one WebSocket message: what a server keeps of a session, and more."""


@dataclass(slots=True)
class Target:
    """What a way leads to."""

    http: Http
    timing: Timing
    session_id: str
    after: str | None
    begin: str | None

    def query(self) -> Json:
        """Make the query that every way takes."""
        query: Json = {"events": "all"}
        if self.after:
            query["after"] = self.after
        elif self.begin:
            query["from"] = self.begin
        return query


class Connection(Protocol):
    """One connection of a stream."""

    async def read(self) -> list[Json] | None:
        """Wait for the next frames; None after the last. What breaks the connection is a SpileError."""

    async def close(self) -> None:
        """Give the connection up."""


class WebSocketConnection:
    """A stream over a WebSocket, many frames a message."""

    def __init__(self, socket: ClientConnection, timing: Timing) -> None:
        """Take over a socket."""
        self._socket = socket
        self._timing = timing

    async def read(self) -> list[Json] | None:
        """Read one message."""
        try:
            message = await asyncio.wait_for(self._socket.recv(), self._timing.silence)
        except websockets.ConnectionClosedOK:
            return None
        except websockets.WebSocketException as error:
            raise UnavailableError(f"the connection broke: {error}") from error
        except TimeoutError as error:
            raise silent(self._timing) from error
        except asyncio.TimeoutError as error:  # another class before Python 3.11
            raise silent(self._timing) from error
        return [decode(line) for line in as_text(message).split("\n") if line]

    async def close(self) -> None:
        """Drop the socket without waiting for the other side."""
        self._socket.transport.abort()


async def dial_websocket(target: Target) -> Connection:
    """Connect by a WebSocket. The token travels in a header."""
    base = target.http.url("stream", "ws", target.session_id)
    url = str(httpx.URL("ws" + base.removeprefix("http"), params={**target.query(), "batch": "1"}))
    try:
        socket = await connect(
            url, additional_headers=target.http.headers, max_size=MAX_MESSAGE, compression=None, open_timeout=None,
            ping_interval=None,
        )  # fmt: skip
    except websockets.InvalidStatus as error:
        answer = error.response
        raise refusal(answer.status_code, bytes(answer.body or b""), answer.headers.get("Retry-After")) from error
    except (OSError, websockets.WebSocketException, EOFError) as error:
        raise target.http.lost(error) from error
    return WebSocketConnection(socket, target.timing)


class EventParser:
    """Reads server-sent events from whatever pieces they come in, by the WHATWG's rules for their text."""

    def __init__(self) -> None:
        """Begin before the first line."""
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """Take a piece and give the data of every event that is complete."""
        text = (self._rest + piece).replace(b"\r\n", b"\n")
        *lines, self._rest = text.split(b"\n")
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data = []
            elif line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
        return events


class EventConnection:
    """A stream of server-sent events."""

    def __init__(self, answer: httpx.Response) -> None:
        """Take over an answer whose body was not read yet."""
        self._answer = answer
        self._pieces: AsyncIterator[bytes] = answer.aiter_bytes()
        self._parser = EventParser()

    async def read(self) -> list[Json] | None:
        """Read until an event is complete."""
        while True:
            try:
                piece = await anext(self._pieces, None)
            except httpx.HTTPError as error:
                raise UnavailableError(f"the connection broke: {error or type(error).__name__}") from error
            if piece is None:
                return None
            if frames := [decode(event) for event in self._parser.feed(piece)]:
                return frames

    async def close(self) -> None:
        """Close the connection."""
        await self._answer.aclose()


async def dial_events(target: Target) -> Connection:
    """Connect by server-sent events."""
    client = target.http.client
    request = client.build_request(
        "GET",
        target.http.url("stream", "sse", target.session_id),
        params=target.query(),
        headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"},
        timeout=httpx.Timeout(target.timing.call, read=target.timing.silence),
    )
    try:
        answer = await client.send(request, stream=True)
        if not answer.is_success:
            await answer.aread()
    except httpx.HTTPError as error:
        raise target.http.lost(error) from error
    if not answer.is_success:
        raise refusal(answer.status_code, answer.content, answer.headers.get("Retry-After"))
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        await answer.aclose()
        raise UnavailableError("the answer is no stream of events")
    return EventConnection(answer)


class PollConnection:
    """A stream by asking again and again, which gets through whatever lets a web page through."""

    def __init__(self, target: Target) -> None:
        """Begin at the target's cursor."""
        self._target = target
        self._asked = False
        self._ended = False

    async def read(self) -> list[Json] | None:
        """Ask until there are frames."""
        timing = self._target.timing
        while not self._ended:
            # The first answer comes at once and shows that the way is open.
            wait = timing.poll_wait if self._asked else 0
            answer = await self._target.http.call(
                "GET", "stream", "poll", self._target.session_id,
                query={**self._target.query(), "wait": wait}, timeout=timing.silence,
            )  # fmt: skip
            if not isinstance(answer, dict) or not isinstance(answer.get("frames"), list):
                raise UnavailableError("the answer to a poll has no frames")
            self._asked = True
            self._target.after = answer.get("cursor") or self._target.after
            self._ended = bool(answer.get("ended"))
            frames: list[Json] = answer["frames"]
            if frames:
                return frames
            await asyncio.sleep(timing.poll_pause)
        return None

    async def close(self) -> None:
        """Nothing is open between two polls."""


async def dial_poll(target: Target) -> Connection:
    """Connect by polls; the first of them is made by the first read."""
    return PollConnection(target)


def as_text(message: str | bytes) -> str:
    """Take a message of frames, which is text."""
    if isinstance(message, bytes):
        raise error_of("internal_error", "the server sent a binary message on a stream")
    return message


def decode(text: str | bytes) -> Json:
    """Read one frame."""
    try:
        frame = json.loads(text)
    except ValueError as error:
        raise error_of("internal_error", f"the server sent a frame that cannot be read: {error}") from error
    if not isinstance(frame, dict):
        raise error_of("internal_error", "the server sent a frame that is no object")
    return frame


def silent(timing: Timing) -> SpileError:
    """Make the error of a connection on which nothing was heard."""
    return UnavailableError(f"nothing heard for {timing.silence:g} s")


WAYS: dict[str, Callable[[Target], Awaitable[Connection]]] = {
    "websocket": dial_websocket,
    "sse": dial_events,
    "poll": dial_poll,
}
