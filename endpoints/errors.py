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
