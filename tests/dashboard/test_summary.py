"""The decision summary: one page in plain words, the same as a page and as Markdown."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.presenters import summary_words
from dashboard.presenters.summary_markdown import text
from endpoints.models import AlgorithmVersion, Endpoint, Metric, Run
from endpoints.services import artifacts, lifecycle
from endpoints.services.card_evidence import RivalReport
from endpoints.services.registration import register_upload
from endpoints.services.transitions import Decision
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of
from tests.endpoints import grains
from tests.endpoints.services import handed_over

V1, V2 = "/endpoints/raisin/versions/1/summary/", "/endpoints/raisin/versions/2/summary/"


@pytest.fixture
def staged(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=2)


def markdown_of(browse: Browse, user: User, address: str) -> str:
    response = browse(user).get(address.replace("summary/", "summary.md"))
    assert response.status_code == 200
    return str(response.content.decode())


def test_it_works(raisin: Endpoint, eve: User, browse: Browse) -> None:
    response = browse(eve).get(V2)
    said = text_of(response)
    for pattern in (
        r"Of 100 rows like those it was tested on, v2 gets about 8\d right\.",
        r"tested on 180 held-out rows; .* anywhere from \d\d to \d\d \(95 % interval\)",
        r"are rightly called Besni",
        r"Always answering \w+ would get 50 right\.",
        r"Accuracy 8\d\.\d % \d\d\.\d % to \d\d\.\d %",
        r"Precision \d\d\.\d % \d\d\.\d % to",
        r"On the same 180 rows v2 gets \d+ right and v1 \d+\.",
        r"If the threshold were another",
        r"in use 0\.500",
        r"It was trained on synthetic rows",
        r"It was judged on 180 rows",
        r"Nobody has written on its model card: intended use and limits\.",
        r"This page gives no recommendation",
    ):
        assert re.search(pattern, said), pattern
    assert_clean(response)


def test_the_file_says_what_the_page_says(raisin: Endpoint, eve: User, browse: Browse) -> None:
    page, file = text_of(browse(eve).get(V2)), markdown_of(browse, eve, V2)
    assert file.startswith("# Raisin v2: decision summary\n")
    for line in re.findall(r"^- (.+)$", file, re.M):
        assert line.replace("\\", "") in page
    (headline,) = re.findall(r"^\*\*(.+)\*\*$", file, re.M)
    assert headline in page
    assert "| 0.500 (in use) |" in file


def test_the_file_is_a_download(raisin: Endpoint, eve: User, browse: Browse) -> None:
    response = browse(eve).get(V2.replace("summary/", "summary.md"))
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="raisin-v2-summary.md"'


def test_names_are_no_markup_in_the_file(raisin: Endpoint, eve: User, browse: Browse) -> None:
    raisin.name, raisin.description = "<img src=x>|*a*", "[x](javascript:alert(1))\n# no"
    raisin.save()
    file = markdown_of(browse, eve, V2)
    assert "# \\<img src=x\\>\\|\\*a\\* v2" in file
    assert "\\[x\\](javascript:alert(1)) \\# no" in file


def test_text_is_escaped() -> None:
    assert text("a_b *c* [d](e) <f> `g` ~h~ & #i \\ |\nj") == (
        "a\\_b \\*c\\* \\[d\\](e) \\<f\\> \\`g\\` \\~h\\~ \\& \\#i \\\\ \\| j"
    )


def test_the_production_version_is_not_compared_with_itself(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    assert "v1 is the version in production." in text_of(browse(eve).get(V1))


def test_nothing_in_production_is_nothing_to_compare(db: None, eve: User, browse: Browse) -> None:
    cast.registered_version(cast.an_endpoint("new"))
    said = text_of(browse(eve).get("/endpoints/new/versions/1/summary/"))
    assert "Nothing is in production, so there is nothing to compare with." in said


def test_three_classes_have_a_summary(db: None, eve: User, browse: Browse) -> None:
    grains.endpoint()
    response = browse(eve).get("/endpoints/grains/versions/1/summary/")
    said = text_of(response)
    assert "It does worst on" in said
    assert "If a person answered the doubtful rows" in said
    assert "in use any" in said
    assert_clean(response)


def test_a_claim_is_called_a_claim(raisin: Endpoint, eve: User, browse: Browse) -> None:
    version = register_upload(
        content=handed_over.bundle(), endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN
    )
    address = f"/endpoints/raisin/versions/{version.number}/summary/"
    evaluated = browse(eve).get(address)
    assert "Its uploader says" not in text_of(evaluated)
    assert "tested on 180 rows (holdout rows of v1); with" in text_of(evaluated)
    assert_clean(evaluated)
    version.evaluations.all().delete()
    claimed = browse(eve).get(address)
    said = text_of(claimed)
    assert "Its uploader says: of 100 rows" in said
    assert "It may have learned from the rows that judge it." in said
    assert_clean(claimed)


def test_an_upload_is_compared_on_the_rows_of_production(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    version = register_upload(
        content=handed_over.bundle(), endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN
    )
    said = text_of(browse(eve).get(f"/endpoints/raisin/versions/{version.number}/summary/"))
    assert re.search(r"On the same 180 rows v3 gets \d+ right and v1 \d+\.", said)
    assert "holdout rows of v1: v3 names the same data, so it may have learned from them" in said
    for name in ("Accuracy", "Precision", "Recall"):
        assert re.search(rf"{name} \d\d\.\d % \d\d\.\d % to \d\d\.\d %", said), name


def test_an_upload_in_production_may_have_learned_from_the_rows_of_its_rival(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    Run.objects.update(uploaded=True)
    assert "v1 names the same data, so it may have learned" in text_of(browse(eve).get(V2))


def test_other_data_may_have_held_the_rows_too(raisin: Endpoint) -> None:
    version, owner = raisin.versions.get(number=2), raisin.versions.get(number=1)
    version.run.dataset_sha256 = "0" * 64
    said = summary_words.borrowed(version, owner)
    assert (
        said == "These are the holdout rows of v1; whether v2 has learned from them is not known."
    )


def test_a_conversion_is_no_reason_why_a_solver_did_not_converge(
    staged: AlgorithmVersion,
) -> None:
    staged.converged, staged.run.uploaded = False, True
    staged.run.message = "converted from scikit-learn's LogisticRegression"
    said = " ".join(summary_words.risks_of_data(staged, 0))
    assert "are provisional: the solver did not converge." in said


def test_an_upload_that_asks_otherwise_cannot_be_compared(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    version = register_upload(
        content=handed_over.three_classes(), endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN
    )
    said = text_of(browse(eve).get(f"/endpoints/raisin/versions/{version.number}/summary/"))
    assert "It cannot be compared with v1, which is in production: no rows are kept here" in said


@pytest.mark.parametrize(("key", "value"), [("accuracy", 1.7), ("accuracy", -3.0), ("n", 1e300)])
def test_a_claim_that_cannot_be_does_no_harm(
    key: str, value: float, staged: AlgorithmVersion, eve: User, browse: Browse
) -> None:
    artifacts.holdout_file(staged.run).unlink()
    Metric.objects.filter(run=staged.run, key=f"validation_{key}").update(value=value)
    for address in (V2, V2.replace("summary", "card")):
        response = browse(eve).get(address)
        assert response.status_code == 200


def test_without_rows_and_numbers_it_says_so(
    staged: AlgorithmVersion, eve: User, browse: Browse
) -> None:
    artifacts.holdout_file(staged.run).unlink()
    staged.run.metrics.all().delete()
    response = browse(eve).get(V2)
    assert "How often v2 is right is not known here." in text_of(response)
    assert "how sure that is" not in text_of(response)
    assert_clean(response)


def test_a_damaged_model_leaves_a_summary_of_the_rest(
    staged: AlgorithmVersion, eve: User, browse: Browse
) -> None:
    (artifacts.folder(staged) / "weights.npz").unlink()
    response = browse(eve).get(V2)
    assert response.status_code == 200
    said = text_of(response)
    assert "The stored model cannot be" in said
    assert "as written in training" in said
    assert_clean(response)


def test_an_overruled_gate_is_a_risk(raisin: Endpoint, eve: User, browse: Browse) -> None:
    version = cast.registered_version(raisin, status="staging", solver="gd")
    decision = Decision(
        actor=cast.SYSTEM, now=cast.THEN, reason="we accept the risk for a week", override=True
    )
    lifecycle.promote(version=version, decision=decision)
    change = version.status_changes.get(verb="promote")
    assert change.overridden
    said = text_of(browse(eve).get("/endpoints/raisin/versions/3/summary/"))
    assert "promoted it although gates had failed (Validation metric): " in said
    assert "we accept the risk for a week" in said


def test_what_it_is_for_is_told(staged: AlgorithmVersion, eve: User, browse: Browse) -> None:
    staged.intended_use, staged.limits = "# Use\n\nSorts **grains**.\n\nMore.", "x"
    staged.save()
    said = text_of(browse(eve).get(V2))
    assert "What it is for Sorts grains." in said
    assert "Nobody has written" not in said


def test_it_asks_the_database_little(raisin: Endpoint, eve: User, browse: Browse) -> None:
    for address in (V1, V2):
        client = browse(eve)
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        assert len(asked) <= 25, [query["sql"][:90] for query in asked]


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0"), (0.001, "fewer than 1"), (0.5, "50"), (0.999, "more than 99"), (1.0, "100")],
)
def test_of_a_hundred(share: float, words: str) -> None:
    assert summary_words.of_100(share) == words


def test_a_small_difference_may_be_chance() -> None:
    rival = RivalReport("v1", n=180, ours=160, theirs=156, only_ours=8, only_theirs=4, changed=12)
    said = " ".join(summary_words.comparison("v2", rival))
    assert "They differ on 12: v2 alone is right on 8, v1 alone on 4." in said
    assert "may be chance" in said
    clear = replace(rival, ours=176, only_ours=24, changed=28)
    assert "chance" not in " ".join(summary_words.comparison("v2", clear))
    alike = replace(rival, theirs=160, only_ours=0, only_theirs=0, changed=0)
    assert "They decide every row alike." in list(summary_words.comparison("v2", alike))


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        (0.5, "calling a Kecimen Besni to be as bad as calling a Besni Kecimen"),
        (0.8, "calling a Kecimen Besni to be about 4.0 times as bad as calling a Besni Kecimen"),
        (0.2, "calling a Besni Kecimen to be about 4.0 times as bad as calling a Kecimen Besni"),
    ],
)
def test_a_threshold_weighs_the_errors(
    threshold: float, words: str, staged: AlgorithmVersion
) -> None:
    classifier = replace(artifacts.load(staged), threshold=threshold)
    assert words in " ".join(summary_words.assumptions(staged, classifier, 0.5))
