"""Sends the mails, one at a time, by the server that the settings name. Only the worker imports this."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet

from endpoints.errors import InvalidRequest
from endpoints.models import EmailDelivery
from endpoints.models.delivery import State
from endpoints.services import mails, sending
from endpoints.services.sending import Outcome

NO_SERVER = "No mail server is set: see EMAIL_URL in the settings."


def deliver_one(clock: Callable[[], datetime]) -> str | None:
    """Send the mail that has been due longest; return its new state, None if there was none."""
    return sending.deliver_one(_Mails(), clock)


class _Mails:
    def due(self, now: datetime) -> QuerySet[EmailDelivery]:
        return EmailDelivery.objects.filter(state=State.WAITING, next_attempt_at__lte=now)

    def send(self, message: EmailDelivery, now: datetime) -> Outcome:
        if not settings.EMAIL_HOST:
            return Outcome(NO_SERVER)
        try:
            mails.check_address(message.to)
            _as_mail(message).send()
        except (InvalidRequest, SMTPException, OSError) as error:
            return Outcome(_in_words(error))
        return Outcome()

    def refused_for_good(self, message: EmailDelivery, reason: str, now: datetime) -> None:
        """No refusal is taken as final: a mailbox that is full today has room tomorrow."""


def _as_mail(message: EmailDelivery) -> EmailMessage:
    """The id stays over all attempts, so that a mail program shows a repetition once."""
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("<> ") or "localhost"
    headers = {"Message-ID": f"<{message.pk}@{host}>", "Auto-Submitted": "auto-generated"}
    return EmailMessage(
        subject=mails.one_line(message.subject), body=message.text, to=[message.to], headers=headers
    )


def _in_words(error: Exception) -> str:
    if isinstance(error, SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return f"The mail server refuses the address: {code} {_decoded(said)}"
    if isinstance(error, SMTPResponseException):
        return f"The mail server answered {error.smtp_code} {_decoded(error.smtp_error)}"
    if isinstance(error, InvalidRequest):
        return error.message
    return f"The mail server gave no answer: {error}."


def _decoded(said: bytes | str) -> str:
    return mails.one_line(said.decode(errors="replace") if isinstance(said, bytes) else said)
