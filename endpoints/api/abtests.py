"""/abtests: two versions compared on live traffic - planned, started, read, stopped - and /stop_ab_test."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints import downloads
from endpoints.api import abtest_fields as fields
from endpoints.api import query
from endpoints.api.abtest_serializers import (
    TestSerializer,
    detail_json,
    export_json,
    readable,
    summary_text,
)
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.fields import read_object
from endpoints.api.finite import refuse_not_finite
from endpoints.api.operations import IDEMPOTENT, PAGED, Operation, Operations
from endpoints.bodies import parse_json, read_body
from endpoints.errors import InvalidRequest
from endpoints.models import ABTest, AlgorithmVersion, Endpoint
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestState
from endpoints.services import access
from endpoints.services.abtests import concluding, drafting, plans, starting, stopping
from endpoints.services.abtests import summary as summaries
from endpoints.services.abtests.stopping import Stop
from endpoints.services.access import Need
from mlcore.errors import CellError

FORMATS = ("json", "csv")
FINISHED, FINISHED_BEFORE = "AB Test finished.", "AB Test already finished."


class _TestView(JsonView):
    def find(self, pk: int, need: Need) -> ABTest:
        return drafting.find(pk, caller=self.caller, need=need)

    def written(self, test: ABTest) -> dict[str, Any]:
        """Return the test as it is stored now."""
        return detail_json(_stored(test), self.request, timezone.now())


class TestList(_TestView, JsonListView):
    serializer_class = TestSerializer
    newest_first = ("-created_at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List A/B tests, newest first",
            needs="scope read",
            parameters=("state", "endpoint", *PAGED),
            answers={200: "page of ABTest"},
            errors=(404,),
        ),
        "POST": Operation(
            summary="Plan an A/B test, or start the classic one",
            about="A body with `endpoint` and `challenger` makes a draft. One with a title and two versions, as "
            "older clients send it, starts a split test of equal shares at once, which also needs "
            "endpoints.promote_version.",
            needs=Need.DRAFT_TEST,
            body="NewABTest",
            answers={201: "ABTestDetail"},
            errors=(404, 409),
        ),
    }

    def get_queryset(self) -> QuerySet[ABTest]:
        found = ABTest.objects.filter(endpoint__in=access.visible_endpoints(self.caller))
        asked = self.request.query_params
        if "endpoint" in asked:
            slug = asked["endpoint"]
            endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
            found = found.filter(endpoint=endpoint)
        if "state" in asked:
            state = query.choice(asked["state"], name="state", choices=TestState.values)
            found = found.filter(state=state)
        return readable(found)

    def post(self, request: Request) -> Response:
        access.require(self.caller, Need.DRAFT_TEST)
        body = read_body(request._request)
        refuse_not_finite(body, fields.PLAN)
        given = parse_json(body)
        is_classic = isinstance(given, dict) and any(name in given for name in fields.PARENTS)
        test = self._classic(given) if is_classic else self._draft(given)
        return Response(self.written(test), status=201)

    def _draft(self, body: Any) -> ABTest:
        given = read_object(body, fields.PLAN)
        slug = given.pop("endpoint")
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.DRAFT_TEST)
        share = given.pop("challenger_share", plans.EVEN)
        settings = _settings(given, endpoint)
        if "title" not in settings:
            settings["title"] = plans.title_of(endpoint, settings["challenger"])
        test = ABTest(endpoint=endpoint, **settings)
        now = timezone.now()
        return drafting.create(test, actor=self.caller, now=now, challenger_share=share)

    def _classic(self, body: Any) -> ABTest:
        given = read_object(body, fields.CLASSIC)
        first, second = (self._version(name, given[name]) for name in fields.PARENTS)
        return drafting.classic(
            first.endpoint,
            first,
            second,
            title=given["title"],
            actor=self.caller,
            now=timezone.now(),
        )

    def _version(self, name: str, pk: int) -> AlgorithmVersion:
        known = access.visible_versions(self.caller).select_related("endpoint")
        version = known.filter(pk=pk).first()
        if version is None:
            raise _bad(name, f"There is no version with the id {pk}.")
        return version


class TestDetail(_TestView):
    operations: Operations = {
        "GET": Operation(
            summary="Read an A/B test: its plan and what it says",
            about="`report` is what the labels say now, also those that came after the end; `kept` what it said "
            "when it was stopped. Results are null until there are `report.hidden_until` labels of each arm.",
            needs="scope read",
            answers={200: "ABTestDetail"},
        ),
        "PATCH": Operation(
            summary="Change the plan of a draft",
            about="What is left out stays as it is. Once a test has started its plan is fixed.",
            needs=Need.DRAFT_TEST,
            body=fields.CHANGES,
            answers={200: "ABTestDetail"},
            errors=(409,),
        ),
        "DELETE": Operation(
            summary="Delete a draft", needs=Need.DRAFT_TEST, answers={204: ""}, errors=(409,)
        ),
    }

    def get(self, request: Request, pk: int) -> Response:
        return Response(self.written(self.find(pk, Need.READ)))

    def patch(self, request: Request, pk: int) -> Response:
        test = self.find(pk, Need.DRAFT_TEST)
        settings = _settings(self.fields(fields.CHANGES), test.endpoint)
        drafting.configure(test, settings, actor=self.caller, now=timezone.now())
        return Response(self.written(test))

    def delete(self, request: Request, pk: int) -> Response:
        test = self.find(pk, Need.DRAFT_TEST)
        drafting.remove(test, actor=self.caller, now=timezone.now())
        return Response(status=204)


class StartTest(_TestView):
    operations: Operations = {
        "POST": Operation(
            summary="Start a draft",
            about="B must be in staging, its artefact must load, and callers of A must not notice the difference.",
            needs=Need.PROMOTE,
            headers=(IDEMPOTENT,),
            body=(),
            answers={200: "ABTestDetail"},
            errors=(409,),
        )
    }

    def post(self, request: Request, pk: int) -> Response:
        test = self.find(pk, Need.PROMOTE)
        self.fields(())
        now = timezone.now()
        starting.start(test, actor=self.caller, now=now, submission=self.submission())
        return Response(self.written(test))


class ShareTest(_TestView):
    operations: Operations = {
        "POST": Operation(
            summary="Give B another share of a running split test",
            about="A new phase begins, which is counted anew. The share that B has already changes nothing.",
            needs=Need.PROMOTE,
            body=fields.NEW_SHARE,
            answers={200: "ABTestDetail"},
            errors=(409,),
        )
    }

    def post(self, request: Request, pk: int) -> Response:
        test = self.find(pk, Need.PROMOTE)
        given = self.fields(fields.NEW_SHARE)
        share, reason = given["challenger_share"], given["reason"]
        starting.change_share(test, share, reason=reason, actor=self.caller, now=timezone.now())
        return Response(self.written(test))


class StopTest(_TestView):
    operations: Operations = {
        "POST": Operation(
            summary="Stop a running test, and say what came out and why",
            about="With `serves` as challenger B is promoted for the same reason, unless a gate fails: then "
            "nothing is changed (409, gate_failed). Sent again with the same Idempotency-Key, it changes nothing.",
            needs=Need.PROMOTE,
            headers=(IDEMPOTENT,),
            body=fields.STOP,
            answers={200: "ABTestDetail"},
            errors=(409,),
        )
    }

    def post(self, request: Request, pk: int) -> Response:
        test = self.find(pk, Need.PROMOTE)
        given = self.fields(fields.STOP)
        promotes = given.pop("serves", ArmName.CONTROL) == ArmName.CHALLENGER
        end = concluding.stop_and_promote if promotes else stopping.stop
        how = Stop(**given, submission=self.submission())
        end(test, how, actor=self.caller, now=timezone.now())
        return Response(self.written(test))


class ExportTest(_TestView):
    operations: Operations = {
        "GET": Operation(
            summary="Download an A/B test with all that is known of it",
            about="Also the looks of each phase. As CSV it has a line for each value.",
            needs="scope read",
            parameters=("format",),
            answers={200: "ABTestExport"},
        )
    }

    def get(self, request: Request, pk: int) -> HttpResponseBase:
        given = request.query_params.get("format", FORMATS[0])
        wanted = query.choice(given, name="format", choices=FORMATS)
        test, name = self.find(pk, Need.READ), f"abtest-{pk}"
        document = export_json(_stored(test), request, timezone.now())
        if wanted == "csv":
            return downloads.answer(("name", "value"), summaries.flat(document), name=name)
        disposition = f'attachment; filename="{name}.json"'
        return Response(document, headers={"Content-Disposition": disposition})


class StopForOlderClients(_TestView):
    operations: Operations = {
        "POST": Operation(
            summary="Stop a running test by what it says, for older clients",
            about="If B is better it is promoted, unless a gate fails; else A goes on answering. `summary` says "
            "what came out. A test that is stopped already stays as it is.",
            needs=Need.PROMOTE,
            body=(),
            answers={200: "ABTestStopped"},
            errors=(409,),
        )
    }

    def post(self, request: Request, pk: int) -> Response:
        test, message = self.find(pk, Need.PROMOTE), FINISHED_BEFORE
        self.fields(())
        if test.state != TestState.STOPPED:
            test = concluding.finish(test, actor=self.caller, now=timezone.now())
            message = FINISHED
        return Response({"message": message, "summary": summary_text(test)})


def _stored(test: ABTest) -> ABTest:
    return readable(ABTest.objects.filter(pk=test.pk)).get()


def _settings(given: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """Put the version for its number."""
    if "challenger" not in given:
        return given
    number = given["challenger"]
    version = endpoint.versions.filter(number=number).first()
    if version is None:
        raise _bad("challenger", f"“{endpoint.slug}” has no version {number}.")
    return given | {"challenger": version}


def _bad(name: str, said: str) -> InvalidRequest:
    message = f"{name}: {said}"
    cell = CellError(code="bad_setting", message=message, column=name)
    return InvalidRequest(message, cells=[cell])
