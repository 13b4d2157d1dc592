"""The model card: generated from what is kept, completed by people, and never in the way."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from endpoints.models import AlgorithmVersion, Analysis, Endpoint, Event, Run
from endpoints.services import artifacts
from endpoints.services.forests import ForestSpec
from endpoints.services.registration import register_upload
from endpoints.services.training import TrainingJob, run_training
from mlcore import TrainingSpec
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.endpoints import grains
from tests.endpoints.services import handed_over
from tests.mlcore.conftest import mixed_table

V1, V2 = "/endpoints/raisin/versions/1/card/", "/endpoints/raisin/versions/2/card/"
EDIT = f"{V2}edit/"
TEXTS = {"intended_use": "# Who\n\nSorts **grains**.", "limits": "Not for <b>figs</b>."}


@pytest.fixture
def staged(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=2)


def write(client: Client, **typed: str) -> str:
    """Send the form as it stands with what is typed; return the page it leads to, as text."""
    shown = read(client.get(EDIT)).fields
    return text_of(client.post(EDIT, shown | TEXTS | typed, follow=True))


def registered(slug: str, run: Run) -> str:
    version = cast.registered_version(cast.an_endpoint(slug), run=run)
    return f"/endpoints/{slug}/versions/{version.number}/card/"


def test_it_works(raisin: Endpoint, eve: User, browse: Browse) -> None:
    response = browse(eve).get(V1)
    assert response.status_code == 200
    said = text_of(response)
    for part in (
        "Model card of Raisin v1",
        "Logistic regression",
        "Besni if its probability is at least 0.500, else Kecimen",
        "Kecimen 360 50.0 % 90 50.0 %",
        "720 to learn from, 180 held out",
        "of all 180 held-out rows right",
        "True class",
        "A row is Besni when its probability is at least 0.500",
        "Weights",
        "Calibration error",
        "Python 3.1",
        "Status history",
    ):
        assert part in said, part
    version = raisin.versions.get(number=1)
    assert version.artifact_sha256 in response.content.decode()
    assert_clean(response)


def test_it_says_how_many_values_were_missing(db: None, eve: User, browse: Browse) -> None:
    job = TrainingJob(
        table=mixed_table(),
        spec=TrainingSpec(target="Class"),
        experiment="mixed",
        actor=cast.SYSTEM,
    )
    response = browse(eve).get(registered("mixed", run_training(job, clock=lambda: cast.THEN).run))
    said = text_of(response)
    assert "Colour category" in said
    assert "10.1 %" in said or "9.9 %" in said or "10.0 %" in said
    assert "filled with" in said
    assert "missing" in said
    assert_clean(response)


def test_three_classes_have_a_card(db: None, eve: User, browse: Browse) -> None:
    response = browse(eve).get(registered("grains", grains.run()))
    said = text_of(response)
    assert "Class: Besni, Kecimen, Rumi" in said
    assert "the class with the largest probability" in said
    assert "Rumi" in said.partition("True class")[2]
    assert "predicted the mean probability" not in said
    assert_clean(response)


def test_trees_have_a_card(db: None, eve: User, browse: Browse) -> None:
    spec = ForestSpec(target="Class", n_estimators=5, max_depth=3)
    job = TrainingJob(table=cast.raisin_rows(), spec=spec, experiment="raisin", actor=cast.SYSTEM)
    response = browse(eve).get(registered("trees", run_training(job, clock=lambda: cast.THEN).run))
    said = text_of(response)
    assert "Random forest" in said
    assert "What the columns add" in said
    assert_clean(response)


def test_an_uploaded_bundle_shows_claims(raisin: Endpoint, eve: User, browse: Browse) -> None:
    version = register_upload(
        content=handed_over.bundle(), endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN
    )
    response = browse(eve).get(f"/endpoints/raisin/versions/{version.number}/card/")
    said = text_of(response)
    assert "What its uploader claims" in said
    assert "Claimed" in said
    assert "No holdout rows of this version are kept here" in said
    assert "Evaluated here" in said
    assert_clean(response)


def test_nobody_here_is_told_to_train_an_upload_again(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    register_upload(content=handed_over.bundle(), endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)
    said = text_of(browse(eve).get("/endpoints/raisin/versions/3/card/"))
    assert "Its uploader says that it was trained on made-up rows." in said
    assert "RAISIN_CSV" not in said


def test_a_damaged_model_leaves_a_card_of_the_rest(
    staged: AlgorithmVersion, eve: User, browse: Browse
) -> None:
    for name in ("weights.npz", "model.json"):
        (artifacts.folder(staged) / name).unlink()
        response = browse(eve).get(V2)
        assert response.status_code == 200
        said = text_of(response)
        assert "The stored model cannot be" in said
        assert "ROC AUC" in said
        assert "By slice" not in said
        assert_clean(response)


def test_without_holdout_rows_it_says_so(
    staged: AlgorithmVersion, eve: User, browse: Browse
) -> None:
    artifacts.holdout_file(staged.run).unlink()
    response = browse(eve).get(V2)
    assert "there are no slices" in text_of(response)
    assert_clean(response)


@pytest.mark.parametrize("report", [{}, {"intervals": [1]}, {"collinearity": {"columns": 3}}])
def test_an_analysis_that_does_not_fit_is_left_out(
    report: object, staged: AlgorithmVersion, eve: User, browse: Browse
) -> None:
    Analysis.objects.update_or_create(run=staged.run, defaults={"report": report})
    for address in (V2, V2.replace("card", "summary")):
        response = browse(eve).get(address)
        assert response.status_code == 200
        assert_clean(response)


def test_small_slices_are_marked(db: None, eve: User, browse: Browse) -> None:
    run = cast.trained_run(test_size=0.1)
    assert "few rows" in text_of(browse(eve).get(registered("small", run)))


def test_it_asks_the_database_little(raisin: Endpoint, dana: User, browse: Browse) -> None:
    client = browse(dana)
    for address in (V1, V2, EDIT):
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        assert len(asked) <= 15, [query["sql"][:90] for query in asked]


def test_people_complete_it(staged: AlgorithmVersion, dana: User, browse: Browse) -> None:
    client = browse(dana)
    before = text_of(client.get(V2))
    assert "Nobody has written yet what this version is for" in before
    assert "Complete the card" in before
    said = write(client)
    assert "The card is saved." in said
    assert "Sorts grains ." in said
    assert "Not for <b>figs</b>." in said
    response = client.get(V2)
    assert "<h3>Who</h3>" in response.content.decode()
    assert "<strong>grains</strong>" in response.content.decode()
    assert_clean(response)
    assert Event.objects.get(verb="edit_card").actor == dana


def test_saving_the_same_again_says_so(
    staged: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    write(client)
    assert "The card says so already." in write(client)
    assert Event.objects.filter(verb="edit_card").count() == 1


def test_nobody_overwrites_what_he_has_not_read(
    staged: AlgorithmVersion, dana: User, alex: User, browse: Browse
) -> None:
    slow, quick = browse(dana), browse(alex)
    seen = read(slow.get(EDIT)).fields
    write(quick, limits="Not for plums.")
    response = slow.post(EDIT, seen | TEXTS | {"limits": "Not for dates."})
    said = text_of(response)
    assert response.status_code == 409
    assert "Nothing was saved. The card of v2 has changed since you opened it." in said
    assert "Not for dates." in said
    assert "Not for plums." in response.content.decode()
    assert AlgorithmVersion.objects.get(pk=staged.pk).limits == "Not for plums."
    assert_clean(response)
    again = slow.post(EDIT, read(response).fields | TEXTS | {"limits": "Not for dates or plums."})
    assert again.status_code == 302
    assert AlgorithmVersion.objects.get(pk=staged.pk).limits == "Not for dates or plums."


def test_a_text_that_is_too_long_is_refused_beside_its_field(
    staged: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    said = write(browse(dana), limits="x" * 20_001)
    assert "Nothing was saved. Please correct this" in said
    assert "at most 20000 characters" in said
    assert not Event.objects.filter(verb="edit_card").exists()


def test_a_line_break_counts_as_one_character(
    staged: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    write(browse(dana), limits="\r\n".join(["x" * 199] * 100))
    assert len(AlgorithmVersion.objects.get(pk=staged.pk).limits) == 100 * 199 + 99


def test_a_version_that_was_in_production_keeps_its_texts(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    said = text_of(client.get(V1))
    assert "both texts are kept as they were approved" in said
    assert "Complete the card" not in said
    for response in (client.get(f"{V1}edit/"), client.post(f"{V1}edit/", TEXTS, follow=True)):
        assert response.status_code == 409
        assert "kept as it was approved" in text_of(response)
    assert raisin.versions.get(number=1).intended_use == ""


def test_who_may_only_look_cannot_write(
    staged: AlgorithmVersion, eve: User, browse: Browse
) -> None:
    client = browse(eve)
    assert "Complete the card" not in text_of(client.get(V2))
    assert client.get(EDIT).status_code == 403
    assert client.post(EDIT, TEXTS).status_code == 403
    assert AlgorithmVersion.objects.get(pk=staged.pk).intended_use == ""


@pytest.mark.parametrize("page", ["card/", "card/edit/", "summary/", "summary.md"])
def test_strangers_and_wrong_numbers_find_nothing(
    page: str, raisin: Endpoint, dana: User, client: Client, browse: Browse
) -> None:
    anonymous = client.get(f"/endpoints/raisin/versions/2/{page}")
    assert anonymous.headers["Location"].startswith("/login/")
    assert browse(dana).get(f"/endpoints/raisin/versions/99/{page}").status_code == 404
    assert browse(dana).get(f"/endpoints/nowhere/versions/1/{page}").status_code == 404


def test_the_version_leads_to_both_pages(raisin: Endpoint, eve: User, browse: Browse) -> None:
    links = read(browse(eve).get("/endpoints/raisin/versions/2/")).links
    assert {V2, "/endpoints/raisin/versions/2/summary/"} <= set(links)
