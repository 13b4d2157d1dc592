"""Writes what is kept of a change of status, in its own transaction, and finds what was written before.

That is the change, its event, the answered request and the messages to the outside. It decides
nothing and assigns no status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from django.utils import timezone

from endpoints.errors import InvalidRequest
from endpoints.models import AlgorithmVersion, Endpoint, PromotionRequest, StatusChange
from endpoints.services import audit, webhooks
from endpoints.services.gates import Gate
from endpoints.services.transitions import Decision

_CLOSES_REQUEST = {
    "promote": PromotionRequest.Outcome.PROMOTED,
    "reject": PromotionRequest.Outcome.REJECTED,
    "withdraw": PromotionRequest.Outcome.WITHDRAWN,
    "archive": PromotionRequest.Outcome.WITHDRAWN,
}


def record(
    version: AlgorithmVersion,
    verb: str,
    source: str,
    decision: Decision,
    *,
    evidence: Sequence[Gate] = (),
    overridden: Sequence[str] = (),
) -> StatusChange:
    """Write who brought the version from `source` to the status that it has now, when and why."""
    reason = decision.reason.strip()
    audit.record(
        verb,
        actor=decision.actor,
        endpoint=version.endpoint,
        subject=version.label,
        now=decision.now,
        before={"status": source} if source else None,
        after={"status": version.status, "version": version.number},
        reason=reason,
    )
    _settle_request(version, verb, decision)
    change = StatusChange.objects.create(
        version=version,
        verb=verb,
        from_status=source,
        to_status=version.status,
        actor=decision.actor.person,
        actor_name=decision.actor.name,
        reason=reason,
        gates=[asdict(gate) for gate in evidence],
        overridden=list(overridden),
        submission=decision.submission,
        at=decision.now,
    )
    webhooks.announce(change)
    return change


def done_before(endpoint: Endpoint, verb: str, submission: str) -> StatusChange | None:
    """Return what this very form or request has changed already, if it has a name and was sent before."""
    if not submission:
        return None
    changes = StatusChange.objects.select_related("version__endpoint")
    done = changes.filter(submission=submission, verb=verb).first()
    if done is not None and done.version.endpoint_id != endpoint.pk:
        raise InvalidRequest("This submission has been used at another endpoint.")
    return done


def who_was_first(endpoint: Endpoint) -> str:
    """Tell whoever comes second about the newest change."""
    latest = StatusChange.objects.of(endpoint).select_related("version").first()
    if latest is None:
        return "The endpoint has changed. Review again."
    at = timezone.localtime(latest.at)
    return (
        f"{latest.version.label} became {latest.to_status} at {at:%H:%M:%S} "
        f"({latest.actor_name}). Review again."
    )


def _settle_request(version: AlgorithmVersion, verb: str, decision: Decision) -> None:
    actor = decision.actor
    if verb == "request":
        PromotionRequest.objects.create(
            version=version,
            note=decision.reason.strip(),
            requested_by=actor.person,
            requested_by_name=actor.name,
            at=decision.now,
        )
    elif verb in _CLOSES_REQUEST:
        version.promotion_requests.waiting().update(
            outcome=_CLOSES_REQUEST[verb], closed_by_name=actor.name, closed_at=decision.now
        )
