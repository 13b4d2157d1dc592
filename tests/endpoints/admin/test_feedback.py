"""A true label is added in the admin as everywhere else, and never edited."""

from __future__ import annotations

import pytest
from django.test import Client

from endpoints.errors import Conflict
from endpoints.models import Endpoint, Feedback
from endpoints.services import feedback
from tests import cast
from tests.endpoints.admin.site import staff, url

pytestmark = pytest.mark.django_db


def filled(endpoint: Endpoint, **wrong: str) -> dict[str, str]:
    logged = cast.prediction(endpoint, rows=[cast.ROW] * 2)
    return {"request_id": str(logged.request_id), "row": "1", "label": "Besni"} | wrong


def test_it_works(raisin: Endpoint, admin_client: Client) -> None:
    data = filled(raisin)
    assert admin_client.post(url("feedback", "add"), data).status_code == 302
    added = Feedback.objects.get()
    assert (str(added.request_id), str(added.row), added.label) == tuple(data.values())
    assert (added.actor_name, added.current) == ("admin", True)
    assert admin_client.get(url("feedback", "change", added.pk)).status_code == 200


def test_a_correction_keeps_the_older_label(raisin: Endpoint, admin_client: Client) -> None:
    data = filled(raisin)
    for label in ("Besni", "Kecimen", "Kecimen"):
        admin_client.post(url("feedback", "add"), data | {"label": label})
    kept = Feedback.objects.order_by("id").values_list("label", "current")
    assert list(kept) == [("Besni", False), ("Kecimen", True)]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("request_id", "12", "is not a request id"),
        ("request_id", "00000000-0000-4000-8000-000000000000", "no prediction with this"),
        ("row", "2", "Row 2 is not in the request"),
        ("label", "Sultana", "is not a label; use"),
    ],
)
def test_it_refuses_at_the_field(
    field: str, value: str, message: str, raisin: Endpoint, admin_client: Client
) -> None:
    page = admin_client.post(url("feedback", "add"), filled(raisin, **{field: value}))
    errors = page.context["adminform"].form.errors
    assert list(errors) == [field]
    assert message in errors[field][0]
    assert not Feedback.objects.exists()


def test_it_tells_who_came_second(
    raisin: Endpoint, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(**_: object) -> None:
        raise Conflict("Another label arrived.")

    monkeypatch.setattr(feedback, "record", overtaken)
    page = admin_client.post(url("feedback", "add"), filled(raisin), follow=True)
    assert "Another label arrived." in page.content.decode()


def test_it_refuses_to_change_or_delete_one(raisin: Endpoint, admin_client: Client) -> None:
    admin_client.post(url("feedback", "add"), filled(raisin))
    added = Feedback.objects.get()
    for page in ("change", "delete"):
        answer = admin_client.post(url("feedback", page, added.pk), {"label": "Kecimen"})
        assert answer.status_code == 403


def test_it_refuses_who_may_only_look(raisin: Endpoint) -> None:
    assert staff("eve", "view_feedback").post(url("feedback", "add"), {}).status_code == 403
