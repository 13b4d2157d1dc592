"""Checks mail addresses and writes mails as rows; it sends nothing and knows nothing of what they tell."""

from __future__ import annotations

import re
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from endpoints.errors import InvalidRequest
from endpoints.models import Alert, EmailDelivery

LONGEST_ADDRESS, LONGEST_SUBJECT = 254, 200
# Quoted local parts may hold anything, and nobody has one.
USABLE_ADDRESS = re.compile(r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+$")


def check_address(address: str) -> None:
    """Raise InvalidRequest for what is no plain address, such as one with a name, space or line end."""
    try:
        validate_email(address)
    except ValidationError:
        is_usable = False
    else:
        is_usable = USABLE_ADDRESS.fullmatch(address) is not None
    if not is_usable or len(address) > LONGEST_ADDRESS:
        raise InvalidRequest(
            f"“{address[:80]}” is no mail address such as ana@example.org; write a domain other "
            "than ASCII in its “xn--” form."
        )


def written(
    to: str, *, subject: str, text: str, now: datetime, alert: Alert | None = None
) -> EmailDelivery:
    """Return a mail that waits, not yet stored. The subject becomes one line."""
    return EmailDelivery(
        to=to,
        subject=one_line(subject),
        text=text,
        alert=alert,
        created_at=now,
        next_attempt_at=now,
    )


def one_line(text: str) -> str:
    """Return a text without line ends and other control characters, cut to a subject's length."""
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text)
    return " ".join(plain.split())[:LONGEST_SUBJECT]
