"""The domain's errors: each has a stable code and an HTTP status; the REST layer and the pages map them once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from mlcore.errors import CellError


class DomainError(Exception):
    """A sentence for a person, a code for a program."""

    code: ClassVar[str] = "domain_error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request cannot be carried out"
    retry_after: int | None = None

    def __init__(self, message: str, *, cells: Sequence[CellError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.cells = tuple(cells)


class InvalidRequest(DomainError):
    code = "invalid_request"
    title = "The request is malformed"


class NotAuthenticated(DomainError):
    code = "not_authenticated"
    status = 401
    title = "Log in or send an API key"


class NotAllowed(DomainError):
    code = "not_allowed"
    status = 403
    title = "Not allowed"


class NotFound(DomainError):
    code = "not_found"
    status = 404
    title = "Not found"


class Conflict(DomainError):
    """Somebody was first: the state is not the one the caller saw."""

    code = "conflict"
    status = 409
    title = "The state has changed"


class Gone(DomainError):
    """It was there, and is kept no longer."""

    code = "gone"
    status = 410
    title = "It is not kept any more"


class InvalidTransition(DomainError):
    code = "invalid_transition"
    status = 409
    title = "The status does not allow this"


class GateFailed(DomainError):
    code = "gate_failed"
    status = 409
    title = "A gate blocks this change"


class TooLarge(DomainError):
    code = "too_large"
    status = 413
    title = "Too large"


class InvalidRows(DomainError):
    code = "invalid_rows"
    status = 422
    title = "Some values do not fit the schema"


class InvalidData(DomainError):
    """A table that cannot be trained on."""

    code = "invalid_data"
    status = 422
    title = "The data cannot be used"


class InvalidBundle(DomainError):
    """A model that somebody hands over and that cannot be kept."""

    code = "invalid_bundle"
    status = 422
    title = "The bundle cannot be registered"


class NoModel(DomainError):
    code = "no_model"
    status = 503
    title = "No model answers"


class LogUnavailable(DomainError):
    """Nothing is answered that is not logged; so the request is refused, and may be sent again."""

    code = "log_unavailable"
    status = 503
    title = "The request log cannot be written"
    retry_after = 1


class TooManyRequests(DomainError):
    code = "too_many_requests"
    status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoRoom(TooManyRequests):
    """The caller may be the first of the day: it is the server that has too much to do."""

    code = "no_room"
    status = 503
    title = "Too many large bodies at a time"


class InvalidJson(DomainError):
    code = "invalid_json"
    title = "The body is not JSON"


class InvalidKey(DomainError):
    code = "invalid_key"
    status = 401
    title = "The API key does not work"


class CsrfFailed(DomainError):
    code = "csrf_failed"
    status = 403
    title = "The CSRF token is missing or wrong"


class DatabaseUnavailable(DomainError):
    code = "database_unavailable"
    status = 503
    title = "The database does not answer"
    retry_after = 1


class MethodNotAllowed(DomainError):
    code = "method_not_allowed"
    status = 405
    title = "The route does not know this method"

    def __init__(self, message: str, *, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class UnsupportedEncoding(DomainError):
    code = "unsupported_encoding"
    status = 415
    title = "The body is compressed in a way that is not read"


class UnsupportedType(DomainError):
    code = "unsupported_type"
    status = 415
    title = "The type of the body is not read"


class InternalError(DomainError):
    code = "internal_error"
    status = 500
    title = "Something went wrong on the server"
