"""The worker as a process: it does what is due, ends when told to, and a killed one loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from threading import Event
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from django_tasks_db.management.commands import db_worker

from endpoints.management.commands import work
from endpoints.models import Webhook, WebhookDelivery
from endpoints.services import installation, webhooks
from endpoints.services.access import Caller
from tests.endpoints.services.receiver import Receiver, running
from tests.live import ROOT

PATIENCE = 120.0
DUTIES = (*work.CHORES, "jobs")
IDLE: dict[str, dict[str, int]] = {name: {} for name in DUTIES}


@pytest.fixture(autouse=True)
def _keep_the_tests_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a test's transaction it must not be closed; the real processes below close their own."""
    for module in (work, db_worker):
        monkeypatch.setattr(module, "close_old_connections", lambda: None)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS = True
    with running() as receiver:
        yield receiver


def a_message(receiver: Receiver) -> WebhookDelivery:
    webhook = Webhook(name="chat", url=receiver.url)
    webhooks.create(webhook, actor=Caller(system="alex"), now=timezone.now())
    return webhooks.send_test(webhook, now=timezone.now())


def work_once(*options: str) -> str:
    out = StringIO()
    call_command("work", "--once", *options, stdout=out)
    return out.getvalue()


def lines(**said: str) -> str:
    """What the worker prints of all its jobs."""
    return "".join(f"{name}: {said.get(name, 'nothing was due')}\n" for name in DUTIES)


@pytest.mark.django_db
def test_it_works(receiver: Receiver) -> None:
    a_message(receiver)
    assert json.loads(work_once("--json")) == IDLE | {"webhooks": {"delivered": 1}}
    assert json.loads(work_once("--json")) == IDLE
    assert len(receiver.bodies) == 1


@pytest.mark.django_db
def test_it_says_what_it_did(receiver: Receiver) -> None:
    a_message(receiver)
    assert work_once() == lines(webhooks="1 delivered")
    assert work_once() == lines(webhooks="nothing was due")


@pytest.mark.django_db
def test_it_says_what_will_be_tried_again(receiver: Receiver) -> None:
    receiver.status = 500
    a_message(receiver)
    assert work_once() == lines(webhooks="1 to be tried again")


@pytest.mark.django_db
def test_once_does_all_that_is_due(receiver: Receiver) -> None:
    message = a_message(receiver)
    for _ in range(24):
        webhooks.send_test(message.webhook, now=timezone.now())
    assert json.loads(work_once("--json")) == IDLE | {"webhooks": {"delivered": 25}}


@pytest.mark.django_db
def test_jobs_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def job(name: str) -> Callable[..., str | None]:
        left = iter(range(2))

        def piece(clock: object) -> str | None:
            if next(left, None) is None:
                return None
            order.append(name)
            return "done"

        return piece

    monkeypatch.setattr(work, "CHORES", {"a": job("a"), "b": job("b")})
    assert json.loads(work_once("--json")) == {"a": {"done": 2}, "b": {"done": 2}, "jobs": {}}
    assert order == ["a", "b", "a", "b"]


@pytest.mark.django_db
def test_it_refuses_a_database_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "pending_migrations", lambda: True)
    with pytest.raises(CommandError, match="prepare"):
        work_once()


@pytest.mark.django_db
def test_it_outlives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    def job(clock: object) -> str | None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OperationalError("the server closed the connection")
        signal.raise_signal(signal.SIGTERM)
        return "done"

    monkeypatch.setattr(work, "CHORES", {"job": job})
    monkeypatch.setattr(work, "PAUSE_SECONDS", 0.01)
    out, err = StringIO(), StringIO()
    call_command("work", "--json", stdout=out, stderr=err)
    assert json.loads(out.getvalue()) == {"job": {"done": 1}, "jobs": {}}
    assert "closed the connection" in err.getvalue()


def start_worker() -> subprocess.Popen[str]:
    """Start a real worker on the tests' own database."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "raisin_site.settings",
        "DATABASE_URL": database_url(),
        "RAISIN_HOME": str(configured.RAISIN_HOME),
        "RAISIN_WEBHOOK_PRIVATE_NETWORKS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "work", "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def database_url() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"


def wait_until(is_so: Callable[[], bool], worker: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert worker.poll() is None, worker.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.django_db(transaction=True)
def test_a_killed_workers_message_is_delivered_by_the_next(receiver: Receiver) -> None:
    receiver.delay = 60
    message = a_message(receiver)
    first = start_worker()
    try:
        wait_until(lambda: bool(receiver.bodies), first)
    finally:
        first.kill()
        first.communicate()
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("waiting", 1)
    assert message.next_attempt_at > timezone.now()

    receiver.delay = 0
    WebhookDelivery.objects.update(next_attempt_at=timezone.now())  # the lease runs out
    second = start_worker()
    try:
        wait_until(lambda: WebhookDelivery.objects.filter(state="delivered").exists(), second)
        second.terminate()
        out, _ = second.communicate(timeout=PATIENCE)
    finally:
        second.kill()
    assert second.returncode == 0
    assert json.loads(out) == IDLE | {"webhooks": {"delivered": 1}}
    assert [got["webhook-id"] for got in receiver.got] == [str(message.pk)] * 2


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_told_to_stop_ends_what_it_does(
    signal_number: int, receiver: Receiver
) -> None:
    receiver.may_answer.clear()
    message = a_message(receiver)
    left = webhooks.send_test(message.webhook, now=timezone.now())
    worker = start_worker()
    try:
        wait_until(lambda: bool(receiver.bodies), worker)
        worker.send_signal(signal_number)
        receiver.may_answer.set()
        out, err = worker.communicate(timeout=PATIENCE)
    finally:
        worker.kill()
    assert worker.returncode == 0, err
    assert json.loads(out) == IDLE | {"webhooks": {"delivered": 1}}
    message.refresh_from_db()
    left.refresh_from_db()
    assert (message.state, left.state) == ("delivered", "waiting")
    assert len(receiver.bodies) == 1


def test_it_ends_with_its_server_though_the_database_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(clock: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(work, "CHORES", {"messages": gone})
    stopping = Event()
    work.work_off(work.chores_beside(1, stopping), stopping, {})  # its parent is another
    assert stopping.is_set()
