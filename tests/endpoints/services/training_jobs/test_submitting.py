"""Queueing a training: what certainly fails is refused before anything is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django_tasks_db.models import DBTaskResult

from endpoints.errors import InvalidData, InvalidRequest, InvalidTransition, NotAllowed
from endpoints.models import Dataset, Experiment, Run
from endpoints.models.dataset import DatasetState
from endpoints.services.access import Caller
from endpoints.services.training_jobs import specs, submitting
from endpoints.services.training_jobs.again import again
from tests import cast
from tests.endpoints.services.datasets.files import stored

pytestmark = pytest.mark.django_db
COLUMNS = [
    {"name": "Area", "kind": "number", "distinct": 900, "levels": [], "warning": ""},
    {
        "name": "Batch",
        "kind": "constant",
        "distinct": 1,
        "levels": [["a", 4]],
        "warning": "One value.",
    },
    {
        "name": "Class",
        "kind": "category",
        "distinct": 2,
        "levels": [["Besni", 2], ["Kecimen", 2]],
        "warning": "",
    },
]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return stored(tmp_path)


@pytest.fixture
def ready(dataset: Dataset) -> Dataset:
    Dataset.objects.update(state=DatasetState.READY, columns=COLUMNS, rows=900)
    dataset.refresh_from_db()
    return dataset


def submit(dataset: Dataset, *, actor: Caller = cast.SYSTEM, name: str = "", **asked: Any) -> Run:
    spec = specs.read({"target": "Class"} | asked)
    return submitting.submit(dataset, spec, name=name, actor=actor, now=cast.THEN)


def refused(dataset: Dataset, **asked: Any) -> dict[str | None, str]:
    with pytest.raises(InvalidRequest) as found:
        submit(dataset, **asked)
    assert not Run.objects.exists()
    return {cell.column: cell.message for cell in found.value.cells}


def test_it_works(ready: Dataset, dana: User) -> None:
    run = submit(ready, actor=Caller(user=dana), positive="Besni")
    assert (run.state, run.solver, run.created_by) == ("queued", "newton", dana)
    assert (run.dataset, run.dataset_sha256, run.dataset_rows) == (ready, ready.sha256, 900)
    assert (run.name, run.experiment.name) == ("Newton, lambda 0.01", "default")
    assert run.spec["positive"] == "Besni"


def test_it_rings_for_a_worker(ready: Dataset) -> None:
    run = submit(ready)
    bell = DBTaskResult.objects.latest("enqueued_at")
    assert (bell.task_path, bell.args_kwargs["args"]) == ("endpoints.tasks.train_run", [run.pk])
    assert run.heartbeat_at == cast.THEN


def test_a_dataset_need_not_be_read_yet(dataset: Dataset) -> None:
    assert submit(dataset, target="whatever").dataset_rows == 0


def test_it_refuses_a_dataset_that_cannot_be_read(dataset: Dataset) -> None:
    Dataset.objects.update(state=DatasetState.FAILED, message="line 2: too long")
    dataset.refresh_from_db()
    with pytest.raises(InvalidData, match=r"grains\.csv cannot be read: line 2: too long"):
        submit(dataset)


def test_it_refuses_unknown_columns_by_field(ready: Dataset) -> None:
    found = refused(ready, target="Clas", columns=["Area", "Colour"])
    assert found == {
        "target": 'There is no column "Clas"; did you mean "Class"? The columns: Area, Batch, Class.',
        "columns": 'There is no column "Colour". The columns: Area, Batch, Class.',
    }


@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({"columns": ["Area", "Class"]}, "columns", "The target cannot be a feature column too."),
        ({"target": "Batch"}, "target", '"Batch" has no two classes: One value.'),
        ({"target": "Area"}, "target", '"Area" has 900 different values; 50 classes are the most.'),
        (
            {"positive": "Besny"},
            "positive",
            '"Besny" is no class of "Class"; did you mean "Besni"?',
        ),
    ],
)
def test_it_refuses_what_cannot_be_predicted(
    ready: Dataset, asked: dict[str, Any], field: str, message: str
) -> None:
    assert refused(ready, **asked) == {field: message}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (
            {"missing": 1_200, "no_value": "None"},
            '"Class" has no value in 1,200 rows ("None" counts as none): leave them out, or call the class '
            "something else.",
        ),
        ({"missing": 1, "no_value": ""}, '"Class" has no value in 1 row: leave it out.'),
        ({"distinct": 51}, '"Class" has 51 different values; 50 classes are the most.'),
    ],
)
def test_it_refuses_a_target_that_is_sure_to_fail(
    ready: Dataset, facts: dict[str, Any], message: str
) -> None:
    Dataset.objects.update(columns=[*COLUMNS[:2], COLUMNS[2] | facts])
    ready.refresh_from_db()
    assert refused(ready) == {"target": message}


def test_it_takes_as_many_classes_as_there_may_be(ready: Dataset) -> None:
    Dataset.objects.update(columns=[*COLUMNS[:2], COLUMNS[2] | {"distinct": 50, "missing": 0}])
    ready.refresh_from_db()
    assert submit(ready).state == "queued"


def test_it_refuses_a_table_of_one_column(ready: Dataset) -> None:
    Dataset.objects.update(columns=COLUMNS[2:])
    ready.refresh_from_db()
    with pytest.raises(InvalidData, match=r"There is no column beside the target\."):
        submit(ready)


def test_it_refuses_a_name_that_is_too_long(ready: Dataset) -> None:
    with pytest.raises(InvalidRequest, match="The run's name has 121 characters; 120 is the most"):
        submit(ready, name="x" * 121)


@pytest.mark.parametrize(
    ("experiment", "kept"), [("   ", "default"), (" by\nhand ", "by hand"), ("by hand", "by hand")]
)
def test_names_are_in_one_line(ready: Dataset, experiment: str, kept: str) -> None:
    run = submitting.submit(
        ready,
        specs.read({"target": "Class"}),
        experiment=experiment,
        name="a\tb\n",
        actor=cast.SYSTEM,
        now=cast.THEN,
    )
    assert (run.experiment.name, run.name) == (kept, "a b")


def test_it_refuses_a_table_without_features(ready: Dataset) -> None:
    Dataset.objects.update(columns=COLUMNS[1:])
    ready.refresh_from_db()
    with pytest.raises(InvalidData, match="No column looks like a feature"):
        submit(ready)
    assert submit(ready, columns=["Batch"]).spec["columns"] == ["Batch"]


def test_it_refuses_who_may_not_train(ready: Dataset, eve: User) -> None:
    with pytest.raises(NotAllowed):
        submit(ready, actor=Caller(user=eve))
    assert not Experiment.objects.exists()


def test_again_is_a_run_of_its_own(ready: Dataset) -> None:
    first = submit(ready, solver="gd", epochs=5, name="mine")
    second = again(first, actor=cast.SYSTEM, now=cast.THEN)
    assert second.pk != first.pk
    assert (second.spec, second.dataset, second.name) == (first.spec, ready, "mine")
    assert (second.state, second.experiment) == ("queued", first.experiment)


def test_a_run_of_the_command_line_cannot_be_done_again() -> None:
    with pytest.raises(InvalidTransition, match="was not trained from a stored dataset"):
        again(cast.trained_run(), actor=cast.SYSTEM, now=cast.THEN)
