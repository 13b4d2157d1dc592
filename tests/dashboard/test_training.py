"""Train in the browser: choose or bring a file, ask for a training; a worker does the rest."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from dashboard.submissions import ASKED_BEFORE
from endpoints.models import Dataset, Run
from endpoints.services import uploads
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.dashboard.stored import ANSWERS, SPEC, a_dataset, a_run, category, number

HTMX = {"HX-Request": "true"}
GRAINS = b"Area,Class\n1.5,Besni\n2.5,Kecimen\n"


def bring(client: Client, content: bytes, name: str = "") -> HttpResponse:
    file = SimpleUploadedFile("grains.csv", content, "text/csv")
    return client.post("/train/", {"file": file, "name": name})


def ask(client: Client, dataset: Dataset, **answers: Any) -> HttpResponse:
    return client.post(f"/train/{dataset.pk}/", ANSWERS | answers)


@pytest.fixture
def client_of_dana(dana: User, browse: Browse) -> Client:
    return browse(dana)


def test_choosing_offers_what_is_ready(client_of_dana: Client) -> None:
    ready = a_dataset()
    a_dataset("half.csv", state="reading", rows=None, columns=[])
    response = client_of_dana.get("/train/")
    assert f"/train/{ready.pk}/" in read(response).links
    assert "half.csv" not in text_of(response)
    assert_clean(response)


def test_at_first_there_is_nothing_to_choose(client_of_dana: Client) -> None:
    response = client_of_dana.get("/train/")
    assert "No dataset yet" in text_of(response)
    assert_clean(response)


def test_a_file_is_kept_under_its_name_or_that_of_the_form(client_of_dana: Client) -> None:
    bring(client_of_dana, GRAINS)
    bring(client_of_dana, GRAINS + b"3.5,Besni\n", "  Autumn \t grains ")
    assert set(Dataset.objects.values_list("name", flat=True)) == {"grains.csv", "Autumn grains"}
    assert list(uploads.home().glob("received-*")) == []


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "The file is empty."), (None, "Choose a file.")]
)
def test_it_refuses_no_file(content: bytes | None, said: str, client_of_dana: Client) -> None:
    response = (
        client_of_dana.post("/train/", {"name": "x"})
        if content is None
        else bring(client_of_dana, content)
    )
    assert response.status_code == 422
    assert said in text_of(response)
    assert_clean(response)


def test_it_refuses_a_file_that_is_too_large_unread(
    client_of_dana: Client, settings: Settings
) -> None:
    settings.RAISIN_MAX_FILE_BYTES = 1000
    response = bring(client_of_dana, b"x" * 2_000_000)
    assert response.status_code == 413
    assert "1.0 kB is the most here" in text_of(response)
    assert not Dataset.objects.exists()


def test_the_form_shows_the_columns_with_their_kinds(client_of_dana: Client) -> None:
    response = client_of_dana.get(f"/train/{a_dataset().pk}/")
    said = text_of(response)
    assert "number, 1.5 to 9.25, 4 missing" in said
    assert "category, north, south, west" in said
    assert "it reads like an identifier or free text" in said
    assert "Besni (499 rows)" in said
    assert_clean(response)


def test_another_target_shows_its_classes_without_starting_anything(
    client_of_dana: Client,
) -> None:
    dataset = a_dataset()
    whole = ask(client_of_dana, dataset, target="3", show="classes")
    part = client_of_dana.post(
        f"/train/{dataset.pk}/", ANSWERS | {"target": "3", "show": "classes"}, headers=HTMX
    )
    assert whole.status_code == part.status_code == 200
    for response in (whole, part):
        assert "north (500), south (499), west (498)" in text_of(response)
    assert "<html" not in part.content.decode()
    assert not Run.objects.exists()


def test_a_target_that_changed_unseen_starts_nothing(client_of_dana: Client) -> None:
    response = ask(client_of_dana, a_dataset(), target="3")
    assert "The target is another one now." in text_of(response)
    assert "north (500)" in text_of(response)
    assert not Run.objects.exists()


def test_a_training_is_queued_with_what_was_asked(client_of_dana: Client, dana: User) -> None:
    dataset = a_dataset()
    response = ask(client_of_dana, dataset, solver="gd", epochs="50", lr="auto", momentum="none")
    run = Run.objects.get()
    assert response.headers["Location"] == f"/runs/{run.pk}/"
    assert (run.state, run.dataset, run.created_by) == ("queued", dataset, dana)
    assert (run.experiment.name, run.name) == ("grains", "Gradient descent, lambda 0.01")
    assert run.spec["columns"] == ["Area", "Extent", "Origin"]
    assert (run.spec["epochs"], run.spec["lr"]) == (50, "auto")


def test_mistakes_are_told_at_their_fields_and_above(client_of_dana: Client) -> None:
    response = ask(client_of_dana, a_dataset(), seed="many", columns=[])
    said = text_of(response)
    assert response.status_code == 422
    assert "Seed : Write a whole number" in said
    assert "Columns : Choose at least one column." in said
    assert '<details class="disclosure" open>' in response.content.decode()
    assert_clean(response)


def test_what_the_service_refuses_stands_at_its_field(
    client_of_dana: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("endpoints.services.training_jobs.specs.find_spec", lambda name: None)
    forest = {"algorithm": "random_forest", "n_estimators": "10", "min_samples_leaf": "5"}
    response = ask(client_of_dana, a_dataset(), **forest)
    assert response.status_code == 400
    assert "scikit-learn, which is not installed here" in text_of(response)
    assert not Run.objects.exists()


def test_a_table_without_classes_cannot_be_asked(client_of_dana: Client) -> None:
    dataset = a_dataset(columns=[number("Area"), number("Extent")])
    response = client_of_dana.get(f"/train/{dataset.pk}/")
    assert "No column can be predicted" in text_of(response)
    assert_clean(response)


def test_a_class_that_reads_as_a_missing_value_is_told(client_of_dana: Client) -> None:
    told = "Every row that has a value has the same one; 50 have none."
    answer = category("Answer", "Yes", missing=50) | {"kind": "constant", "warning": told}
    dataset = a_dataset(columns=[number("Area"), answer])
    response = client_of_dana.get(f"/train/{dataset.pk}/")
    assert f"“Answer”: {told}" in text_of(response)
    assert_clean(response)


def test_rows_without_a_target_are_told_beforehand(client_of_dana: Client) -> None:
    columns = [number("Area"), category("Class", "a", "b", missing=1)]
    response = client_of_dana.get(f"/train/{a_dataset(columns=columns).pk}/")
    assert "1 row of “Class” has no value." in text_of(response)


def test_a_dataset_that_is_not_ready_shows_how_far_it_is(client_of_dana: Client) -> None:
    dataset = a_dataset(state="uploaded", rows=None, columns=[])
    response = client_of_dana.get(f"/train/{dataset.pk}/")
    assert response.headers["Location"] == f"/datasets/{dataset.pk}/"


def test_the_settings_of_a_run_come_back(client_of_dana: Client) -> None:
    dataset = a_dataset()
    run = a_run(dataset, state="failed")
    form = client_of_dana.get(f"/train/{dataset.pk}/?like={run.pk}").context["form"]
    assert form["columns"].value() == ["0"]
    assert (form["epochs"].value(), form["threshold"].value()) == (SPEC["epochs"], "f1")
    assert form["experiment"].value() == "grains"


def test_a_run_that_is_not_there_changes_no_form(client_of_dana: Client) -> None:
    form = client_of_dana.get(f"/train/{a_dataset().pk}/?like=0").context["form"]
    assert form["columns"].value() == ["0", "1", "3"]


def test_the_experiment_is_that_of_the_last_run_on_the_file(client_of_dana: Client) -> None:
    dataset = a_dataset("Autumn Grains.csv")
    address = f"/train/{dataset.pk}/"
    assert client_of_dana.get(address).context["form"]["experiment"].value() == "autumn-grains"
    a_run(dataset)
    assert '<option value="grains">' in client_of_dana.get(address).content.decode()
    longest = a_dataset(f"{'x' * 190}.csv")
    form = client_of_dana.get(f"/train/{longest.pk}/").context["form"]
    assert form["experiment"].value() == "x" * 120
    assert client_of_dana.get(address).context["form"]["experiment"].value() == "grains"


def test_only_who_may_train_gets_there(eve: User, dana: User, browse: Browse) -> None:
    dataset = a_dataset()
    run = a_run(dataset)
    client = browse(eve)
    for address in ("/train/", f"/train/{dataset.pk}/", f"/runs/{run.pk}/cancel/"):
        assert client.get(address).status_code == 403
        assert client.post(address).status_code == 403
    assert client.post(f"/runs/{run.pk}/again/").status_code == 403
    assert "/train/" not in read(client.get("/runs/")).links
    assert "/train/" in read(browse(dana).get("/runs/")).links
    run.refresh_from_db()
    assert (run.state, Run.objects.count()) == ("queued", 1)


def test_pressed_twice_it_starts_once(client_of_dana: Client) -> None:
    dataset = a_dataset()
    token = {"csrfmiddlewaretoken": "a" * 64}
    first, second = (ask(client_of_dana, dataset, **token).headers["Location"] for _ in range(2))
    assert first == second
    assert ask(client_of_dana, dataset, **token, experiment="other").headers["Location"] != first
    assert ask(client_of_dana, dataset).headers["Location"] != first


def test_after_it_was_cancelled_the_same_page_starts_it_anew(client_of_dana: Client) -> None:
    dataset, token = a_dataset(), {"csrfmiddlewaretoken": "a" * 64}
    first = ask(client_of_dana, dataset, **token).headers["Location"]
    client_of_dana.post(f"{first}cancel/")
    second = ask(client_of_dana, dataset, **token).headers["Location"]
    assert second != first
    assert ASKED_BEFORE not in text_of(client_of_dana.get(second))
    assert ask(client_of_dana, dataset, **token).headers["Location"] == second
    assert ASKED_BEFORE in text_of(client_of_dana.get(second))


def test_every_page_has_a_token_of_its_own(client_of_dana: Client) -> None:
    """By which a second press is told from a second wish."""
    address = f"/train/{a_dataset().pk}/"
    found = {
        re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())
        for page in (client_of_dana.get(address), client_of_dana.get(address))
    }
    assert len({match.group(1) for match in found if match}) == 2
