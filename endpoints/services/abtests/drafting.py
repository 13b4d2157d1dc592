"""Keeps the plans of tests that have not been started, and records who wrote them; it starts but the classic one.

Who may is asked here of every caller, so that the admin, the pages and the REST interface share one rule.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from endpoints.errors import InvalidRequest, InvalidTransition, NotFound
from endpoints.models import ABTest, AlgorithmVersion, Endpoint, Status
from endpoints.models.abtest import TestKind, TestMetric, TestState
from endpoints.services import access, lifecycle
from endpoints.services.abtests import checking, events, sizing, standing, starting
from endpoints.services.abtests.plans import EVEN, SETTINGS
from endpoints.services.access import Caller, Need
from endpoints.services.transitions import Decision
from mlcore.sequential import rows_to_decide

ASSUMED = 0.8
"""The accuracy that is expected where no label tells one."""
CLASSIC_EFFECT = 0.05
_SIZED_BY = (
    "kind", "metric", "cost_fp", "cost_fn", "minimum_effect", "alpha", "looks", "minimum_labels",
)  # fmt: skip


def find(pk: int, *, caller: Caller, need: Need = Need.READ) -> ABTest:
    """Return the test if the caller may do this at its endpoint.

    Raises NotFound (also where its existence is nobody's business), NotAuthenticated or NotAllowed.
    """
    test = standing.reread(ABTest(pk=pk)) if 0 < pk < 2**63 else None
    if test is None or not caller.knows(test.endpoint):
        raise NotFound(f"There is no A/B test {pk}.")
    access.require(caller, need, test.endpoint)
    return test


def create(test: ABTest, *, actor: Caller, now: datetime, challenger_share: int = EVEN) -> ABTest:
    """Keep a new plan. Without a horizon it gets the one that its minimum effect asks for.

    Raises NotAllowed without Need.DRAFT_TEST, InvalidRequest naming each field that is wrong.
    """
    access.require(actor, Need.DRAFT_TEST, test.endpoint)
    test.state, test.control = TestState.DRAFT, None
    test.salt = secrets.token_hex(16)
    test.created_at, test.created_by, test.created_by_name = now, actor.person, actor.name
    complete(test, now=now, challenger_share=challenger_share)
    with transaction.atomic():
        test.save(force_insert=True)
        # Its time begins anew when the test starts.
        test.phases.create(number=1, challenger_share=challenger_share, started_at=now)
        plan = events.said(test, SETTINGS) | {"challenger_share": challenger_share}
        events.record("create_abtest", test, actor=actor, now=now, after=plan)
    return test


def configure(test: ABTest, settings: Mapping[str, Any], *, actor: Caller, now: datetime) -> bool:
    """Give a draft these settings, of which one may be its challenger_share. Returns False if it has
    them already. A horizon that was worked out follows the settings unless it is one of them.

    Raises NotAllowed without Need.DRAFT_TEST, InvalidRequest for a setting that is unknown or wrong,
    Conflict once the test has started.
    """
    access.require(actor, Need.DRAFT_TEST, test.endpoint)
    unknown = sorted(set(settings) - {*SETTINGS, "challenger_share"})
    if unknown:
        raise InvalidRequest(f"“{unknown[0][:80]}” is no setting of an A/B test.")
    with transaction.atomic():
        before = standing.locked(test)
        standing.require_draft(before)
        after, shares = revised(before, settings, now=now)
        new = [name for name in SETTINGS if getattr(after, name) != getattr(before, name)]
        if not new and shares["before"] == shares["after"]:
            return False
        if new:
            after.save(update_fields=new)
        told = {"before": events.said(before, new), "after": events.said(after, new)}
        if shares["before"] != shares["after"]:
            after.phases.update(challenger_share=shares["after"])
            for which, share in shares.items():
                told[which]["challenger_share"] = share
        events.record("change_abtest", after, actor=actor, now=now, **told)
    test.refresh_from_db()
    return True


def revised(
    draft: ABTest, settings: Mapping[str, Any], *, now: datetime
) -> tuple[ABTest, dict[str, int]]:
    """Return the plan with these settings, and its share of traffic before and after; nothing is kept.

    Raises InvalidRequest for a setting that is wrong.
    """
    before, after = standing.reread(draft), standing.reread(draft)
    share = before.phases.get().challenger_share
    shares = {"before": share, "after": settings.get("challenger_share", share)}
    open_again = {"horizon": None} if _follows(before, settings, share, now) else {}
    for name, value in ({**settings, **open_again}).items():
        if name != "challenger_share":
            setattr(after, name, value)
    complete(after, now=now, challenger_share=shares["after"])
    return after, shares


def remove(test: ABTest, *, actor: Caller, now: datetime) -> None:
    """Delete a draft. Raises NotAllowed without Need.DRAFT_TEST, Conflict once the test has started."""
    access.require(actor, Need.DRAFT_TEST, test.endpoint)
    with transaction.atomic():
        draft = standing.locked(test)
        standing.require_draft(draft)
        events.record(
            "delete_abtest", draft, actor=actor, now=now, before=events.said(draft, SETTINGS)
        )
        draft.delete()


def classic(
    endpoint: Endpoint,
    first: AlgorithmVersion,
    second: AlgorithmVersion,
    *,
    title: str,
    actor: Caller,
    now: datetime,
) -> ABTest:
    """Start a test in which half of the units are answered by the version in production, half by the
    other, which is staged on the way.

    Raises InvalidRequest for versions of another endpoint, InvalidTransition unless one of the two is
    in production and the other in testing or staging, and whatever starting a test raises.
    """
    if {first.endpoint_id, second.endpoint_id} != {endpoint.pk}:
        raise InvalidRequest(f"A test compares two versions of one endpoint, “{endpoint.slug}”.")
    access.require(actor, Need.DRAFT_TEST, endpoint)
    challenger = _challenger(endpoint, (first, second))
    test = ABTest(
        endpoint=endpoint,
        title=title,
        challenger=challenger,
        kind=TestKind.SPLIT,
        metric=TestMetric.ACCURACY,
        minimum_effect=CLASSIC_EFFECT,
    )
    with transaction.atomic():
        if challenger.status == Status.TESTING:
            lifecycle.stage(version=challenger, decision=Decision(actor=actor, now=now))
        create(test, actor=actor, now=now)
        return starting.start(test, actor=actor, now=now)


def complete(test: ABTest, *, now: datetime, challenger_share: int = EVEN) -> None:
    """Work the horizon out where it is left open, and keep nothing.

    Raises InvalidRequest for what is wrong, as `create` does.
    """
    checking.require_share(challenger_share)
    checking.require_sound(test)
    checking.require_room(test, challenger_share)
    if test.horizon is None:
        horizon = _horizon(test, challenger_share, now)
        if horizon > checking.MOST_LABELS:
            checking.refuse({"minimum_effect": _too_small(test, horizon)})
        test.horizon = horizon


def _too_small(test: ABTest, horizon: int) -> str:
    return (
        f"To find {test.minimum_effect:g} takes {horizon:,} labels of each arm; a test has "
        f"{checking.MOST_LABELS:,} at most. Give a larger difference, or a horizon."
    )


def _follows(before: ABTest, settings: Mapping[str, Any], share: int, now: datetime) -> bool:
    """Tell whether these settings change what the horizon was worked out from, and do not give one."""
    if "horizon" in settings:
        return False
    was = {name: getattr(before, name) for name in _SIZED_BY} | {"challenger_share": share}
    if all(settings.get(name, value) == value for name, value in was.items()):
        return False
    return before.horizon == _horizon(before, share, now)


def _horizon(test: ABTest, challenger_share: int, now: datetime) -> int:
    found = sizing.size(test, test.endpoint, now, challenger_share=challenger_share)
    if found.labels_needed is not None:
        return found.labels_needed
    other = min(ASSUMED + test.minimum_effect, 1.0)
    variance = 2 * (ASSUMED * (1 - ASSUMED) + other * (1 - other))
    both = rows_to_decide(test.minimum_effect, variance, alpha=test.alpha)
    return max(math.ceil(both / 2), test.minimum_labels)


def _challenger(
    endpoint: Endpoint, versions: tuple[AlgorithmVersion, AlgorithmVersion]
) -> AlgorithmVersion:
    """Return the one of two versions that is not in production, as it is kept."""
    kept = list(endpoint.versions.filter(pk__in=[version.pk for version in versions]))
    live = [version for version in kept if version.status == Status.PRODUCTION]
    others = [version for version in kept if version.status in (Status.TESTING, Status.STAGING)]
    if len(live) != 1 or len(others) != 1:
        found = " and ".join(f"{version.label} is in {version.status_word}" for version in kept)
        raise InvalidTransition(
            f"{found}; a test compares the version in production with one in testing or staging."
        )
    return others[0]
