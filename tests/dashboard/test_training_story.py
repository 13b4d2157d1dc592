"""From a file to a model on pages alone, with a worker's turns between them."""

from __future__ import annotations

from django.contrib.auth.models import User

from endpoints.models import Dataset, Run
from endpoints.services import working
from endpoints.services.datasets import reading
from endpoints.services.training_jobs import working as at_work
from mlcore.table import canonical_csv
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of
from tests.dashboard.test_training import ask, bring


def test_a_file_becomes_a_model(dana: User, browse: Browse) -> None:
    client = browse(dana)
    table = cast.raisin_rows()
    content = canonical_csv(table.header, table.rows)
    address = bring(client, content).headers["Location"]
    assert "waits for a worker" in text_of(client.get(address))
    dataset = Dataset.objects.get()
    working.at(Dataset, dataset.pk, reading.read)
    assert "8 of 8 can be learnt from" in text_of(client.get(address))
    form = client.get(f"/train/{dataset.pk}/").context["form"]
    answers = {name: form[name].value() for name in form.fields}
    answers = {name: value for name, value in answers.items() if value is not None}
    run = ask(client, dataset, **answers).headers["Location"]
    assert "Waiting for a worker." in text_of(client.get(run))
    working.at(Run, Run.objects.get().pk, at_work.train)
    done = client.get(run)
    assert "✓ Finished" in text_of(done)
    assert "Register as version" in text_of(done)
    assert_clean(done)
