"""Many feed the same labels at the same moment, each on a connection of their own; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from endpoints.models import Endpoint, Feedback, Monitor, PredictionRequest, RollUp, StreamDetector
from endpoints.services.monitoring import label_pages, label_stream
from mlcore.streams import PageHinkley
from tests import cast
from tests.endpoints.services.labelled import items, logged, send
from tests.endpoints.services.test_feedback_together import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def emptied_log(transactional_db: None) -> Iterator[None]:
    """A flush empties the tables that Django made, and the log's it did not make."""
    yield
    PredictionRequest.objects.all().delete()
    RollUp.objects.all().delete()


def feed(endpoint: Endpoint) -> int:
    return label_stream.feed(endpoint, lambda: cast.THEN + timedelta(minutes=1)).labels


def test_each_label_is_fed_once(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_pages, "PAGE", 40)
    ids = logged(raisin, 600)
    send(items(ids, "Besni", "Kecimen", "Besni"))

    Monitor.objects.create(endpoint=raisin)
    assert sum(at_once(5, lambda _: feed(raisin))) == 600
    expected = PageHinkley()
    wrong = Feedback.objects.order_by("request_id").values_list("correct", flat=True)
    expected.update_many([float(not correct) for correct in wrong])
    for found in StreamDetector.objects.all():
        assert found.fed == 600
    assert StreamDetector.objects.get(name="page_hinkley").state == expected.to_dict()


def test_labels_that_come_meanwhile_are_fed_once(raisin: Endpoint) -> None:
    ids = logged(raisin, 300)

    def take_part(person: int) -> int:
        if person == 0:
            for start in range(0, len(ids), 30):
                send(items(ids[start : start + 30], "Besni"))
            return 0
        return sum(feed(raisin) for _ in range(20))

    Monitor.objects.create(endpoint=raisin)
    fed = sum(at_once(3, take_part))
    assert fed + feed(raisin) == 300
    assert set(StreamDetector.objects.values_list("fed", flat=True)) == {300}
