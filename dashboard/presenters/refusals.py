"""What the codes of refused requests mean, in a sentence for whoever runs the endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MEANINGS = {
    "csrf_failed": "A page of another site sent them with somebody's login.",
    "database_unavailable": "The database did not answer. Callers may send them again.",
    "internal_error": "Something went wrong on the server; its log says what.",
    "invalid_json": "The body was not JSON.",
    "invalid_key": "The API key was unknown, had expired or was revoked.",
    "invalid_request": "The body was JSON, but not a request that the address understands.",
    "invalid_rows": "Values did not fit the schema. The answer named each of them.",
    "log_unavailable": "The log could not be written, and nothing is answered that is not logged.",
    "method_not_allowed": "The address was called with a method that it does not know.",
    "no_model": "No version could answer, or the endpoint was paused.",
    "no_room": "Too many large bodies came at a time.",
    "not_allowed": "The caller is known, but may not ask this endpoint.",
    "not_authenticated": "The endpoint wants an API key, and none was sent.",
    "not_found": "They asked for a version or a status that the endpoint does not have.",
    "too_large": "The body or the number of rows was beyond the limit.",
    "too_many_requests": "The caller sent more than its rate allows.",
    "unsupported_encoding": "The body was compressed in a way that is not read.",
    "unsupported_type": "The type of the body is not read.",
}


@dataclass(frozen=True)
class Refusal:
    code: str
    count: int
    share: float
    meaning: str


def told(refusals: Mapping[str, int]) -> list[Refusal]:
    """Return the codes with their share of what was refused, the most frequent first."""
    whole = sum(refusals.values())
    ranked = sorted(refusals.items(), key=lambda item: (-item[1], item[0]))
    return [
        Refusal(code, count, count / whole, MEANINGS.get(code, "The request was refused."))
        for code, count in ranked
    ]
