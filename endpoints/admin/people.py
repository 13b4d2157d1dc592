"""Who has which role where: memberships beside endpoints and people, added and removed, never edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import ForeignKey
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.utils import timezone

from endpoints.admin.base import KnownEndpointsFilter
from endpoints.models import Membership
from endpoints.roles import ROLES
from endpoints.services import memberships
from endpoints.services.access import Caller, Need


class _RolesAlone:
    """Offers the groups that are roles, in place of whatever groups there are."""

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        if db_field.name == "role":
            kwargs["queryset"] = Group.objects.filter(name__in=ROLES)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who gives roles takes them away: the service asks for one permission."""
        return bool(request.user.has_perm(Need.MEMBERS.value))


class MembershipInline(_RolesAlone, admin.TabularInline):
    model = Membership
    extra = 0


class KeepsMembers:
    """An admin page with MembershipInline: what is entered there goes through the service."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is not Membership:
            super().save_formset(request, form, formset, change)  # type: ignore[misc]
            return
        formset.save(commit=False)
        for gone in formset.deleted_objects:
            _remove(request, gone)
        for added in formset.new_objects:
            _add(request, added)


@admin.register(Membership)
class MembershipAdmin(_RolesAlone, admin.ModelAdmin):
    list_display = ("user", "role", "endpoint", "created_at")
    list_filter = ("role", ("endpoint", KnownEndpointsFilter))
    list_select_related = ("user", "role", "endpoint")
    search_fields = ("user__username",)
    autocomplete_fields = ("user", "endpoint")

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        _add(request, obj)
        obj.pk = Membership.objects.get(user=obj.user, endpoint=obj.endpoint, role=obj.role).pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        _remove(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for membership in queryset.select_related("user", "endpoint", "role"):
            _remove(request, membership)


admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(KeepsMembers, UserAdmin):
    inlines = (MembershipInline,)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj else ()


def _add(request: HttpRequest, membership: Membership) -> None:
    memberships.add(**_facts(membership), actor=Caller(user=request.user), now=timezone.now())


def _remove(request: HttpRequest, membership: Membership) -> None:
    memberships.remove(**_facts(membership), actor=Caller(user=request.user), now=timezone.now())


def _facts(membership: Membership) -> dict[str, Any]:
    return {name: getattr(membership, name) for name in ("user", "endpoint", "role")}
