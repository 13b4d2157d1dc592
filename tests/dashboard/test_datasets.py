"""The files to train on: the list, and the page of one in each of its states."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.presenters.datasets import ColumnRow, column_rows
from dashboard.training_forms import TrainingForm
from endpoints.models import Dataset
from endpoints.services.datasets import folders
from endpoints.services.training_jobs import specs
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.dashboard.stored import COLUMNS, a_dataset, a_run, category, column, number

HTMX = {"HX-Request": "true"}
WORDS_OF_ROWS = ("Ada Lovelace", "Alan Turing", "Grace Hopper", "Examples")


@pytest.fixture
def client_of_dana(dana: User, browse: Browse) -> Client:
    return browse(dana)


def row(profile: dict[str, Any]) -> ColumnRow:
    return column_rows([profile], 900)[0]


def write_source(dataset: Dataset, content: bytes) -> None:
    folders.source(dataset).write_bytes(content)


def test_it_works(client_of_dana: Client) -> None:
    dataset = a_dataset()
    a_run(dataset)
    listed = client_of_dana.get("/datasets/")
    said = text_of(listed)
    assert f"/datasets/{dataset.pk}/" in read(listed).links
    assert f"/train/{dataset.pk}/" in read(listed).links
    assert "900 5 76.5 kB 1" in said
    assert_clean(listed)


def test_an_empty_list_says_what_a_dataset_is(
    client_of_dana: Client, eve: User, browse: Browse
) -> None:
    assert "Bring the first one" in text_of(client_of_dana.get("/datasets/"))
    response = browse(eve).get("/datasets/")
    assert "Who may train brings them." in text_of(response)
    assert_clean(response)


def test_the_page_tells_of_every_column(client_of_dana: Client) -> None:
    dataset = a_dataset(reading={"notes": ["Read as Windows-1252."], "delimiter": ";"})
    response = client_of_dana.get(f"/datasets/{dataset.pk}/")
    said = text_of(response)
    assert "4 of 5 can be learnt from" in said
    assert "1.5 to 9.25" in said
    assert "4 ± 2" in said
    assert "900 different texts: it reads like an identifier" in said
    assert "Read as Windows-1252." in said
    assert f"/train/{dataset.pk}/" in read(response).links
    assert_clean(response)


def test_the_first_rows_are_shown_as_the_file_has_them(client_of_dana: Client) -> None:
    columns = [number("Area"), category("Class", "Besni", "Kecimen")]
    dataset = a_dataset("rows.csv", columns=columns, reading={"delimiter": ";"})
    write_source(dataset, b'Area;Class\n1,50;Besni\n"2\n5";Kecimen\n' + b"3;Besni\n" * 100_000)
    preview = client_of_dana.get(f"/datasets/{dataset.pk}/").context["preview"]
    assert preview.columns == ("Area", "Class")
    lines = [(2, ("1,50", "Besni")), (3, ("2\n5", "Kecimen")), (5, ("3", "Besni"))]
    assert list(preview.rows[:3]) == lines
    assert len(preview.rows) == 5


def test_a_line_that_names_the_delimiter_is_no_row(client_of_dana: Client) -> None:
    columns = [number("Area"), category("Class", "Besni", "Kecimen")]
    dataset = a_dataset("rows.csv", columns=columns, reading={"delimiter": ";"})
    write_source(dataset, b"sep=;\nArea;Class\n" + b"3;Besni\n" * 9)
    preview = client_of_dana.get(f"/datasets/{dataset.pk}/").context["preview"]
    assert preview.rows[0] == (3, ("3", "Besni"))
    assert len(preview.rows) == 5


@pytest.mark.parametrize("content", [None, b"", b"Area,Class"])
def test_a_file_without_rows_has_no_first_ones(
    content: bytes | None, client_of_dana: Client
) -> None:
    dataset = a_dataset("short.csv")
    folders.source(dataset).unlink(missing_ok=True)
    if content is not None:
        write_source(dataset, content)
    response = client_of_dana.get(f"/datasets/{dataset.pk}/")
    assert "First rows" not in text_of(response)
    assert_clean(response)


@pytest.mark.parametrize(
    ("state", "said"), [("uploaded", "waits for a worker"), ("reading", "A worker reads the file")]
)
def test_a_file_that_is_being_read_refreshes_itself(
    state: str, said: str, client_of_dana: Client
) -> None:
    dataset = a_dataset(state=state, rows=None, columns=[])
    address = f"/datasets/{dataset.pk}/"
    response = client_of_dana.get(address)
    assert said in text_of(response)
    assert 'data-live="2"' in response.content.decode()
    assert_clean(response)
    part = client_of_dana.get(address, headers=HTMX)
    assert said in text_of(part)
    assert "<html" not in part.content.decode()
    Dataset.objects.update(state="ready", rows=900, columns=list(COLUMNS))
    assert client_of_dana.get(address, headers=HTMX).headers["HX-Refresh"] == "true"


def test_a_file_that_cannot_be_read_says_where(client_of_dana: Client) -> None:
    cell = {"row": 7, "column": None, "value": "a;b", "message": "expected 2 cells, got 3"}
    dataset = a_dataset(state="failed", message="line 7 has 3 cells.", problems=[cell], columns=[])
    response = client_of_dana.get(f"/datasets/{dataset.pk}/")
    said = text_of(response)
    assert "This file cannot be read. Line 7 has 3 cells." in said
    assert "7 — no value expected 2 cells, got 3" in said
    assert f"/train/{dataset.pk}/" not in read(response).links
    assert_clean(response)


@pytest.mark.parametrize(("person", "sees"), [("dana", True), ("eve", False)])
@pytest.mark.parametrize("state", ["ready", "failed"])
def test_cells_are_quoted_to_who_trains(
    state: str, person: str, sees: bool, db: None, request: pytest.FixtureRequest, browse: Browse
) -> None:
    cell = {"row": 7, "column": "Area", "value": "Ada", "message": "the cell holds a NUL byte"}
    odd = number("Area", warning="1 cell is no usable number.", odd="Ada")
    dataset = a_dataset(state=state, problems=[cell], columns=[odd])
    response = browse(request.getfixturevalue(person)).get(f"/datasets/{dataset.pk}/")
    said = text_of(response)
    assert ("1 cell is no usable number." if state == "ready" else "a NUL byte") in said
    assert ("Ada" in response.content.decode()) is sees


def test_the_form_to_train_quotes_a_cell_too() -> None:
    odd = number("Area", warning="1 cell is no usable number.", odd="Ada")
    assert row(odd).warning == "1 cell is no usable number. Such as “Ada”."


def test_very_many_columns_come_in_pages(client_of_dana: Client) -> None:
    dataset = a_dataset(columns=[number(f"c{place}") for place in range(250)])
    response = client_of_dana.get(f"/datasets/{dataset.pk}/?page=3")
    assert [column.name for column in response.context["page"]][:1] == ["c200"]
    assert "Page 3 of 3" in text_of(response)
    assert_clean(response)


def test_an_archived_dataset_leaves_the_list(client_of_dana: Client) -> None:
    dataset = a_dataset()
    response = client_of_dana.post(f"/datasets/{dataset.pk}/archive/", follow=True)
    assert "is archived" in text_of(response)
    assert "No dataset yet" in text_of(response)
    page = text_of(client_of_dana.get(f"/datasets/{dataset.pk}/"))
    assert "archived" in page


def test_who_may_only_look_cannot_archive(eve: User, browse: Browse) -> None:
    dataset = a_dataset()
    client = browse(eve)
    assert client.post(f"/datasets/{dataset.pk}/archive/").status_code == 403
    response = client.get(f"/datasets/{dataset.pk}/")
    assert response.status_code == 200
    assert f"/train/{dataset.pk}/" not in read(response).links


@pytest.mark.parametrize(
    ("person", "sees"), [("dana", True), ("ana", True), ("dev", False), ("eve", False)]
)
def test_single_rows_are_for_who_trains_or_may_see_inputs(
    person: str, sees: bool, db: None, request: pytest.FixtureRequest, browse: Browse
) -> None:
    names = column("Name", "text", examples=["Ada Lovelace"], levels=[["Grace Hopper", 1]])
    dataset = a_dataset("people.csv", columns=[names, category("Class", "a", "b")])
    write_source(dataset, b"Name,Class\nAlan Turing,a\n")
    reader: User = request.getfixturevalue(person)
    response = browse(reader).get(f"/datasets/{dataset.pk}/")
    said = text_of(response)
    assert all((words in said) is sees for words in WORDS_OF_ROWS)
    assert "a, b" in said
    assert_clean(response)
    Dataset.objects.update(created_by=reader)
    assert "Alan Turing" in text_of(browse(reader).get(f"/datasets/{dataset.pk}/"))


def test_a_dataset_that_is_not_there(client_of_dana: Client) -> None:
    assert client_of_dana.get("/datasets/0/").status_code == 404


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (number("a", minimum=0.123456, maximum=1e9), "0.123456 to 1e+09"),
        (category("a", "x", "y"), "x, y"),
        (category("a", *"vwxyz"), "v, w, x and 2 more"),
        (category("a", "x" * 90, "y"), f"{'x' * 23}…, y"),
        (column("a", "text"), "900 different"),
        (column("a", "constant", distinct=0), "no value"),
    ],
)
def test_the_values_of_a_column_in_words(profile: dict[str, Any], words: str) -> None:
    assert row(profile).values == words


def test_an_estimate_never_finds_more_values_than_rows() -> None:
    assert row(number("a", distinct=913, missing=10)).distinct == 890


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (number("a"), "20 bars, from 1.5 to 9.25; 30 values, 2 in the tallest"),
        (category("a", "x", "y"), "2 bars, most frequent first; 999 values, 500 in the tallest"),
        (column("a", "text"), "no value"),
    ],
)
def test_the_shape_of_a_column_is_described(profile: dict[str, Any], said: str) -> None:
    assert said in row(profile).shape


def test_the_form_ticks_what_a_request_without_columns_learns_from() -> None:
    profiles = [
        number("Area") | {"feature": True},
        number("id") | {"feature": False},
        category("Colour", "red", "blue"),
        category("key", "a", "b") | {"feature": False},
        category("Class", "Besni", "Kecimen"),
    ]
    form = TrainingForm(table=column_rows(profiles, 900))
    ticked = [profiles[int(place)]["name"] for place in form.fields["columns"].initial]
    spec = specs.with_columns(specs.read({"target": "Class"}), profiles)
    assert ticked == spec["columns"] == ["Area", "Colour"]
