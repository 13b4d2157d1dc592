"""POST .../versions/<number>/<verb> and .../rollback: the verbs of the lifecycle, each of which may be sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api.base import JsonView
from endpoints.api.change_serializers import change_json
from endpoints.api.endpoints import REASON
from endpoints.api.fields import Field, Flag, Integer
from endpoints.api.operations import IDEMPOTENT, Operation, Operations
from endpoints.api.versions import version_of
from endpoints.services import access, lifecycle
from endpoints.services.access import Need
from endpoints.services.transitions import MIN_OVERRIDE_REASON, MIN_REASON, TRANSITIONS, Decision

SEEN = Integer(
    name="expected_production",
    about="The production version that the decision rests on, 0 for none; if another one answers, nothing "
    "is changed (409). Null or left out: no such check.",
    nullable=True,
)
OVERRIDE = Flag(
    name="override",
    about="Promote although a gate failed; asks for the permission endpoints.override_gates and a reason of "
    f"at least {MIN_OVERRIDE_REASON} characters.",
)
REQUIRED_REASON = replace(REASON, shortest=MIN_REASON, required=True)
FIELDS: MappingProxyType[str, Sequence[Field]] = MappingProxyType(
    {"promote": (SEEN, OVERRIDE), "roll_back": (SEEN,)}
)
SUMMARIES = MappingProxyType(
    {
        "stage": "Offer a version for promotion",
        "request": "Ask an approver to promote a version, which stages it",
        "withdraw": "Take a staged version and its request back to testing",
        "reject": "Send a staged version back to testing, as an approver's answer",
        "promote": "Make a staged version answer; the one before it is archived",
        "archive": "Put a version away; an endpoint whose production version is archived has no answer",
        "restore": "Bring an archived version back to testing",
        "roll_back": "Let the version that answered before answer again",
    }
)


class _Deciding(JsonView):
    verb = ""

    @property
    def operations(self) -> Operations:  # type: ignore[override]  # it depends on the verb
        step = TRANSITIONS[self.verb]
        return {
            "POST": Operation(
                summary=SUMMARIES[self.verb],
                about="Answers the change. Sent again with the same Idempotency-Key, it answers the first one's "
                "change and changes nothing.",
                needs=step.need,
                headers=(IDEMPOTENT,),
                body=self._fields,
                answers={200: "StatusChange"},
                errors=(409,),
            )
        }

    @property
    def _fields(self) -> Sequence[Field]:
        why = REQUIRED_REASON if TRANSITIONS[self.verb].reason_required else REASON
        return (why, *FIELDS.get(self.verb, ()))

    def decision(self) -> Decision:
        given: dict[str, Any] = self.fields(self._fields)
        return Decision(
            actor=self.caller, now=timezone.now(), submission=self.submission(), **given
        )


class Decide(_Deciding):
    """One verb on one version; `as_view(verb="promote")`."""

    def post(self, request: Request, slug: str, number: int) -> Response:
        need = TRANSITIONS[self.verb].need
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=need)
        version = version_of(endpoint, number)
        change = lifecycle.OF_A_VERSION[self.verb](version=version, decision=self.decision())
        return Response(change_json(change))


class RollBack(_Deciding):
    verb = "roll_back"

    def post(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.ROLL_BACK)
        change = lifecycle.roll_back(endpoint=endpoint, decision=self.decision())
        return Response(change_json(change))
