"""Messages are signed, sent, tried again and given up; two workers never send one at the same time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from endpoints.models import Event, Webhook, WebhookDelivery
from endpoints.services import deliveries, outbound, webhooks
from endpoints.services.access import Caller
from endpoints.services.deliveries import deliver_one, sign
from endpoints.services.outbound import NotSent
from endpoints.services.sending import LEASE, RETRY_AFTER
from tests.endpoints.services.decisions import NOON
from tests.endpoints.services.receiver import Receiver, running
from tests.live import ROOT

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS = True
    with running() as receiver:
        yield receiver


@pytest.fixture
def webhook(receiver: Receiver) -> Webhook:
    webhook = Webhook(name="chat", url=receiver.url)
    webhooks.create(webhook, actor=Caller(system="alex"), now=NOON)
    return webhook


@pytest.fixture
def message(webhook: Webhook) -> WebhookDelivery:
    return webhooks.send_test(webhook, now=NOON)


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def test_it_works(message: WebhookDelivery, receiver: Receiver) -> None:
    assert deliver_one(at(NOON)) == "delivered"
    message.refresh_from_db()
    assert (message.state, message.attempts, message.response_status) == ("delivered", 1, 200)
    assert message.ended_at == NOON
    assert receiver.bodies == [message.body.encode()]
    assert receiver.got[0]["content-type"] == "application/json"
    assert deliver_one(at(NOON)) is None


def test_the_signature_is_that_of_the_standard_webhooks_vector() -> None:
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_verify_what_it_got(
    message: WebhookDelivery, webhook: Webhook, receiver: Receiver
) -> None:
    deliver_one(at(NOON))
    got, body = receiver.got[0], receiver.bodies[0].decode()
    assert got["webhook-id"] == str(message.pk)
    assert got["webhook-timestamp"] == str(int(NOON.timestamp()))
    signed = f"{got['webhook-id']}.{got['webhook-timestamp']}.{body}"
    key = base64.b64decode(webhook.secret.split("_")[1])
    mac = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    assert got["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


def the_documented_verify() -> Callable[..., None]:
    text = (ROOT / "docs" / "api.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    code = next(block for block in blocks if "def verify(" in block)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]


def test_the_documented_check_accepts_it_and_nothing_else(
    message: WebhookDelivery, webhook: Webhook, receiver: Receiver
) -> None:
    now, verify = timezone.now(), the_documented_verify()
    deliver_one(at(now))
    headers, body = receiver.got[0], receiver.bodies[0]
    verify(webhook.secret, headers, body)
    for secret, said, content in (
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", headers, body),
        (webhook.secret, headers, body + b" "),
        (webhook.secret, headers | {"webhook-id": "another"}, body),
        (webhook.secret, headers | {"webhook-timestamp": "1614265330"}, body),
    ):
        with pytest.raises(ValueError, match="secret|too old"):
            verify(secret, said, content)


def test_another_attempt_has_the_same_id_and_a_new_time(
    message: WebhookDelivery, receiver: Receiver
) -> None:
    receiver.status = 500
    deliver_one(at(NOON))
    deliver_one(at(NOON + timedelta(minutes=1)))
    first, second = receiver.got
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60
    assert first["webhook-signature"] != second["webhook-signature"]


def test_it_is_tried_again_ever_later_and_then_given_up(
    message: WebhookDelivery, receiver: Receiver
) -> None:
    receiver.status = 503
    now = NOON
    for wait in RETRY_AFTER:
        assert deliver_one(at(now)) == "waiting"
        message.refresh_from_db()
        assert message.next_attempt_at == now + wait
        assert message.problem == "The receiver answered 503."
        assert deliver_one(at(now + wait - timedelta(seconds=1))) is None
        now += wait
    assert deliver_one(at(now)) == "failed"
    message.refresh_from_db()
    assert (message.state, message.attempts, message.ended_at) == ("failed", 7, now)
    assert deliver_one(at(now + timedelta(days=365))) is None
    assert sum(RETRY_AFTER, timedelta()) == timedelta(hours=31, minutes=12, seconds=30)


@pytest.mark.parametrize("status", [201, 202, 204, 299])
def test_every_2xx_is_success(status: int, message: WebhookDelivery, receiver: Receiver) -> None:
    receiver.status = status
    assert deliver_one(at(NOON)) == "delivered"


@pytest.mark.parametrize("status", [302, 307, 400, 404, 429, 500])
def test_everything_else_is_failure(
    status: int, message: WebhookDelivery, receiver: Receiver
) -> None:
    receiver.status = status
    receiver.headers = {"Location": receiver.url}
    assert deliver_one(at(NOON)) == "waiting"
    assert len(receiver.bodies) == 1


def test_a_receiver_that_is_away_is_tried_again(message: WebhookDelivery, webhook: Webhook) -> None:
    Webhook.objects.update(url="http://127.0.0.1:1024/")
    assert deliver_one(at(NOON)) == "waiting"
    message.refresh_from_db()
    assert message.response_status is None
    assert "refused" in message.problem


def test_success_clears_the_problem_of_before(message: WebhookDelivery, receiver: Receiver) -> None:
    receiver.status = 500
    deliver_one(at(NOON))
    receiver.status = 200
    deliver_one(at(NOON + timedelta(minutes=1)))
    message.refresh_from_db()
    assert (message.state, message.problem, message.attempts) == ("delivered", "", 2)


def test_a_private_receiver_gets_nothing_once_the_setting_is_off(
    message: WebhookDelivery, receiver: Receiver, settings: Any
) -> None:
    settings.RAISIN_WEBHOOK_PRIVATE_NETWORKS = False
    assert deliver_one(at(NOON)) == "waiting"
    assert receiver.bodies == []


def test_gone_disables_the_webhook(
    message: WebhookDelivery, webhook: Webhook, receiver: Receiver
) -> None:
    waiting = webhooks.send_test(webhook, now=NOON + timedelta(seconds=1))
    receiver.status = 410
    assert deliver_one(at(NOON)) == "failed"
    webhook.refresh_from_db()
    assert not webhook.enabled
    event = Event.objects.filter(verb="change_webhook").get()
    assert (event.actor_name, event.after) == ("worker", {"enabled": False})
    assert "410" in event.reason
    assert deliver_one(at(NOON + timedelta(days=1))) is None
    Webhook.objects.update(enabled=True)
    receiver.status = 200
    assert deliver_one(at(NOON + timedelta(days=1))) == "delivered"
    waiting.refresh_from_db()
    assert waiting.state == "delivered"


def test_the_longest_due_goes_first(
    message: WebhookDelivery, webhook: Webhook, receiver: Receiver
) -> None:
    earlier = webhooks.send_test(webhook, now=NOON - timedelta(minutes=1))
    deliver_one(at(NOON))
    assert receiver.got[0]["webhook-id"] == str(earlier.pk)


def test_while_one_sends_the_others_leave_it_alone(
    message: WebhookDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []

    def post(*_: Any) -> int:
        seen.append(deliver_one(at(NOON + timedelta(seconds=11))))
        return 200

    monkeypatch.setattr(outbound, "post", post)
    assert deliver_one(at(NOON)) == "delivered"
    assert seen == [None]


def test_who_sees_it_too_late_does_not_send_it(
    message: WebhookDelivery, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker takes it between the look and the claim."""
    due = WebhookDelivery.objects.due
    stale = list(due(NOON).select_related("webhook"))
    assert deliver_one(at(NOON)) == "delivered"

    class Stale:
        def select_related(self, *_: str) -> Stale:
            return self

        def order_by(self, *_: str) -> list[WebhookDelivery]:
            return stale

    monkeypatch.setattr(WebhookDelivery.objects, "due", lambda _: Stale())
    assert deliver_one(at(NOON)) is None
    assert len(receiver.bodies) == 1


@pytest.mark.django_db(transaction=True)
def test_four_workers_share_the_messages(webhook: Webhook, receiver: Receiver) -> None:
    expected = {str(webhooks.send_test(webhook, now=NOON).pk) for _ in range(24)}

    def work() -> None:
        try:
            while WebhookDelivery.objects.due(NOON).exists():
                deliver_one(at(NOON))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    got = [headers["webhook-id"] for headers in receiver.got]
    assert len(got) == 24
    assert set(got) == expected
    assert set(WebhookDelivery.objects.values_list("state", "attempts")) == {("delivered", 1)}


class Killed(BaseException):
    """What a process feels that is killed."""


def test_a_killed_workers_message_comes_again_after_its_lease(
    message: WebhookDelivery, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(*_: Any) -> int:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(outbound, "post", post)
        with pytest.raises(Killed):
            deliver_one(at(NOON))
    assert deliver_one(at(NOON + LEASE - timedelta(seconds=1))) is None
    assert deliver_one(at(NOON + LEASE)) == "delivered"
    message.refresh_from_db()
    assert message.attempts == 2


def test_a_failure_after_a_lost_lease_does_not_undo_the_success_of_another(
    message: WebhookDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: Any) -> int:
        monkeypatch.setattr(outbound, "post", lambda *_: 200)
        assert deliver_one(at(NOON + LEASE)) == "delivered"
        raise NotSent("too late")

    monkeypatch.setattr(outbound, "post", slow)
    deliver_one(at(NOON))
    message.refresh_from_db()
    assert (message.state, message.problem) == ("delivered", "")


def test_sending_takes_less_time_than_the_lease() -> None:
    assert timedelta(seconds=outbound.SECONDS) < LEASE


def test_no_transaction_is_open_while_it_sends(
    message: WebhookDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth = len(connection.savepoint_ids)  # the test's own transaction

    def post(*_: Any) -> int:
        assert len(connection.savepoint_ids) == depth
        return 200

    monkeypatch.setattr(deliveries.outbound, "post", post)
    assert deliver_one(at(NOON)) == "delivered"
