"""The client for asyncio."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any

from ._cursor import Positions
from ._dial import Target
from ._feed import ConnectionState, Feed, Ladder
from ._http import Http
from ._timing import Timing
from .errors import SpileError, ValidationError
from .fleet import Agent, Context, Filters, Session
from .frames import DEFAULT_EVENTS, Control, Frame, Gap, Json, Log, SessionEnded, SessionExtended, Stats, frame_of

log = logging.getLogger("spile")


@dataclass(slots=True)
class StreamOptions:
    """What a stream is asked for; every member is also an argument of stream.

    agent_id is an agent's id or name, agents a list of them: one of the two. timeout is the session's length in
    seconds, 1 to 3600. since is a length of time, a timedelta or a datetime, and tail a number of matching events, from
    which history is told first. context asks for so many lines "before" and "after" each that matches. mode is "live"
    or "complete". raw asks for the lines as they were written. events="all" passes on every control frame. on_control
    is called with each control frame, on_connection when the connection is lost and when it is back.
    """

    agent_id: str | None = None
    agents: Sequence[str] | None = None
    timeout: int | None = None
    filters: Filters | None = None
    since: str | timedelta | datetime | None = None
    tail: int | None = None
    context: Context | None = None
    mode: str | None = None
    raw: bool = False
    reason: str | None = None
    events: str = "default"
    on_control: Callable[[Control], None] | None = None
    on_connection: Callable[[ConnectionState], None] | None = None

    def body(self) -> Json:
        """Make the body of the call that starts the session."""
        if self.events not in ("default", "all"):
            raise ValidationError(f'events: {self.events!r} must be "default" or "all"')
        body: Json = {
            "agent_id": self.agent_id,
            "agents": list(self.agents) if self.agents is not None else None,
            "timeout_seconds": self.timeout,
            "filters": dict(self.filters) if self.filters else None,
            "since": _since(self.since),
            "tail": self.tail,
            "context": dict(self.context) if self.context else None,
            "mode": self.mode,
            "raw": self.raw or None,
            "reason": self.reason,
        }
        return {key: value for key, value in body.items() if value is not None}


def _since(value: str | timedelta | datetime | None) -> str | None:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():f}s"
    if isinstance(value, datetime):
        # One without a zone is local time, as everywhere in Python.
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


class AsyncClient:
    """Calls one server. Made without I/O; close it, or use it with async with."""

    def __init__(
        self,
        token: str | None = None,
        base_url: str | None = None,
        *,
        transports: Sequence[str] | None = None,
        max_offline: float | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Settle the token (else SPILE_TOKEN, SPILE_TOKEN_FILE) and the server (else SPILE_SERVER, else the local one).

        transports are the ways to a stream that may be taken, best first: "websocket", "sse", "poll". max_offline is
        how many seconds a stream tries to return to a lost server, 30 unless said otherwise.
        """
        self._timing = timing or Timing()
        if max_offline is not None:
            self._timing.max_offline = max_offline
        self._http = Http(token, base_url, self._timing.call)
        self._ladder = Ladder(transports, self._timing)

    def stream(self, agent_id: str | None = None, **options: Any) -> Opening:
        """Start a session and connect to it; the arguments are the members of StreamOptions.

        The answer is awaited, or used with async with, which stops the session at its end.
        """
        return Opening(self._start(_options(agent_id, options)))

    def attach(
        self,
        session_id: str,
        *,
        after: str | None = None,
        begin: str | None = None,
        events: str = "default",
        on_control: Callable[[Control], None] | None = None,
        on_connection: Callable[[ConnectionState], None] | None = None,
    ) -> Opening:
        """Connect to a session that is open, after a cursor, or from its "start" or from "now"; it is left open."""
        options = StreamOptions(events=events, on_control=on_control, on_connection=on_connection)
        return Opening(self._attach(session_id, after, begin, options))

    async def _start(self, options: StreamOptions) -> AsyncStream:
        answer = await self._http.call("POST", "stream", "start", body=options.body())
        session = Session.of(answer["session"])
        stream = AsyncStream(self, session, options, own=True)
        stream.warnings = answer.get("warnings") or []
        try:
            # Said aloud, since a way that was tried and given up has begun the session too.
            await stream._open(None, "start")
        except BaseException:
            with suppress(SpileError):
                await self.stop_session(session.id)
            raise
        return stream

    async def _attach(
        self, session_id: str, after: str | None, begin: str | None, options: StreamOptions
    ) -> AsyncStream:
        options.body()
        session = await self.session(session_id)
        untouched = session.viewers == 0 and not any(one.seen for one in session.accounts.agents.values())
        if after is None and begin is None and untouched:
            # What the server would say to the first, and it stays so when a way is given up.
            begin = "start"
        stream = AsyncStream(self, session, options, own=False)
        await stream._open(after, begin)
        return stream

    async def agents(self) -> list[Agent]:
        """List the agents."""
        return [Agent.of(one) for one in (await self._http.call("GET", "agents"))["agents"]]

    async def agent(self, agent_id: str) -> Agent:
        """Get one agent, by its id or name."""
        return Agent.of(await self._http.call("GET", "agents", agent_id))

    async def agent_metrics(self, agent_id: str) -> list[Json]:
        """Get what an agent counted in the last hour, the oldest first."""
        points: list[Json] = (await self._http.call("GET", "agents", agent_id, "metrics"))["points"]
        return points

    async def delete_agent(self, agent_id: str) -> None:
        """Forget an agent; it has to be enrolled again."""
        await self._http.call("DELETE", "agents", agent_id)

    async def sessions(self, status: str | None = None) -> list[Session]:
        """List the sessions: those that are active, unless another status or "all" is asked for."""
        query = {"status": status} if status else None
        return [
            Session.of(one) for one in (await self._http.call("GET", "stream", "sessions", query=query))["sessions"]
        ]

    async def session(self, session_id: str) -> Session:
        """Get one session."""
        return Session.of(await self._http.call("GET", "sessions", session_id))

    async def extend_session(self, session_id: str, seconds: int) -> Session:
        """Give a session a new remaining length, counted from now."""
        return Session.of(await self._http.call("PATCH", "sessions", session_id, body={"timeout_seconds": seconds}))

    async def stop_session(self, session_id: str) -> Session:
        """End a session and get it with its final accounts. To do so twice is no error."""
        answer = await self._http.call("POST", "stream", "stop", body={"session_id": session_id})
        return Session.of(answer.get("session", answer))

    async def close(self) -> None:
        """Close what is kept open. Streams are closed by themselves."""
        await self._http.close()

    async def __aenter__(self) -> AsyncClient:
        """Use the client in a block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self.close()


def _options(agent_id: str | None, options: dict[str, Any]) -> StreamOptions:
    known = {one.name for one in fields(StreamOptions)}
    for name in options:
        if name not in known:
            raise TypeError(f"stream() got an unexpected argument {name!r}: must be one of {', '.join(sorted(known))}")
    return StreamOptions(agent_id, **options)


class Opening:
    """A stream that is about to be opened: await it, or use it with async with."""

    def __init__(self, opened: Awaitable[AsyncStream]) -> None:
        """Keep what opens it."""
        self._opened = opened
        self._stream: AsyncStream | None = None

    def __await__(self) -> Generator[Any, Any, AsyncStream]:
        """Open the stream."""
        return self._opened.__await__()

    async def __aenter__(self) -> AsyncStream:
        """Open the stream."""
        self._stream = await self._opened
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the stream, and stop the session if this stream has started it."""
        assert self._stream is not None
        await self._stream._leave(failed=error is not None)


class AsyncStream:
    """One reader of a session.

    Events come once each and in order. When the connection breaks the stream returns by itself to where it was, and
    what cannot be had any more comes as a Gap. Iterating gives the events of logs; frames gives control frames too.
    A gap that nobody takes is logged as a warning by the logger "spile".
    """

    def __init__(self, client: AsyncClient, session: Session, options: StreamOptions, *, own: bool) -> None:
        """Make one; only clients do."""
        self._client, self._options, self._own = client, options, own
        self._feed: Feed | None = None
        self._ready: deque[Json] = deque()
        self._positions = Positions()
        self._stopped = False
        self.session = session
        """The session as far as it is known: its end moves when it is extended, the rest is that of the beginning."""
        self.warnings: list[str] = []
        """What the server said about the start."""
        self.ended: SessionEnded | None = None
        """The end of the session with its accounts, once it has come."""
        self.stats: Stats | None = None
        """The last accounts that were told."""
        self.gapped = 0
        """How many events were told to be missing so far."""

    async def _open(self, after: str | None, begin: str | None) -> None:
        if after:
            try:
                self._positions.seed(after)
            except ValueError as error:
                raise ValidationError(f"after: {error}") from error
        if begin not in (None, "start", "now"):
            raise ValidationError(f'begin: {begin!r} must be "start" or "now"')
        client = self._client
        target = Target(client._http, client._timing, self.session.id, after, begin)
        self._feed = Feed(client._http, client._ladder, client._timing, target, self._tell)
        await self._feed.open()

    def _tell(self, state: ConnectionState) -> None:
        if self._options.on_connection:
            self._options.on_connection(state)

    @property
    def cursor(self) -> str | None:
        """Where the reader stands, to come back with attach(session.id, after=…); None before any agent has spoken."""
        return self._positions.cursor

    @property
    def transport(self) -> str | None:
        """The way that the frames take."""
        return self._feed.transport if self._feed else None

    def __aiter__(self) -> AsyncIterator[Log]:
        """Iterate over the events of logs, to the end of the session."""
        return self._logs()

    async def _logs(self) -> AsyncIterator[Log]:
        async for frame in self.frames():
            if isinstance(frame, Log):
                yield frame
            else:
                self._warn(frame)

    def _warn(self, frame: Frame) -> None:
        """Log a gap that nobody takes."""
        if isinstance(frame, Gap) and self._options.on_control is None:
            least = "at least " if frame.at_least else ""
            log.warning("gap of %s%d %s from agent %s: %s", least, frame.count, frame.unit, frame.agent, frame.reason)

    async def frames(self) -> AsyncIterator[Frame]:
        """Iterate over the events of logs and the control frames that were asked for."""
        while (frame := await self.next()) is not None:
            yield frame

    async def next(self) -> Frame | None:
        """Wait for the next frame; None after the end of the session, or once the stream was closed."""
        while True:
            frame = self._ready_frame()
            if frame is not None:
                return frame
            batch = await self._feed.next() if self._feed else None
            if batch is None:
                return None
            self._ready.extend(batch)

    def _ready_frame(self) -> Frame | None:
        """Give the next frame of those that have come."""
        while self._ready:
            frame = self._take(self._ready.popleft())
            if frame is not None:
                return frame
        return None

    def _take(self, data: Json) -> Frame | None:
        """Follow a frame that is handed out; None where nobody asked for it."""
        frame = frame_of(data)
        if frame is None or isinstance(frame, Log):
            if frame is not None:
                self._positions.advance(frame.agent, frame.epoch, frame.seq)
            return frame
        if isinstance(frame, Gap) and frame.unit == "events":
            self.gapped += frame.count
            if frame.epoch is not None and frame.last is not None:
                self._positions.advance(frame.agent, frame.epoch, frame.last)
        if data.get("cursor"):
            self._positions.learn(data["cursor"])
        if isinstance(frame, SessionEnded):
            self.ended = frame
        elif isinstance(frame, Stats):
            self.stats = frame
        elif isinstance(frame, SessionExtended) and frame.expires_at:
            self.session.expires_at = frame.expires_at
        if self._options.events != "all" and frame.event not in DEFAULT_EVENTS:
            return None
        if self._options.on_control:
            self._options.on_control(frame)
        return frame

    async def extend(self, seconds: int) -> Session:
        """Give the session a new remaining length, counted from now."""
        self.session = await self._client.extend_session(self.session.id, seconds)
        return self.session

    async def stop(self) -> Session:
        """End the session for everybody and get it with its accounts. What was on its way can still be iterated."""
        self._stopped = True
        self.session = await self._client.stop_session(self.session.id)
        return self.session

    async def close(self) -> None:
        """Leave; the session goes on, for others or to come back to."""
        self._ready.clear()
        if self._feed:
            await self._feed.close()

    async def _leave(self, *, failed: bool) -> None:
        """Leave, and stop the session if this stream has started it."""
        try:
            if self._own and not self._stopped and self.ended is None:
                await self.stop()
        except SpileError:
            if not failed:
                raise
        finally:
            await self.close()
