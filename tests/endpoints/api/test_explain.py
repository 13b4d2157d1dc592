"""Explanations: what each column adds to the log-odds, on request."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from endpoints.models import Endpoint
from tests.cast import ROW
from tests.endpoints.api.client import PREDICT, post

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("flag", ["1", "true", "True"])
def test_it_works(api: APIClient, raisin: Endpoint, flag: str) -> None:
    answer = post(api, f"{PREDICT}?explain={flag}", ROW).json()
    assert list(answer["contributions"]) == list(ROW)
    total = answer["intercept"] + sum(answer["contributions"].values())
    assert total == pytest.approx(answer["logit"], abs=1e-9)


def test_many_rows_have_an_explanation_each(api: APIClient, raisin: Endpoint) -> None:
    body = {"rows": [ROW, ROW | {"Area": 1}]}
    answer = post(api, f"{PREDICT}?explain=1", body).json()
    assert len(answer["contributions"]) == 2
    for parts, logit in zip(answer["contributions"], answer["logits"], strict=True):
        assert answer["intercept"] + sum(parts.values()) == pytest.approx(logit, abs=1e-9)


@pytest.mark.parametrize("query", ["", "?explain=0", "?explain=false"])
def test_it_is_left_out_unless_asked_for(api: APIClient, raisin: Endpoint, query: str) -> None:
    answer = post(api, PREDICT + query, ROW).json()
    assert not {"contributions", "intercept"} & set(answer)
