"""Mails go out through a real mail server, are tried again and given up; nothing can be smuggled in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from endpoints.errors import InvalidRequest
from endpoints.models import EmailDelivery
from endpoints.services import mail_deliveries, mails, sending
from endpoints.services.sending import LEASE, RETRY_AFTER
from tests.endpoints.services.alerts.made import at
from tests.endpoints.services.decisions import NOON
from tests.endpoints.services.mail_server import MailServer, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with running() as box:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        settings.DEFAULT_FROM_EMAIL = "Raisin <raisin@example.org>"
        yield box


def a_mail(**facts: Any) -> EmailDelivery:
    defaults = {"to": "ana@example.org", "subject": "A test", "text": "Größe: 3\n", "now": NOON}
    mail = mails.written(**defaults | facts)
    mail.save(force_insert=True)
    return mail


def test_it_works(server: MailServer) -> None:
    mail = a_mail()
    assert mail_deliveries.deliver_one(at(NOON)) == "delivered"
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.ended_at, mail.problem) == ("delivered", 1, NOON, "")
    [got] = server.mails
    assert server.recipients == ["ana@example.org"]
    assert (got["To"], got["Subject"]) == ("ana@example.org", "A test")
    assert got["From"] == "Raisin <raisin@example.org>"
    assert got["Message-ID"] == f"<{mail.pk}@example.org>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got.get_content().strip() == "Größe: 3"
    assert mail_deliveries.deliver_one(at(NOON)) is None


def test_without_a_mail_server_it_waits_and_says_so(settings: Any) -> None:
    settings.EMAIL_HOST = ""
    mail = a_mail()
    assert mail_deliveries.deliver_one(at(NOON)) == "waiting"
    mail.refresh_from_db()
    assert mail.problem == "No mail server is set: see EMAIL_URL in the settings."
    assert mail.next_attempt_at == NOON + RETRY_AFTER[0]


def test_ten_answers_of_a_slow_server_come_within_the_lease(settings: Any) -> None:
    assert LEASE.total_seconds() > 10 * settings.EMAIL_TIMEOUT


def test_a_refused_address_is_tried_again_with_the_servers_words(server: MailServer) -> None:
    server.refuses = "550 no such box"
    mail = a_mail()
    assert mail_deliveries.deliver_one(at(NOON)) == "waiting"
    mail.refresh_from_db()
    assert mail.problem == "The mail server refuses the address: 550 no such box"
    assert server.mails == []
    server.refuses = ""
    assert mail_deliveries.deliver_one(at(NOON + timedelta(minutes=1))) == "delivered"
    mail.refresh_from_db()
    assert (mail.attempts, mail.problem) == (2, "")


def test_a_server_that_is_away_is_tried_ever_later_and_then_given_up(
    server: MailServer, settings: Any
) -> None:
    settings.EMAIL_PORT = 1
    mail = a_mail()
    now = NOON
    for wait in RETRY_AFTER:
        assert mail_deliveries.deliver_one(at(now)) == "waiting"
        now += wait
    assert mail_deliveries.deliver_one(at(now)) == "failed"
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.ended_at) == ("failed", 7, now)
    assert "The mail server gave no answer" in mail.problem


def test_a_killed_workers_mail_comes_again_after_its_lease(server: MailServer) -> None:
    mail = a_mail()
    EmailDelivery.objects.update(next_attempt_at=NOON + LEASE, attempts=1)
    assert mail_deliveries.deliver_one(at(NOON)) is None
    assert mail_deliveries.deliver_one(at(NOON + LEASE)) == "delivered"
    mail.refresh_from_db()
    assert mail.attempts == 2


def test_what_was_given_up_can_be_sent_again(server: MailServer) -> None:
    a_mail()
    EmailDelivery.objects.update(state="failed", attempts=7, problem="away", ended_at=NOON)
    assert sending.again(EmailDelivery.objects.all(), now=NOON) == 1
    assert mail_deliveries.deliver_one(at(NOON)) == "delivered"


@pytest.mark.parametrize(
    "address",
    ["ana@example.org", "a.b+c@mail.example.org", "root@localhost", "x_y@xn--bcher-kva.example"],
)
def test_a_plain_address_is_taken(address: str) -> None:
    mails.check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "ana@",
        "@example.org",
        "ana@example.org\nBcc: all@example.org",
        "ana@example.org\r\n",
        "ana@example.org,bob@example.org",
        "Ana <ana@example.org>",
        '"a b"@example.org',
        "ana@exam ple.org",
        "änä@example.org",
        f"{'a' * 250}@example.org",
    ],
)
def test_anything_else_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="no mail address"):
        mails.check_address(address)


def test_a_subject_is_one_line(server: MailServer) -> None:
    a_mail(subject="Drift\r\nBcc: all@example.org\r\n\r\nbody")
    assert mail_deliveries.deliver_one(at(NOON)) == "delivered"
    [got] = server.mails
    assert got["Subject"] == "Drift Bcc: all@example.org body"
    assert got["Bcc"] is None
    assert len(server.recipients) == 1


def test_an_address_that_came_by_another_way_is_not_written_to(server: MailServer) -> None:
    EmailDelivery.objects.create(
        to="ana@example.org\nBcc: all@example.org",
        subject="x",
        text="x",
        created_at=NOON,
        next_attempt_at=NOON,
    )
    assert mail_deliveries.deliver_one(at(NOON)) == "waiting"
    assert (server.mails, server.recipients) == ([], [])


def test_a_line_with_a_single_dot_does_not_end_the_text(server: MailServer) -> None:
    a_mail(text="before\n.\nafter\n")
    mail_deliveries.deliver_one(at(NOON))
    assert "after" in server.mails[0].get_content()
