"""Webhooks, whose secret is shown once, and what became of each message to them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from endpoints.admin.base import KnownEndpointsFilter, ReadOnlyAdmin
from endpoints.errors import DomainError
from endpoints.models import Webhook, WebhookDelivery
from endpoints.models.webhook import DeliveryQuerySet
from endpoints.services import addresses, webhooks
from endpoints.services.access import Caller
from endpoints.services.addresses import UnusableUrl

NOT_AGAIN = "The others are about to be sent anyway, or their webhook is disabled: enable it first."


class WebhookForm(forms.ModelForm):
    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        if "url" not in self.changed_data:  # the setting that allowed it may be off by now
            return url
        try:
            addresses.parse(url)
        except UnusableUrl as error:
            raise forms.ValidationError(str(error)) from error
        return url


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin):
    form = WebhookForm
    fields = ("name", "url", "endpoint", "enabled")
    list_display = ("name", "host", "endpoint", "enabled", "created_by", "created_at")
    list_filter = ("enabled", ("endpoint", KnownEndpointsFilter))
    list_select_related = ("endpoint", "created_by")
    search_fields = ("name", "url")
    actions = ("send_test",)

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        actor, now = Caller(user=request.user), timezone.now()
        if change:
            webhooks.change(obj, actor=actor, now=now)
            return
        secret = webhooks.create(obj, actor=actor, now=now)
        self.message_user(
            request,
            f"The secret that the messages are signed with: {secret} "
            "Give it to the receiver now; it is not shown again.",
            messages.WARNING,
        )

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        webhooks.remove(obj, actor=Caller(user=request.user), now=timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Webhook | None = None) -> bool:
        """A webhook with messages is history; it can be disabled."""
        return (
            super().has_delete_permission(request, obj)
            and obj is not None
            and not obj.deliveries.exists()
        )

    @admin.display(ordering="url")
    def host(self, webhook: Webhook) -> str:
        return addresses.origin(webhook.url)

    @admin.action(description="Send a test message", permissions=["change"])
    def send_test(self, request: HttpRequest, chosen: QuerySet[Webhook]) -> None:
        for webhook in chosen:
            try:
                webhooks.send_test(webhook, now=timezone.now())
            except DomainError as error:
                self.message_user(request, error.message, messages.ERROR)
            else:
                self.message_user(request, f"The worker sends a test message to “{webhook}”.")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "webhook",
        "state",
        "attempts",
        "response_status",
        "problem",
        "next_attempt_at",
        "ended_at",
    )
    list_filter = ("state", "webhook")
    list_select_related = ("webhook",)
    search_fields = ("=id", "body")
    date_hierarchy = "created_at"
    show_full_result_count = False
    actions = ("send_again",)

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, chosen: DeliveryQuerySet) -> None:
        asked = chosen.count()
        count = webhooks.send_again(chosen, now=timezone.now())
        text = f"The worker sends {count} of the {asked} chosen again."
        if count < asked:
            text += f" {NOT_AGAIN}"
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("endpoints.change_webhook")
