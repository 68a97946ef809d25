"""The frames of a session, once each and in order, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ._cursor import Positions
from ._dial import WAYS, Connection, Target
from ._http import Http
from ._timing import Backoff, Timing
from .errors import SpileError, UnavailableError, ValidationError, passing
from .frames import Json


@dataclass(slots=True, frozen=True)
class ConnectionState:
    """What is told about the connection of a stream.

    attempt counts the attempts to return, 0 when it was lost just now; wait is in how many seconds the next one is
    made; error is why it was lost, or why the attempt failed.
    """

    connected: bool
    attempt: int
    wait: float
    transport: str
    error: SpileError | None = None


class Ladder:
    """The ways to the streams of one server, best first; streams of one client learn from one another which works."""

    def __init__(self, ways: Sequence[str] | None, timing: Timing) -> None:
        """Check the ways; None is all of them."""
        self.ways = tuple(WAYS if ways is None else ways)
        if not self.ways or not set(self.ways) <= set(WAYS):
            raise ValidationError(f"transports: must be some of {', '.join(WAYS)}")
        self._forget = timing.forget
        self._best = 0
        self._tried = -float("inf")

    def start(self) -> int:
        """Say where to begin: at the way that is known to work, and now and then at the best again."""
        now = time.monotonic()
        if now - self._tried > self._forget:
            self._best = 0
        if self._best == 0:
            self._tried = now
        return self._best

    def settle(self, rung: int) -> None:
        """Remember the way that works."""
        self._best = rung


class Feed:
    """The frames of one session. It is pulled: while nobody asks for frames, nothing is read."""

    def __init__(
        self,
        http: Http,
        ladder: Ladder,
        timing: Timing,
        target: Target,
        tell: Callable[[ConnectionState], None],
    ) -> None:
        """Prepare; open connects."""
        self._http, self._ladder, self._timing, self._target, self._tell = http, ladder, timing, target, tell
        self._positions = Positions()
        if target.after:
            self._positions.seed(target.after)
        self._backoff = Backoff(timing)
        self._connection: Connection | None = None
        self._first: list[Json] = []
        self._ended = False
        self.transport = ladder.ways[0]

    async def open(self) -> None:
        """Connect for the first time: tried once, its refusal is raised."""
        await self._connect()

    async def next(self) -> list[Json] | None:
        """Wait for the next frames; None after the end of the session."""
        while not self._ended:
            frames = [frame for frame in await self._read() if self._accept(frame)]
            if self._ended:
                await self._drop()
            if frames:
                return frames
        return None

    async def close(self) -> None:
        """Leave; the session goes on."""
        self._ended = True
        await self._drop()

    async def _drop(self) -> None:
        connection, self._connection, self._first = self._connection, None, []
        if connection:
            await connection.close()

    async def _read(self) -> list[Json]:
        if self._first:
            first, self._first = self._first, []
            return first
        why: SpileError = UnavailableError("the connection was closed")
        try:
            if self._connection:
                frames = await self._connection.read()
                if frames is not None:
                    self._backoff.reset()
                    return frames
        except SpileError as error:
            why = error
        except BaseException:
            # Whoever was waiting has given up; what was on its way comes again over the next connection.
            await self._drop()
            raise
        await self._drop()
        await self._return(why)
        return []

    async def _return(self, why: SpileError) -> None:
        """Try to return until that was tried for long enough or the server refuses."""
        limit = time.monotonic() + self._timing.max_offline
        # One that was too slow has been waited for already.
        wait = 0.0 if why.code == "slow_viewer" else self._backoff.next()
        self._tell(ConnectionState(False, 0, wait, self.transport, why))
        attempt = 0
        while True:
            attempt += 1
            await asyncio.sleep(wait)
            try:
                await self._connect()
            except SpileError as error:
                if not passing(error):
                    raise
                wait = max(self._backoff.next(), error.retry_after or 0)
                if time.monotonic() + wait > limit:
                    raise UnavailableError(
                        f"lost the server for {self._timing.max_offline:g} s: {error.message}"
                    ) from error
                self._tell(ConnectionState(False, attempt, wait, self.transport, error))
                continue
            self._tell(ConnectionState(True, attempt, 0, self.transport))
            return

    async def _connect(self) -> None:
        """Connect by the best way that works now."""
        failure: SpileError | None = None
        for rung in range(self._ladder.start(), len(self._ladder.ways)):
            way = self._ladder.ways[rung]
            last = rung == len(self._ladder.ways) - 1
            try:
                await self._dial(way, self._timing.last_frame if last else self._timing.first_frame)
            except SpileError as error:
                # The server itself has spoken, so the way to it is good; but one that wants an upgrade saw none.
                if error.from_server and error.status != 426:
                    raise
                failure = error
                continue
            self.transport = way
            self._ladder.settle(rung)
            return
        self._ladder.settle(0)
        assert failure is not None
        raise failure

    async def _dial(self, way: str, patience: float) -> None:
        """Make a connection and wait for its first frames."""
        self._target.after = self._positions.cursor
        connections: list[Connection] = []

        async def first() -> list[Json] | None:
            connections.append(await WAYS[way](self._target))
            return await connections[0].read()

        try:
            frames = await asyncio.wait_for(first(), patience)
            if frames is None:
                raise UnavailableError("the connection was closed before its first frame")
        except BaseException as error:
            for connection in connections:
                await connection.close()
            if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
                raise UnavailableError(f"no frame within {patience:g} s") from error
            raise
        self._connection, self._first = connections[0], frames

    def _accept(self, frame: Json) -> bool:
        """Follow what a frame says about the stream itself, and say whether it is new."""
        if frame.get("type") == "log":
            self._target.begin = None
            return self._positions.advance(frame["agent"], frame["epoch"], frame["seq"])
        if frame.get("type") != "control":
            return False  # of a type that this version does not know
        event = frame.get("event")
        if event == "session_started":
            # An agent without a number has not spoken yet. Who is owed everything of all returns as one who is.
            if all(number <= 1 for number in frame.get("next_seq", {}).values()):
                self._target.begin = "start"
        elif event == "gap" and frame.get("unit") == "events" and "to" in frame:
            return self._positions.advance(frame["agent"], frame["epoch"], frame["to"])
        elif event == "session_ended":
            self._ended = True
        if frame.get("cursor"):
            self._positions.learn(frame["cursor"])
        return True
