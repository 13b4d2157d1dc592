"""Who outside is told of status changes, and every message to them with what became of it."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

from endpoints.models.delivery import Delivery
from endpoints.models.endpoint import Endpoint


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def told_of(self, endpoint: Endpoint) -> WebhookQuerySet:
        ours = models.Q(endpoint=None) | models.Q(endpoint=endpoint)
        return self.filter(ours, enabled=True)


class Webhook(models.Model):
    """An address that gets a signed message for each status change."""

    name = models.CharField(max_length=80)
    # No URLField: it refuses the one-word host names of a private network.
    url = models.CharField("URL", max_length=500)
    endpoint = models.ForeignKey(
        Endpoint,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        help_text="Empty: it is told of every endpoint.",
    )
    secret = models.CharField(max_length=80, editable=False)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class DeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def waiting(self) -> DeliveryQuerySet:
        return self.filter(state=WebhookDelivery.State.WAITING)

    def due(self, now: datetime) -> DeliveryQuerySet:
        """What waits for a webhook that is disabled is not due until it is enabled again."""
        return self.waiting().filter(webhook__enabled=True, next_attempt_at__lte=now)


class WebhookDelivery(Delivery):
    webhook = models.ForeignKey(Webhook, on_delete=models.PROTECT, related_name="deliveries")
    alert = models.ForeignKey(
        "endpoints.Alert",
        null=True,
        on_delete=models.SET_NULL,
        related_name="webhook_deliveries",
        help_text="That it tells of; most tell of something else.",
    )
    body = models.TextField(help_text="The very bytes that are signed and sent.")
    response_status = models.PositiveIntegerField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta(Delivery.Meta):
        verbose_name_plural = "webhook deliveries"

    def __str__(self) -> str:
        return f"{self.webhook}: {self.get_state_display()}"
