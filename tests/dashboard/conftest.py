"""A site with a little of everything, and a browser for each person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from endpoints.models import Endpoint, PredictionRequest, Run
from endpoints.services import feedback
from endpoints.services.access import Caller
from tests import cast
from tests.shortcuts import verified_once  # noqa: F401  fixture

Browse = Callable[[User], Client]


@dataclass(frozen=True)
class Site:
    """The endpoint raisin with v1 live and v2 staged, three runs, a prediction with a label."""

    endpoint: Endpoint
    live_run: Run
    other_run: Run
    prediction: PredictionRequest


@pytest.fixture
def browse() -> Browse:
    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def site(raisin: Endpoint) -> Site:
    """What people find after a morning's work; the prediction is three minutes old."""
    now = timezone.now()
    answer = cast.prediction(raisin, now=now - timedelta(minutes=3))
    cast.prediction(raisin, rows=[cast.ROW, cast.ROW], now=now - timedelta(minutes=2))
    logged = PredictionRequest.objects.get(pk=answer.request_id)
    feedback.record(
        request=logged, label=logged.label, row=0, actor=Caller(system="tests"), now=now
    )
    return Site(
        endpoint=raisin,
        live_run=raisin.versions.get(number=1).run,
        other_run=cast.trained_run(name="Gradient descent", solver="gd"),
        prediction=logged,
    )
