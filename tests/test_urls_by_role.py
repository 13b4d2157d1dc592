"""Every address asked by every role, by none and by every kind of key, compared with tests/url_table.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from endpoints.models import (
    ABTest,
    Alert,
    AlertRule,
    AlgorithmVersion,
    ApiKey,
    DriftReport,
    Endpoint,
    Event,
    Feedback,
    Membership,
    PredictionRequest,
    Run,
    StatusChange,
)
from endpoints.models.endpoint import Scope
from endpoints.services import keys
from endpoints.services.abtests import drafting
from endpoints.services.alerts import rules
from endpoints.services.monitoring import tick
from raisin_site.health import PROBES
from tests import cast, url_table
from tests.dashboard import batch_jobs, stored
from tests.url_table import (
    ADMIN,
    KEY_ELSEWHERE,
    KEY_MANAGE,
    KEYS,
    NEIGHBOUR,
    OUTSIDER,
    PAGES,
    PEOPLE,
    PROTOCOLS,
    REST,
    STRANGERS,
    UNKNOWN,
    Line,
)

ADMIN_PAGES = {"admin:index"}  # the rest of the admin has its own permissions and tests
OF_A_TEST = (
    "abtest", "abtest_export", "abtest_start", "abtest_share", "abtest_stop", "stop_ab_test",
)  # fmt: skip
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
TRACES = (
    StatusChange,
    Event,
    AlertRule,
    AlgorithmVersion,
    ABTest,
    ApiKey,
    Membership,
    PredictionRequest,
    Feedback,
)


@dataclass(frozen=True)
class Place:
    """What the addresses name: the endpoint raisin with all that hangs on it, and a key of nobody here."""

    endpoint: Endpoint
    arguments: dict[str, Any]

    def address(self, line: Line) -> str:
        is_named = not line.name.startswith("/")
        view = reverse(line.name, kwargs=self.arguments_of(line.name)) if is_named else line.name
        return f"{view}?{line.query}" if line.query else view

    def arguments_of(self, name: str) -> dict[str, Any]:
        found = converters(name)
        return {key: self.arguments.get(f"{name} {key}", self.arguments.get(key)) for key in found}


def addresses(
    patterns: list[Any], prefix: str = "", route: str = "/"
) -> Iterator[tuple[str, URLPattern]]:
    """Yield each with its name, or with its route where it has none."""
    for pattern in patterns:
        below = f"{route}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            space = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from addresses(pattern.url_patterns, prefix + space, below)
        else:
            yield prefix + (pattern.name or below), pattern


ADDRESSES: dict[str, URLPattern] = {
    name: pattern
    for name, pattern in addresses(get_resolver().url_patterns)
    if not name.startswith("admin:") or name in ADMIN_PAGES
}


def converters(name: str) -> Mapping[str, Any]:
    """Return what the address holds besides fixed text; a probe's holds nothing."""
    return ADDRESSES[name].pattern.converters if name in ADDRESSES else {}


def methods_of(name: str) -> list[str]:
    """Return the methods of a REST view; what a page does with which is not written on it."""
    view = getattr(ADDRESSES[name].callback, "cls", None) if name in ADDRESSES else None
    return [method for method in METHODS if view is not None and hasattr(view, method.lower())]


@pytest.fixture
def place(db: None) -> Place:
    endpoint = cast.raisin_endpoint()
    Endpoint.objects.filter(pk=endpoint.pk).update(public_predictions=False)
    endpoint.refresh_from_db()
    version = endpoint.versions.get(number=2)
    request = cast.prediction(endpoint, now=timezone.now())
    change = version.status_changes.get(verb="stage")
    draft = drafting.create(
        ABTest(endpoint=endpoint, title="v2 or v1", challenger=version, horizon=100),
        actor=cast.SYSTEM,
        now=cast.THEN,
    )
    rule = rules.add_default(endpoint, actor=cast.SYSTEM, now=cast.THEN)
    alert = Alert.objects.create(
        rule=rule,
        version=version,
        state="firing",
        value=2.0,
        limit=1.0,
        window_start=cast.THEN,
        pending_at=cast.THEN,
        fired_at=cast.THEN,
    )
    tick.tick(endpoint, lambda: timezone.now() + timedelta(minutes=1))
    dataset = stored.a_dataset()
    waiting = stored.a_run(dataset)
    batch = batch_jobs.a_job(endpoint, None, "done")
    stranger = cast.person("stranger", cast.DEVELOPER)
    key, _ = cast.new_key(stranger)
    arguments = {
        "slug": endpoint.slug,
        "number": version.number,
        "version": str(version.number),
        "request_id": request.request_id,
        "run_id": version.run_id,
        "dashboard:cancel_run run_id": waiting.pk,
        "dashboard:train_again run_id": waiting.pk,
        "api:cancel_run run_id": waiting.pk,
        "api:train_again run_id": waiting.pk,
        "dataset_id": dataset.pk,
        "batch_id": batch.pk,
        "key_id": key.pk,
        "prefix": key.prefix,
        "alert_id": alert.pk,
        "test_id": draft.pk,
        "api:drift_report pk": DriftReport.objects.values_list("pk", flat=True)[0],
        "api:acknowledge pk": alert.pk,
        "api:alert_rule pk": rule.pk,
        "api:test_alert_rule pk": rule.pk,
        "api:mute_alert_rule pk": rule.pk,
        "api:mlalgorithm pk": version.pk,
        "api:mlalgorithmstatus pk": change.pk,
        "api:mlrequest pk": request.request_id,
        **dict.fromkeys((f"api:{name} pk" for name in OF_A_TEST), draft.pk),
    }
    return Place(endpoint, arguments)


def user_of(who: str, place: Place) -> User:
    """Make the person; a neighbour's roles hold elsewhere, and here everything is for members only."""
    if who == ADMIN:
        return User.objects.create_superuser(who, password=who)
    user = User.objects.create_user(who, password=who)
    if who == NEIGHBOUR:
        elsewhere = hide(place)
        Membership.objects.bulk_create(
            Membership(user=user, endpoint=elsewhere, role=cast.role(name))
            for name in url_table.ROLES
        )
    elif who != OUTSIDER:
        user.groups.add(cast.role(who))
    return user


def hide(place: Place) -> Endpoint:
    Endpoint.objects.filter(pk=place.endpoint.pk).update(members_only=True)
    return cast.an_endpoint("elsewhere")


def key_of(who: str, place: Place) -> str:
    """Return the text of the key."""
    if who == KEY_ELSEWHERE:
        maker, scopes, endpoint = user_of(ADMIN, place), list(Scope.values), hide(place)
    else:
        role = url_table.APPROVER if who == KEY_MANAGE else url_table.DEVELOPER
        maker, scopes, endpoint = user_of(role, place), [who.removeprefix("key:")], None
    return keys.create(name=who, scopes=scopes, endpoint=endpoint, user=maker, now=timezone.now())[
        1
    ]


def headers_of(who: str, place: Place) -> dict[str, str]:
    """Return what the caller sends with each request: a session's cookie, a key, or nothing."""
    if who == UNKNOWN:
        return {}
    if who in KEYS:
        return {"Authorization": f"Bearer {key_of(who, place)}"}
    client = Client()
    client.force_login(user_of(who, place))
    return {"Cookie": client.cookies.output(header="", sep=";")}


def expected(line: Line, who: str, *, is_page: bool) -> str:
    is_hidden = who in STRANGERS and bool(converters(line.name)) and not line.otherwise
    if line in PROTOCOLS and who in PEOPLE:
        who = UNKNOWN  # they know keys and no sessions
    if who in line.absent or (is_hidden and who not in line.who):
        return "404"
    if who in line.who:
        return "comes in"
    if line.otherwise or who != UNKNOWN:
        return line.otherwise or "403"
    return "login" if is_page else "401"


def outcome(response: HttpResponse) -> str:
    """Return what the answer means to its reader; a form with mistakes was let in."""
    status = response.status_code
    if status == 302 and response["Location"].startswith(("/login/", "/admin/login/")):
        return "login"
    return str(status) if status in (401, 403, 404, 405) or status >= 500 else "comes in"


def filled(value: Any, arguments: Mapping[str, Any]) -> Any:
    """Put what the place has into the texts of a body."""
    if isinstance(value, str):
        return value.format(**arguments)
    if isinstance(value, Mapping):
        return {key: filled(part, arguments) for key, part in value.items()}
    return [filled(part, arguments) for part in value] if isinstance(value, list) else value


def ask(place: Place, line: Line, headers: Mapping[str, str], *, is_page: bool) -> HttpResponse:
    address, client = place.address(line), Client(raise_request_exception=False)
    body = filled(line.body, place.arguments)
    if is_page:
        return getattr(client, line.method.lower())(address, body or None, headers=headers)
    data = "" if line.method == "GET" else json.dumps(body)
    return client.generic(line.method, address, data, "application/json", headers=headers)


def traces() -> list[int]:
    archived = Run.objects.exclude(archived_at=None).count()
    return [archived, *(model.objects.count() for model in TRACES)]


def surprises(place: Place, lines: tuple[Line, ...], who: str, *, is_page: bool) -> Iterator[str]:
    """Ask each line in a transaction of its own that is undone; yield what was not as the table says."""
    headers, before = headers_of(who, place), traces()
    for line in lines:
        with transaction.atomic():
            found = outcome(ask(place, line, headers, is_page=is_page))
            wanted = expected(line, who, is_page=is_page)
            if found != wanted:
                yield f"{line} {dict(line.body) or ''} as {who}: {found}, not {wanted}"
            elif wanted != "comes in" and traces() != before:
                yield f"{line} as {who}: refused, but something was written"
            transaction.set_rollback(True)


@pytest.mark.parametrize("who", sorted(PEOPLE | {UNKNOWN}))
def test_pages(who: str, place: Place) -> None:
    assert list(surprises(place, PAGES, who, is_page=True)) == []


@pytest.mark.parametrize("who", sorted(PEOPLE | {UNKNOWN} | KEYS))
def test_rest(who: str, place: Place) -> None:
    assert list(surprises(place, REST, who, is_page=False)) == []


@pytest.mark.parametrize("who", sorted(PEOPLE | {UNKNOWN} | KEYS))
def test_protocols(who: str, place: Place) -> None:
    assert list(surprises(place, PROTOCOLS, who, is_page=False)) == []


@pytest.mark.parametrize("who", sorted(url_table.ROLES))
def test_a_membership_counts_as_a_group_does(who: str, place: Place) -> None:
    """The same people, without a group, as members of the endpoint; only what is of no endpoint is less."""
    Endpoint.objects.filter(pk=place.endpoint.pk).update(members_only=True)
    user = User.objects.create_user(who)
    Membership.objects.create(user=user, endpoint=place.endpoint, role=cast.role(who))
    client = Client()
    client.force_login(user)
    headers = {"Cookie": client.cookies.output(header="", sep=";")}
    for lines, is_page in ((PAGES, True), (REST, False)):
        for line in lines:
            if "slug" not in converters(line.name):
                continue
            with transaction.atomic():
                found = outcome(ask(place, line, headers, is_page=is_page))
                assert found == expected(line, who, is_page=is_page), str(line)
                transaction.set_rollback(True)


@pytest.mark.parametrize("name", sorted({*ADDRESSES, *PROBES}))
def test_every_address_stands_in_the_table(name: str) -> None:
    listed = {line.method for line in PAGES + REST + PROTOCOLS if line.name == name}
    missing = [method for method in methods_of(name) if method not in listed]
    assert listed and not missing, (
        f"Who may come in at {name}? Add a line for it to tests/url_table.py: "
        f'Line("{name}", "{(missing or ["GET"])[0]}", who, body)'
    )


def test_no_line_speaks_of_an_address_that_is_gone() -> None:
    assert {line.name for line in PAGES + REST + PROTOCOLS} - {*ADDRESSES, *PROBES} == set()
