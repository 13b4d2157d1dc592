"""The endpoint that thousands of tests start from: written again, it is what the services made."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from endpoints.models import Endpoint, Experiment, Run, Webhook, WebhookDelivery
from tests import cast
from tests.replay import History

pytestmark = pytest.mark.django_db
KEYS = {"id", "run_id", "version_id", "endpoint_id", "artifact_path"}


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows of the domain, without their keys."""
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name not in KEYS}
            for row in model.objects.order_by("name" if model is Run else "pk").values()
        ]
        for model in apps.get_app_config("endpoints").get_models()
    }


def two_runs() -> tuple[Run, Run]:
    return cast.trained_run(lambda_=0.1), cast.trained_run()


def test_it_works() -> None:
    Experiment.objects.create(name="raisin")
    start = transaction.savepoint()
    history = History.of(cast.made_raisin(*two_runs()))
    made = everything()
    transaction.savepoint_rollback(start)
    history.again(two_runs())
    assert everything() == made


def test_each_version_has_the_files_of_its_own_run() -> None:
    cast.raisin_endpoint()
    Endpoint.objects.update(slug="older")
    versions = cast.raisin_endpoint().versions.all()
    assert {version.artifact_path for version in versions} == {
        f"runs/{version.run_id}/model" for version in versions
    }


def test_a_webhook_is_told_of_it() -> None:
    cast.raisin_endpoint()
    Endpoint.objects.update(slug="older")
    Webhook.objects.create(name="chat", url="https://example.org/hook", secret="s")  # noqa: S106
    cast.raisin_endpoint()
    assert WebhookDelivery.objects.count() == 5
