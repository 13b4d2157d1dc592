"""The groups of people with their permissions; run again it only adds what is missing."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

from endpoints.roles import ROLES


def make_groups(apps: Any, schema_editor: Any) -> None:
    database = schema_editor.connection.alias
    ours = apps.get_app_config("endpoints")
    # Permissions come only after all migrations, and the groups need them now.
    ours.models_module = True
    create_permissions(ours, apps=apps, using=database, verbosity=0)
    ours.models_module = None
    group_model, permission_model = (
        apps.get_model("auth", name) for name in ("Group", "Permission")
    )
    permissions = permission_model.objects.using(database).filter(
        content_type__app_label="endpoints"
    )
    for name, codenames in ROLES.items():
        group, _ = group_model.objects.using(database).get_or_create(name=name)
        group.permissions.add(*permissions.filter(codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [
        ("endpoints", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
