"""The times and bounds of a stream, in one place; lengths in seconds."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Timing:
    """What a stream waits for and how long."""

    call: float = 20.0
    """How long a REST call may take."""
    first_frame: float = 2.0
    """How long a way to the stream may take to its first frame before the next is tried."""
    last_frame: float = 10.0
    """The same for the last way, after which there is none."""
    silence: float = 45.0
    """How long a connection may be silent before it counts as dead: three heartbeats."""
    min_wait: float = 0.1
    """The bound of the first wait between attempts to return."""
    max_wait: float = 5.0
    """The bound of all of them."""
    max_offline: float = 30.0
    """How long a stream tries to return to a lost server."""
    poll_wait: int = 20
    """How long a poll waits at the server."""
    poll_pause: float = 0.2
    """The least time between two polls that bring nothing."""
    forget: float = 300.0
    """For how long a way that did not work is not tried again."""


class Backoff:
    """Waits between attempts: exponential with full jitter, so that many do not return together."""

    def __init__(self, timing: Timing) -> None:
        """Begin with the shortest."""
        self._timing = timing
        self._bound = 0.0

    def next(self) -> float:
        """Give a random part of a bound that doubles with each call."""
        self._bound = min(2 * self._bound, self._timing.max_wait) or self._timing.min_wait
        return random.random() * self._bound

    def reset(self) -> None:
        """Start anew, after an attempt that worked."""
        self._bound = 0.0
