"""The groups of people and what each may do; `override_gates` and `view_inputs` are given one by one."""

from __future__ import annotations

from types import MappingProxyType

_VIEWER = (
    "view_abtest",
    "view_alert",
    "view_alertrule",
    "view_algorithmversion",
    "view_batchjob",
    "view_dataset",
    "view_driftreport",
    "view_endpoint",
    "view_evaluation",
    "view_event",
    "view_experiment",
    "view_feedback",
    "view_monitor",
    "view_predictionrequest",
    "view_promotionrequest",
    "view_run",
    "view_statuschange",
)
_ALERTS = (
    "add_alertrule",
    "change_alert",
    "change_alertrule",
    "change_monitor",
    "delete_alertrule",
)
_TESTS = ("add_abtest", "change_abtest", "delete_abtest")

ROLES = MappingProxyType(
    {
        "viewer": _VIEWER,
        "scientist": (
            *_VIEWER,
            *_ALERTS,
            *_TESTS,
            "add_endpoint",
            "add_run",
            "manage_own_keys",
            "register_version",
            "request_promotion",
            "stage_version",
            "try_endpoint",
        ),
        "approver": (
            *_VIEWER,
            *_ALERTS,
            *_TESTS,
            "archive_version",
            "change_endpoint",
            "manage_own_keys",
            "promote_version",
            "rollback_endpoint",
            "stage_version",
            "try_endpoint",
        ),
        "analyst": (*_VIEWER, "try_endpoint"),
        "developer": (*_VIEWER, "add_feedback", "manage_own_keys", "try_endpoint"),
    }
)
"""Codenames of permissions in the app `endpoints`, by group."""
