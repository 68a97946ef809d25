"""What can go wrong: one exception for each code of the server."""

from __future__ import annotations

import json


class SpileError(Exception):
    """A refusal by the server, or a server that cannot be reached.

    code is the machine-readable kind, status the HTTP status (None where there was none), details says for each
    offending field what was wrong and what is allowed, and retry_after is in how many seconds the server wants to be
    asked again, where it said so.
    """

    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        details: dict[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Make an error; a code other than that of the class is kept."""
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status
        self.details = details or {}
        self.retry_after = retry_after
        # Whether the server itself said so, and not something on the way to it.
        self.from_server = code is not None


class ValidationError(SpileError):
    """A request that the server does not understand or allow; details names the fields."""

    code = "validation_error"


class UnauthorizedError(SpileError):
    """No token, or one that is not good (any more)."""

    code = "unauthorized"


class ForbiddenError(SpileError):
    """Known, and not allowed."""

    code = "forbidden"


class NotFoundError(SpileError):
    """No such session, agent or path."""

    code = "not_found"


class ConflictError(SpileError):
    """At odds with what is."""

    code = "conflict"


class AgentOfflineError(ConflictError):
    """The agent cannot be reached now."""

    code = "agent_offline"


class SessionEndedError(ConflictError):
    """The session has ended."""

    code = "session_ended"


class RateLimitedError(SpileError):
    """Too much is open or asked for; retry_after says when to come again."""

    code = "rate_limited"


class SlowViewerError(SpileError):
    """The stream was read so slowly that the server ended it; it can be taken up again where it was."""

    code = "slow_viewer"


class UnavailableError(SpileError):
    """The server cannot be reached, or cannot do its work."""

    code = "unavailable"


class StorageError(UnavailableError):
    """The server's disk does not take what it has to keep."""

    code = "storage_failed"


_CLASSES: dict[str, type[SpileError]] = {
    one.code: one
    for one in (
        ValidationError,
        UnauthorizedError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        AgentOfflineError,
        SessionEndedError,
        RateLimitedError,
        SlowViewerError,
        UnavailableError,
        StorageError,
    )
}


# The codes of refusals that may be none a moment later.
_PASSING = frozenset({"unavailable", "internal_error", "storage_failed", "rate_limited", "slow_viewer"})


def error_of(
    code: str,
    message: str,
    *,
    status: int | None = None,
    details: dict[str, str] | None = None,
    retry_after: float | None = None,
) -> SpileError:
    """Make the exception of what the server said; one of a code that this version does not know is a SpileError."""
    return _CLASSES.get(code, SpileError)(message, code=code, status=status, details=details, retry_after=retry_after)


def refusal(status: int, body: bytes, retry_after: str | None = None) -> SpileError:
    """Make the exception of an HTTP answer that is none of success."""
    wait = float(retry_after) if retry_after and retry_after.isdigit() else None
    try:
        said = json.loads(body)
        code, message = said["error"], said["message"]
    except (ValueError, TypeError, KeyError):
        return UnavailableError(f"something that is no Spile server answered with status {status}", status=status)
    return error_of(str(code), str(message), status=status, details=said.get("details"), retry_after=wait)


def passing(error: SpileError) -> bool:
    """Say whether an attempt that failed so may work later."""
    return not error.from_server or error.code in _PASSING
