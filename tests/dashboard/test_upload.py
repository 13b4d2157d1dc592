"""Models that come and go as files: the upload page, claims beside what was found, the download."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from endpoints.models import AlgorithmVersion, Endpoint, Evaluation
from endpoints.services import uploads
from mlcore import artifact
from mlcore.table import canonical_csv
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.endpoints.services import handed_over
from tests.endpoints.services.handed_over import changed

UPLOAD = "/endpoints/raisin/versions/upload/"
VERSION = "/endpoints/raisin/versions/3/"
NO_METRICS = {"metrics": {"train": {}, "validation": {}}}


def send(client: Client, content: bytes, **words: str) -> HttpResponse:
    file = SimpleUploadedFile("model.zip", content, "application/zip")
    return client.post(UPLOAD, {"submission": "form-1", **words, "file": file})


def judge(client: Client, **facts: Any) -> HttpResponse:
    return client.post(f"{VERSION}evaluate/", facts)


def csv_file(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("rows.csv", content, "text/csv")


@pytest.fixture
def uploaded(raisin: Endpoint, dana: User, browse: Browse) -> AlgorithmVersion:
    send(browse(dana), handed_over.bundle(), note="Best of the lab.")
    return raisin.versions.get(number=3)


def test_it_works(raisin: Endpoint, dana: User, browse: Browse) -> None:
    client = browse(dana)
    page = client.get(UPLOAD)
    assert_clean(page)
    assert "At most 4.2 MB" in text_of(page)
    hidden = read(page).fields
    done = send(client, handed_over.bundle(), name="Lab", note="Good.", **hidden)
    assert done.headers["Location"] == VERSION
    version = raisin.versions.get(number=3)
    assert (version.run.name, version.note, version.created_by) == ("Lab", "Good.", dana)
    assert "v3 of Raisin is registered, in testing." in text_of(client.get(VERSION))


def test_the_versions_page_leads_there_for_those_who_may(
    raisin: Endpoint, dana: User, alex: User, browse: Browse
) -> None:
    address = "/endpoints/raisin/versions/"
    assert UPLOAD in read(browse(dana).get(address)).links
    assert UPLOAD not in read(browse(alex).get(address)).links
    assert browse(alex).get(UPLOAD).status_code == 403
    assert send(browse(alex), b"x").status_code == 403
    assert raisin.versions.count() == 2


def test_the_same_form_sent_twice_registers_once(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    for _ in range(2):
        assert send(browse(dana), handed_over.bundle()).headers["Location"] == VERSION
    assert raisin.versions.count() == 3


def test_another_file_in_a_form_that_was_sent_before_is_another_version(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    send(client, handed_over.bundle())
    junk = send(client, b"the back button, and a wrong file")
    assert junk.status_code == 422
    done = send(client, handed_over.bundle(lambda_=0.05))
    assert done.headers["Location"] == "/endpoints/raisin/versions/4/"
    assert raisin.versions.count() == 4


def test_a_tab_in_a_name_is_a_blank(raisin: Endpoint, dana: User, browse: Browse) -> None:
    send(browse(dana), handed_over.bundle(), name="Lab\t7")
    assert raisin.versions.get(number=3).run.name == "Lab 7"


def test_a_line_break_counts_as_one_character(raisin: Endpoint, dana: User, browse: Browse) -> None:
    note = "\r\n".join(["x" * 99] * 100)
    assert send(browse(dana), handed_over.bundle(), note=note).status_code == 302
    assert raisin.versions.get(number=3).note == note.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("content", "status", "match"),
    [
        (b"\x80\x04N.", 422, "bundle.zip is damaged: it does not end as a zip archive does"),
        (b"", 422, "The file is empty."),
    ],
)
def test_what_is_wrong_with_the_file_stands_beside_it(
    raisin: Endpoint, dana: User, browse: Browse, content: bytes, status: int, match: str
) -> None:
    page = send(browse(dana), content, name="Lab")
    assert page.status_code == status
    assert_clean(page)
    assert text_of(page).count(match) == 2  # above, and beside the file
    assert 'value="Lab"' in page.content.decode()
    assert not list(uploads.home().iterdir())


def test_a_form_without_a_file_says_so(raisin: Endpoint, dana: User, browse: Browse) -> None:
    page = browse(dana).post(UPLOAD, {"submission": "form-1"})
    assert page.status_code == 422
    assert "Choose a file." in text_of(page)


def test_a_known_bundle_is_named(uploaded: AlgorithmVersion, dana: User, browse: Browse) -> None:
    page = send(browse(dana), handed_over.bundle(), submission="form-2")
    assert page.status_code == 409
    assert "it is v3 of Raisin, in testing" in text_of(page)


def test_too_large_a_body_is_refused_unread(raisin: Endpoint, dana: User, browse: Browse) -> None:
    class Unreadable(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("somebody reads the body")

    page = browse(dana).generic(
        "POST",
        UPLOAD,
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(200 * 2**20),
        **{"wsgi.input": Unreadable()},
    )
    assert page.status_code == 413
    assert_clean(page)
    assert "This is 209.7 MB; 4.2 MB is the most here." in text_of(page)


def test_the_form_needs_its_token(raisin: Endpoint, dana: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(dana)
    assert send(client, handed_over.bundle()).status_code == 403
    assert judge(client, rows="holdout").status_code in (403, 404)
    assert raisin.versions.count() == 2
    token = read(client.get(UPLOAD)).fields["csrfmiddlewaretoken"]
    assert send(client, handed_over.bundle(), csrfmiddlewaretoken=token).status_code == 302


def test_a_model_that_answers_otherwise_is_taken_with_a_warning(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    send(client, handed_over.three_classes())
    said = text_of(client.get(VERSION))
    assert "Callers of v1 would break" in said
    assert "has not been evaluated here yet" in said
    assert raisin.versions.get(number=3).status == "testing"


def test_its_numbers_are_claims_beside_what_was_found(
    uploaded: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    page = browse(dana).get(VERSION)
    assert_clean(page)
    said = text_of(page)
    assert "Best of the lab." in said
    assert "claimed 8" in said  # before the verdict's share of right rows
    assert "on 180 rows: holdout rows of v1." in said
    assert "The claims are of 180 rows that the uploader chose" in said
    assert "Evaluate on the holdout rows" not in said  # it was, at once
    (newest,) = page.context["claims"].judgements
    row = next(row for row in newest.rows if row.key == "log_loss")
    assert row.found == uploaded.evaluations.get().metrics["log_loss"]
    assert row.change == pytest.approx(row.found - row.claimed)


@pytest.mark.parametrize(
    "address", [f"/runs/?q={'Newton'}", "/runs/{run}/", "/runs/compare/?run={run}&run={other}"]
)
def test_wherever_its_run_is_shown_its_numbers_are_marked(
    uploaded: AlgorithmVersion, dana: User, browse: Browse, address: str
) -> None:
    other = uploaded.endpoint.versions.get(number=1).run_id
    page = browse(dana).get(address.format(run=uploaded.run_id, other=other))
    assert_clean(page)
    assert page.content.decode().count(">claimed</span>") >= 1


def test_the_csv_of_runs_says_which_numbers_are_claims(
    uploaded: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    answer = browse(dana).get("/runs/download/")
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))
    assert [row["run_id"] for row in rows if row["uploaded"] == "True"] == [uploaded.run_id]


def test_the_table_shows_what_was_found_and_marks_what_was_not(
    uploaded: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    address = "/endpoints/raisin/versions/"
    assert ">claimed</span>" not in browse(dana).get(address).content.decode()
    row = browse(dana).get(address).context["rows"][0]
    assert row.value == uploaded.evaluations.get().metrics["log_loss"]
    Evaluation.objects.all().delete()
    assert browse(dana).get(address).content.decode().count(">claimed</span>") == 1


def test_the_pages_of_versions_ask_as_often_for_many_uploads_as_for_one(
    uploaded: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    client, counts = browse(dana), []
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked:
            client.get("/endpoints/raisin/versions/")
        counts.append(len(asked))
        for number in range(10, 40):
            Evaluation.objects.create(
                version=cast.registered_version(uploaded.endpoint, run=uploaded.run),
                dataset_name="x",
                dataset_sha256=f"{number:064}",
                dataset_rows=1,
                metrics={"log_loss": 0.5},
                actor_name="x",
                at=cast.THEN,
            )
    assert counts[0] == counts[1]


def test_it_is_evaluated_on_a_file(uploaded: AlgorithmVersion, dana: User, browse: Browse) -> None:
    table = cast.raisin_rows()
    client = browse(dana)
    done = judge(client, file=csv_file(canonical_csv(table.header, table.rows[::9])))
    assert done.headers["Location"] == VERSION
    said = text_of(client.get(VERSION))
    assert "v3 is evaluated here, on 100 rows: rows.csv." in said
    assert "on 100 rows: rows.csv." in said
    assert "holdout rows of v1 180 rows, evaluated" in said


def test_it_is_evaluated_on_the_holdout_rows_of_production(
    uploaded: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    Evaluation.objects.all().delete()
    client = browse(dana)
    page = client.get(VERSION)
    assert "Evaluate on the holdout rows of v1" in text_of(page)
    judge(client, rows="holdout")
    assert uploaded.evaluations.get().dataset_name == "holdout rows of v1"
    assert_clean(client.get(f"{VERSION}evaluate/"))


@pytest.mark.parametrize(
    ("content", "status", "match"),
    [
        (b"Area,Class\n1,Besni\n", 422, "rows.csv cannot judge v3: there is no column"),
        (b"\xff", 422, "rows.csv cannot be read"),
        (b"x" * (5 * 2**20 + 1), 413, "4.2 MB is the most here"),
        (None, 422, "Choose a file."),
    ],
)
def test_what_is_wrong_with_the_rows_stands_beside_the_file(
    uploaded: AlgorithmVersion,
    dana: User,
    browse: Browse,
    content: bytes | None,
    status: int,
    match: str,
) -> None:
    page = judge(browse(dana), **({} if content is None else {"file": csv_file(content)}))
    assert page.status_code == status
    assert_clean(page)
    assert match in text_of(page)
    assert uploaded.evaluations.count() == 1


def test_others_see_the_claims_and_no_form(
    uploaded: AlgorithmVersion, eve: User, browse: Browse
) -> None:
    client = browse(eve)
    page = client.get(VERSION)
    assert "What the uploader claims" in text_of(page)
    assert "Evaluate on this file" not in text_of(page)
    assert judge(client, rows="holdout").status_code == 403


def test_markup_in_its_words_stays_text(raisin: Endpoint, dana: User, browse: Browse) -> None:
    def forge(document: dict[str, Any]) -> None:
        document["solver"]["message"] = document["spec"]["note"] = "<script>alert(1)</script>"

    client = browse(dana)
    send(client, changed(handed_over.bundle(), forge), name="<b>Lab</b>", note="<i>x</i>")
    run = raisin.versions.get(number=3).run
    for address in (VERSION, f"/runs/{run.pk}/", "/endpoints/raisin/versions/"):
        body = client.get(address).content.decode()
        assert "<script>alert" not in body
        assert "<b>Lab" not in body
        assert "<i>x" not in body


def test_a_model_that_was_never_validated_has_pages_too(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    def forget(document: dict[str, Any]) -> None:
        document["metrics"]["validation"] = {}
        document["rows"]["validation"] = 0

    client = browse(dana)
    send(client, changed(handed_over.bundle(), forget))
    run = raisin.versions.get(number=3).run
    for address in (VERSION, f"/runs/{run.pk}/", "/runs/"):
        page = client.get(address)
        assert page.status_code == 200
        assert_clean(page)
    assert "The claims are" in text_of(client.get(VERSION))


def test_a_model_that_claims_nothing_is_not_said_to(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    send(client, changed(handed_over.bundle(), lambda document: document.update(NO_METRICS)))
    said = text_of(client.get(VERSION))
    assert "on 180 rows: holdout rows of v1. It came without numbers" in said
    assert "The claims are" not in said


def test_a_version_is_downloaded_as_one_file(
    raisin: Endpoint, eve: User, browse: Browse, tmp_path: Path
) -> None:
    client = browse(eve)
    version = raisin.versions.get(number=2)
    answer = client.get("/endpoints/raisin/versions/2/bundle/")
    content = b"".join(answer.streaming_content)
    (tmp_path / "bundle.zip").write_bytes(content)
    assert artifact.load(tmp_path / "bundle.zip", sha256=version.artifact_sha256).classes
    assert answer.headers["ETag"] == f'"{version.artifact_sha256}"'
    assert answer.headers["Content-Disposition"] == 'attachment; filename="raisin-v2.zip"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == str(len(content))
    page = client.get("/endpoints/raisin/versions/2/")
    assert version.artifact_sha256 in page.content.decode()
    assert "/endpoints/raisin/versions/2/bundle/" in read(page).links
    assert not list(uploads.home().iterdir())


def test_who_has_it_is_not_sent_it_again(raisin: Endpoint, eve: User, browse: Browse) -> None:
    etag = f'"{raisin.versions.get(number=2).artifact_sha256}"'
    headers = {"If-None-Match": etag}
    answer = browse(eve).get("/endpoints/raisin/versions/2/bundle/", headers=headers)
    assert (answer.status_code, answer.content) == (304, b"")


def test_a_file_that_changed_on_the_disk_is_not_given_out(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    ours, other = raisin.versions.get(number=2), cast.trained_run(lambda_=0.5)
    raisin.versions.filter(pk=ours.pk).update(artifact_path=other.artifact_path)
    answer = browse(eve).get("/endpoints/raisin/versions/2/bundle/")
    assert answer.status_code == 503
    assert "not" in text_of(answer)


def test_there_and_back_gives_the_same_model(raisin: Endpoint, dana: User, browse: Browse) -> None:
    client = browse(dana)
    answer = client.get("/endpoints/raisin/versions/1/bundle/")
    content = b"".join(answer.streaming_content)
    other = cast.an_endpoint("other")
    file = SimpleUploadedFile("model.zip", content)
    client.post("/endpoints/other/versions/upload/", {"submission": "form-9", "file": file})
    taken = other.versions.get()
    assert taken.artifact_sha256 == raisin.versions.get(number=1).artifact_sha256
    again = client.get("/endpoints/other/versions/1/bundle/")
    assert hashlib.sha256(b"".join(again.streaming_content)).digest() == (
        hashlib.sha256(content).digest()
    )


def test_it_is_called_uploaded_where_it_is_decided_on(
    uploaded: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    for page in ("review/?to=staging", "evaluate/", "card/", "summary/", ""):
        assert (
            '<span class="flag">uploaded</span>'
            in browse(dana).get(VERSION + page).content.decode()
        )


def test_made_up_rows_are_the_word_of_the_uploader(
    uploaded: AlgorithmVersion, dana: User, browse: Browse
) -> None:
    for address in (VERSION, f"/runs/{uploaded.run_id}/"):
        said = text_of(browse(dana).get(address))
        assert "Its uploader says that it was trained on made-up rows." in said
        assert "RAISIN_CSV" not in said


def test_a_model_that_nobody_judged_can_be_reviewed(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    send(client, changed(handed_over.bundle(), lambda document: document.update(NO_METRICS)))
    said = text_of(client.get(f"{VERSION}review/?to=staging"))
    assert "Classes Kecimen 50.0 %, Besni 50.0 % — no value" in said
