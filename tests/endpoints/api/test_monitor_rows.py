"""POST /<slug>/monitor: rows held against the training, with labels and without; nothing is logged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from endpoints.models import Endpoint, Monitor, PredictionRequest
from tests import cast
from tests.cast import ROW
from tests.endpoints import grains
from tests.endpoints.api.client import post, problem_in, send, with_key
from tests.endpoints.protocols import berries
from tests.endpoints.services.monitoring.traffic import shifted, training_rows
from tests.endpoints.test_forms_with_files import FILE, form

pytestmark = pytest.mark.django_db
PATH = "/api/v1/raisin/monitor"
CHECK = {
    "name", "feature", "statistic", "value", "threshold", "direction", "p_value", "p_adjusted",
    "n_ref", "n_cur", "verdict", "drifted",
}  # fmt: skip
ALIKE = [list(map(float, row[:-1])) for row in cast.raisin_rows().rows[::3]]
LABELS = [row[-1] for row in cast.raisin_rows().rows[::3]]
MOVED = shifted(ALIKE, factor=2.0)


def answer(api: APIClient, body: Any, path: str = PATH) -> dict[str, Any]:
    response = post(api, path, body)
    assert response.status_code == 200, response.content
    return dict(response.json())


def csv(rows: list[list[float]], labels: list[str] | None = None) -> bytes:
    names = [*ROW, "Class"] if labels else [*ROW]
    cells = [[*row, labels[place]] if labels else row for place, row in enumerate(rows)]
    return "\n".join(",".join(map(str, line)) for line in [names, *cells]).encode()


def test_it_works(api: APIClient, raisin: Endpoint) -> None:
    found = answer(api, {"rows": ALIKE})
    assert (found["endpoint"], found["version"], found["rows"]) == ("raisin", 1, 300)
    assert (found["drift_flag"], found["drifted"], found["share_drifted"]) == (False, [], 0.0)
    assert found["drift_score"] < 0.1
    assert [feature["name"] for feature in found["features"]] == list(ROW)
    checks = [check for feature in found["features"] for check in feature["results"]]
    assert {frozenset(check) for check in checks} == {frozenset(CHECK)}
    assert {"z_shift", "psi", "ks", "wasserstein", "jensen_shannon"} <= {c["name"] for c in checks}


def test_it_finds_what_has_moved(api: APIClient, raisin: Endpoint) -> None:
    found = answer(api, {"features": MOVED})
    area = found["features"][0]
    assert (found["drift_flag"], found["verdict"], found["drifted"]) == (True, "drift", ["Area"])
    assert (area["drifted"], area["verdict"]) == (True, "drift")
    assert found["drift_score"] > 0.1
    [impact] = found["impact"]
    assert impact["features"][0]["name"] == "Area"


def test_labels_tell_how_right_the_answers_are(api: APIClient, raisin: Endpoint) -> None:
    found = answer(api, {"rows": ALIKE, "labels": LABELS})
    labels = post(api, "/api/v1/raisin/predict", {"rows": ALIKE}).json()["labels"]
    right = sum(said == true for said, true in zip(labels, LABELS, strict=True)) / len(LABELS)
    assert found["labels"] == 300
    assert found["continuous_accuracy"] == found["metrics"]["accuracy"]["value"] == right
    assert set(found["metrics"]) == {"accuracy", "precision", "recall", "specificity", "f1"}
    for metric in found["metrics"].values():
        assert 0 <= metric["low"] < metric["value"] < metric["high"] <= 1
    assert [output["name"] for output in found["outputs"]] == ["score", "prediction", "label"]


def test_rows_without_a_label_do_not_count(api: APIClient, raisin: Endpoint) -> None:
    labels = [LABELS[0], None, *[None] * 298]
    assert answer(api, {"rows": ALIKE, "labels": labels})["labels"] == 1
    assert answer(api, {"rows": ALIKE, "labels": [None] * 300})["metrics"] is None


def test_without_labels_accuracy_is_estimated(api: APIClient, raisin: Endpoint) -> None:
    found = answer(api, {"rows": ALIKE})
    assert (found["labels"], found["continuous_accuracy"], found["metrics"]) == (0, None, None)
    accuracy = found["estimates"]["accuracy"]
    assert 0.5 < accuracy["low"] < accuracy["value"] < accuracy["high"] <= 1


@pytest.mark.parametrize("form", ["lists", "objects", "csv"])
def test_every_form_says_the_same(api: APIClient, raisin: Endpoint, form: str) -> None:
    objects = [dict(zip(ROW, row, strict=True)) for row in MOVED]
    bodies = {
        "lists": {"features": MOVED, "labels": LABELS},
        "objects": {"rows": objects, "labels": LABELS},
        "csv": csv(MOVED, LABELS),
    }
    assert answer(api, bodies[form]) == answer(api, {"rows": MOVED, "labels": LABELS})


def test_csv_needs_no_labels(api: APIClient, raisin: Endpoint) -> None:
    assert answer(api, csv(ALIKE)) == answer(api, {"rows": ALIKE})
    without = csv(ALIKE, LABELS).replace(b",Besni", b",")
    assert answer(api, without)["labels"] == LABELS.count("Kecimen")


def test_a_byte_order_mark_changes_nothing(api: APIClient, raisin: Endpoint) -> None:
    body = json.dumps({"rows": ALIKE}).encode()
    assert answer(api, b"\xef\xbb\xbf" + body) == answer(api, body)


def test_a_feature_that_is_missing_now_has_drifted(api: APIClient, db: None) -> None:
    berries.endpoint()
    rows = [berries.ROW | {"Area": None}] * 60
    told = answer(api, {"rows": rows}, "/api/v1/berries/monitor")
    assert told["drift_flag"]
    assert "Area" in told["drifted"]


def test_missing_cells_are_counted_and_told(api: APIClient, db: None) -> None:
    berries.endpoint()
    rows = [berries.ROW, *[berries.ROW | {"Area": None}] * 99]
    found = answer(api, {"rows": rows}, "/api/v1/berries/monitor")
    assert [(feature["name"], feature["missing"]) for feature in found["features"]] == [
        ("Area", 99), ("colour", 0), ("Perimeter", 0),
    ]  # fmt: skip
    [missing] = [c for c in found["quality"] if (c["feature"], c["name"]) == ("Area", "missing")]
    assert (missing["count"], missing["share"], missing["verdict"]) == (99, 0.99, "drift")


def test_three_classes_have_an_accuracy_alone(api: APIClient, db: None) -> None:
    grains.endpoint()
    table = grains.three_classes()
    rows = [list(map(float, row[:-1])) for row in table.rows[::5]]
    labels = [row[-1] for row in table.rows[::5]]
    found = answer(api, {"rows": rows, "labels": labels}, "/api/v1/grains/monitor")
    assert list(found["metrics"]) == ["accuracy"]
    assert found["continuous_accuracy"] > 0.5


@pytest.mark.parametrize("version", [2, "2", "v2"])
def test_another_version_can_be_asked(api: APIClient, raisin: Endpoint, version: Any) -> None:
    assert answer(api, {"rows": ALIKE, "version": version})["version"] == 2
    assert answer(api, {"rows": ALIKE}, f"{PATH}?version={version}")["version"] == 2
    assert answer(api, csv(ALIKE), f"{PATH}?version={version}")["version"] == 2
    problem_in(
        post(api, f"{PATH}?version=1", {"rows": ALIKE, "version": 2}), 400, "invalid_request"
    )
    problem_in(post(api, PATH, {"rows": ALIKE, "version": 99}), 404, "not_found")


def test_the_settings_of_the_endpoint_count(api: APIClient, raisin: Endpoint) -> None:
    Monitor.objects.create(endpoint=raisin, min_rows=301)
    assert answer(api, {"rows": MOVED})["verdict"] == "insufficient_data"


def test_one_row_is_enough_to_be_looked_at(api: APIClient, raisin: Endpoint) -> None:
    for body in (ROW, {"rows": [ROW]}, {"features": list(ROW.values())}):
        found = answer(api, body)
        assert (found["rows"], found["verdict"]) == (1, "insufficient_data")


def test_nothing_is_logged(api: APIClient, raisin: Endpoint) -> None:
    answer(api, {"rows": ALIKE, "labels": LABELS})
    assert not PredictionRequest.objects.exists()


def test_it_needs_the_right_to_predict(api: APIClient, raisin: Endpoint) -> None:
    Endpoint.objects.update(public_predictions=False)
    problem_in(post(api, PATH, {"rows": [ROW]}), 401, "not_authenticated")
    _, text = cast.new_key(cast.person("dev", cast.DEVELOPER), scopes=["feedback"])
    problem_in(post(with_key(api, text), PATH, {"rows": [ROW]}), 403, "not_allowed")


def test_it_costs_a_token(api: APIClient, raisin: Endpoint) -> None:
    key, text = cast.new_key(cast.person("dev", cast.DEVELOPER))
    type(key).objects.filter(pk=key.pk).update(rate=0.1)
    with_key(api, text)
    assert post(api, PATH, {"rows": [ROW]}).status_code == 200
    problem_in(post(api, PATH, {"rows": [ROW]}), 429, "too_many_requests")


def test_it_refuses_cells_that_do_not_fit(api: APIClient, raisin: Endpoint) -> None:
    body = problem_in(post(api, PATH, {"rows": [ROW | {"Area": "x"}]}), 422, "invalid_rows")
    assert (body["errors"][0]["field"], body["errors"][0]["row"]) == ("Area", 0)
    body = problem_in(post(api, PATH, csv(ALIKE).replace(b"Area", b"Aera")), 422, "invalid_rows")
    assert body["errors"][0]["field"] == "Area"


def test_it_refuses_a_label_that_is_no_class(api: APIClient, raisin: Endpoint) -> None:
    body = problem_in(
        post(api, PATH, {"rows": [ROW, ROW], "labels": ["Besni", "Sultana"]}), 422, "invalid_rows"
    )
    assert (body["errors"][0]["row"], body["errors"][0]["field"]) == (1, "labels")
    assert "Besni or Kecimen" in body["error"] or "Kecimen or Besni" in body["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"rows": [ROW], "labels": ["Besni", "Besni"]},
        {"rows": [ROW], "labels": "Besni"},
        {"rows": [ROW], "labels": [True]},
        {"rows": [ROW], "features": [[1]]},
        {"rows": [ROW], "label": ["Besni"]},
        {"rows": [ROW], "version": "newest"},
        {"rows": [ROW], "version": -1},
        [ROW],
    ],
    ids=lambda body: json.dumps(body)[-30:],
)
def test_it_refuses_what_it_does_not_read(api: APIClient, raisin: Endpoint, body: Any) -> None:
    problem_in(post(api, PATH, body), 400, "invalid_request")


def test_it_refuses_too_many_rows(api: APIClient, raisin: Endpoint, settings: Any) -> None:
    settings.RAISIN_MAX_ROWS = 299
    problem_in(post(api, PATH, {"rows": ALIKE}), 413, "too_large")
    problem_in(post(api, PATH, csv(ALIKE)), 413, "too_large")


def test_it_refuses_another_method(api: APIClient, raisin: Endpoint) -> None:
    assert send(api, "GET", PATH, b"").status_code == 405


def test_as_many_rows_as_a_request_may_hold(api: APIClient, raisin: Endpoint) -> None:
    assert answer(api, {"rows": training_rows(1_000)})["rows"] == 1_000


def test_a_file_of_a_form_says_the_same(api: APIClient, raisin: Endpoint) -> None:
    expected = answer(api, csv(MOVED, LABELS))
    assert answer(api, form((FILE, csv(MOVED, LABELS)))) == expected
    as_json = json.dumps({"rows": MOVED, "labels": LABELS}).encode()
    assert answer(api, form((FILE, as_json))) == expected
    assert answer(api, form((FILE, csv(ALIKE)), ('name="version"', b"v2")))["version"] == 2
    sent = api.generic(
        "POST", PATH, form((FILE, csv(MOVED, LABELS))), "multipart/form-data; boundary=x"
    )
    assert sent.json() == expected


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (form((FILE, b"")), "The file is empty."),
        (form((FILE, b" \n")), "The file is empty."),
        (form(('name="version"', b"1")), "The form has no field “file”"),
        (form((FILE, b"a"), ('name="version"', b"new")), "“version” is a number such as 7"),
        (csv([]), "The CSV has a header but no rows."),
    ],
)
def test_it_refuses_a_file_without_rows(
    api: APIClient, raisin: Endpoint, body: bytes, says: str
) -> None:
    assert says in problem_in(post(api, PATH, body), 400, "invalid_request")["error"]


@pytest.mark.parametrize("delimiter", [b";", b"\t", b"|"])
def test_other_delimiters_are_recognised(
    api: APIClient, raisin: Endpoint, delimiter: bytes
) -> None:
    body = csv(MOVED, LABELS)
    assert answer(api, body.replace(b",", delimiter)) == answer(api, body)
    headless = csv(MOVED).split(b"\n", 1)[1]
    assert answer(api, headless.replace(b",", delimiter)) == answer(api, headless)


def test_a_file_is_refused_by_line_and_column(api: APIClient, raisin: Endpoint) -> None:
    lines = csv(ALIKE[:3], LABELS[:3]).split(b"\n")
    lines[2] = lines[2].replace(LABELS[1].encode(), b"Sultana")
    body = problem_in(post(api, PATH, b"\n\n".join(lines)), 422, "invalid_rows")
    [cell] = body["errors"]
    assert (cell["row"], cell["field"]) == (1, "Class")
    assert cell["message"].startswith("line 5, column Class: 'Sultana' is not a label")
    assert body["error"] == cell["message"]
    lines[1] = b"x" + lines[1][lines[1].index(b",") :]
    lines[3] = b"y" + lines[3][lines[3].index(b",") :]
    body = problem_in(post(api, PATH, b"\n".join(lines)), 422, "invalid_rows")
    assert body["error"].startswith("line 2, column Area: expected a number, got 'x'")
    assert body["error"].endswith("(and 1 more problem)")
    assert body["errors"][1]["message"].startswith("line 4, column Area:")
    lines[2] += b",1"
    body = problem_in(post(api, PATH, b"\n".join(lines)), 422, "invalid_rows")
    assert body["error"] == "line 3: expected 8 values, got 9"


def test_a_line_tells_no_more_than_the_endpoint_allows(api: APIClient, raisin: Endpoint) -> None:
    Endpoint.objects.update(error_detail="names")
    body = csv(ALIKE[:2]).replace(str(ALIKE[1][0]).encode(), b"secret")
    found = problem_in(post(api, PATH, body), 422, "invalid_rows")
    assert found["error"] == "line 3, column Area: the value has the wrong type"
    Endpoint.objects.update(error_detail="generic")
    assert "Area" not in problem_in(post(api, PATH, body), 422, "invalid_rows")["error"]


def test_long_names_are_cut(api: APIClient, raisin: Endpoint) -> None:
    name = b"n" * 100_000
    for body in (name + b",Area\n1,2\n", csv(ALIKE[:1]).replace(b"Area", name + b"," + name)):
        error = post(api, PATH, body).json()["error"]
        assert len(error) < 400, error


def test_a_paused_endpoint_refuses(api: APIClient, raisin: Endpoint) -> None:
    Endpoint.objects.update(paused_at=cast.THEN)
    body = problem_in(post(api, PATH, {"rows": [ROW]}), 503, "no_model")
    assert "is paused" in body["error"]


def test_the_means_of_the_training_are_for_who_reads(api: APIClient, raisin: Endpoint) -> None:
    [impact] = answer(api, {"rows": MOVED})["impact"]
    assert {feature["mean_ref"] for feature in impact["features"]} == {None}
    assert all(feature["mean_cur"] is not None for feature in impact["features"])
    _, text = cast.new_key(cast.person("dev", cast.DEVELOPER), scopes=["predict", "read"])
    [told] = answer(with_key(api, text), {"rows": MOVED})["impact"]
    assert all(feature["mean_ref"] is not None for feature in told["features"])
    assert [f["impact"] for f in told["features"]] == [f["impact"] for f in impact["features"]]


def test_an_absurd_cell_does_not_drown_the_score(api: APIClient, raisin: Endpoint) -> None:
    before = answer(api, {"rows": ALIKE})["drift_score"]
    found = answer(api, {"rows": [[1e150, *ALIKE[0][1:]], *ALIKE[1:]]})
    assert found["drift_score"] == pytest.approx(before + 10 / 7, abs=0.05)
    [shift] = [c for c in found["features"][0]["results"] if c["name"] == "z_shift"]
    assert shift["value"] > 1e140
