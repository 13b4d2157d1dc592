"""What the bodies about A/B tests may hold: a plan, two versions as older clients name them, how it ends.

It knows what can be read, not what makes a sound plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from endpoints.api.decisions import REQUIRED_REASON
from endpoints.api.endpoints import MOST_MS
from endpoints.api.fields import ANY_TEXT, Choice, Field, Flag, Integer, Number, Text
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import Conclusion, Looks, TestKind, TestMetric
from endpoints.services.abtests import checking
from mlcore.assignment import BUCKETS

FEWEST_LABELS = 50
LONGEST_TITLE = 200
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"

SLUG = Text(name="endpoint", about="The slug.", shortest=1, longest=64, required=True)
CHALLENGER = Integer(
    name="challenger",
    about="The number of B, a version in testing or staging; A is the version in production.",
    least=1,
    required=True,
)
TITLE = Text(
    name="title",
    about="For people; left out, it names the versions.",
    pattern=ONE_LINE,
    made_of="in one line",
    shortest=1,
    longest=LONGEST_TITLE,
)
SHARE = Integer(
    name="challenger_share",
    about="Basis points of the units that B answers in a split test; a bandit begins with it.",
    least=1,
    most=BUCKETS - 1,
)
SETTINGS: Sequence[Field] = (
    TITLE,
    Choice(
        name="kind",
        about="shadow: A answers, B scores the same rows unseen. split: each unit is answered by one of them. "
        "bandit: a split in which the better one gets more and more.",
        choices=TestKind.values,
    ),
    SHARE,
    Integer(
        name="floor",
        about="Basis points of the units that each arm of a bandit keeps.",
        least=100,
        most=4_900,
    ),
    Choice(name="metric", about="What decides.", choices=TestMetric.values),
    Number(
        name="cost_fp", about="Of a false positive; for expected_cost.", most=checking.MOST_COST
    ),
    Number(
        name="cost_fn", about="Of a false negative; for expected_cost.", most=checking.MOST_COST
    ),
    Number(
        name="margin",
        about="A difference up to this does not matter; in the metric's units.",
        most=checking.MOST_COST,
    ),
    Number(
        name="minimum_effect",
        about="The difference that the test should be able to find.",
        least=0.0001,
        most=checking.MOST_COST,
    ),
    Number(name="alpha", about="0.05 is 95 % certainty.", least=0.0001, most=0.5),
    Choice(
        name="looks",
        about="When its interval may decide; at any time or once.",
        choices=Looks.values,
    ),
    Integer(
        name="minimum_labels",
        about="Of each arm; nothing is shown or decided before.",
        least=FEWEST_LABELS,
        most=checking.MOST_LABELS,
    ),
    Integer(
        name="horizon",
        about="It ends at so many labels of the smaller arm, or labelled pairs; null or left out: as many as "
        "minimum_effect needs.",
        least=FEWEST_LABELS,
        most=checking.MOST_LABELS,
        nullable=True,
    ),
    Integer(
        name="most_days",
        about="It ends then at the latest; null: no limit.",
        least=1,
        most=checking.TEN_YEARS,
        nullable=True,
    ),
    Integer(
        name="maturation_hours",
        about="A request counts with its label only when it is this old.",
        most=checking.A_YEAR,
    ),
    Number(
        name="latency_limit_ms",
        about="Guardrail: the 95th percentile of B's latency; null: none.",
        least=0.001,
        most=MOST_MS,
        nullable=True,
    ),
    Number(
        name="error_margin",
        about="Guardrail: B's share of failed requests, at most this far above A's; null: none.",
        most=1.0,
        nullable=True,
    ),
    Number(
        name="brier_margin",
        about="Guardrail: B's Brier score, at most this far above A's; null: none.",
        most=2.0,
        nullable=True,
    ),
    Flag(
        name="auto_promote",
        about="Stop by itself when it is decided, and promote B if B is better and no gate fails.",
    ),
)
PLAN = (SLUG, CHALLENGER, *SETTINGS)
CHANGES = (replace(CHALLENGER, required=False), *SETTINGS)

PARENTS = ("parent_mlalgorithm_1", "parent_mlalgorithm_2")
CLASSIC = (
    replace(TITLE, about="For people.", required=True),
    *(
        Integer(name=name, about="The id of a version, see mlalgorithms.", least=1, required=True)
        for name in PARENTS
    ),
    Text(
        name="created_by",
        about="Not read: whoever calls has created it.",
        pattern=ANY_TEXT,
        longest=LONGEST_TITLE,
        nullable=True,
    ),
)
"""Two versions and a title: half of the units each, at once."""

NEW_SHARE = (replace(SHARE, required=True), REQUIRED_REASON)
STOP = (
    Choice(name="conclusion", about="What came out.", choices=Conclusion.values, required=True),
    REQUIRED_REASON,
    Choice(
        name="serves",
        about="Who answers afterwards: control, unless it is said; challenger promotes B, if no gate fails.",
        choices=ArmName.values,
    ),
)
