"""What a worker does when a doorbell rings: it gets a key, and looks at the job itself.

Each task imports what does its work when it runs: the server rings with these tasks, and must not
load the readers of tables and the training that only a worker needs.
"""

from __future__ import annotations

from django_tasks import task

from endpoints.models import BatchJob, Dataset, Run
from endpoints.models.batch import BatchState
from endpoints.services import working


@task()
def read_dataset(key: str) -> None:
    from endpoints.services.datasets import reading

    working.at(Dataset, key, reading.read)


@task()
def check_batch(key: str) -> None:
    from endpoints.services.batches import checking

    working.at(BatchJob, key, checking.check, waiting=BatchState.UPLOADED)


@task()
def score_batch(key: str) -> None:
    from endpoints.services.batches import scoring

    working.at(BatchJob, key, scoring.score, waiting=BatchState.QUEUED)


@task()
def train_run(key: str) -> None:
    from endpoints.services.training_jobs import working as at_work

    working.at(Run, key, at_work.train)
