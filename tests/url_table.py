"""Who gets what at each address: the one table of the site, walked by test_urls_by_role.py.

A line is a URL name, or the address where it has none, a method, and those who come in. Everybody else
is refused in the one way that fits them: a page sends the unknown to the login, the REST interface and
the protocols answer them 401, and known ones get 403. Who belongs to another endpoint alone (`NEIGHBOUR`,
a person; `KEY_ELSEWHERE`) gets 404 wherever the address names something of an endpoint for members only,
as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.dashboard.stored import ANSWERS
from tests.live import ROW

UNKNOWN = "unknown"  # no login, no key
OUTSIDER = "outsider"  # a login without any role
VIEWER, SCIENTIST, APPROVER = "viewer", "scientist", "approver"
ANALYST, DEVELOPER = "analyst", "developer"
ADMIN = "admin"
NEIGHBOUR = "neighbour"  # all roles, at another endpoint
KEY_PREDICT, KEY_FEEDBACK, KEY_READ = "key:predict", "key:feedback", "key:read"
KEY_MANAGE = "key:manage"  # an approver's, without other scopes
KEY_ELSEWHERE = "key:elsewhere"  # an administrator's, of another endpoint, with every scope

Group = frozenset[str]


def group(*who: str) -> Group:
    return frozenset(who)


NOBODY = group()
ROLES = group(VIEWER, SCIENTIST, APPROVER, ANALYST, DEVELOPER)
READERS = ROLES | {ADMIN}
PEOPLE = READERS | {OUTSIDER, NEIGHBOUR}
EVERYBODY = PEOPLE | {UNKNOWN}
STRANGERS = group(NEIGHBOUR, KEY_ELSEWHERE)
KEYS = group(KEY_PREDICT, KEY_FEEDBACK, KEY_READ, KEY_MANAGE, KEY_ELSEWHERE)

TRIERS = READERS - {VIEWER}
LABELLERS = group(DEVELOPER, ADMIN)
SCIENTISTS = group(SCIENTIST, ADMIN)
STAGERS = group(SCIENTIST, APPROVER, ADMIN)
APPROVERS = group(APPROVER, ADMIN)
KEY_OWNERS = group(SCIENTIST, APPROVER, DEVELOPER, ADMIN)

# At the REST interface a key comes in where its scopes, or with `manage` its maker's role, reach.
READ = READERS | {KEY_READ, KEY_MANAGE}
LISTS = READ | STRANGERS  # of what they may know: other rows, the same address
APPROVE = APPROVERS | {KEY_MANAGE}
STAGE = STAGERS | {KEY_MANAGE}

ASK = TRIERS | {KEY_PREDICT, KEY_MANAGE}
NOT_THEIRS = (PEOPLE | KEYS) - {ADMIN}

LABELS = {"feedback": [{"request_id": "{request_id}", "label": "Besni"}]}
REASON = {"reason": "because the table says so"}
RULE = {"name": "x", "metric": "requests", "comparator": "below", "limit": 1}
NO_FORM: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Line:
    name: str
    method: str
    who: Group
    body: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""
    otherwise: str = ""  # what all others get, where it is neither the login nor 401, 403 or 404
    absent: Group = NOBODY  # who would come in, but finds nothing that is theirs

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


PAGES = (
    Line("dashboard:home", "GET", PEOPLE),
    Line("dashboard:endpoint", "GET", READERS),
    Line("dashboard:versions", "GET", READERS),
    Line("dashboard:timeline_csv", "GET", READERS),
    Line("dashboard:upload", "GET", SCIENTISTS),
    Line("dashboard:upload", "POST", SCIENTISTS),
    Line("dashboard:version", "GET", READERS),
    Line("dashboard:review", "GET", READERS, query="to=production"),
    Line("dashboard:review", "POST", SCIENTISTS, {"to": "staging", "verb": "request"}),
    Line("dashboard:review", "POST", STAGERS, {"to": "testing", "verb": "withdraw"}),
    Line("dashboard:review", "POST", APPROVERS, {"to": "testing", "verb": "reject"}),
    Line("dashboard:review", "POST", APPROVERS, {"to": "production"}),
    Line("dashboard:review", "POST", APPROVERS, {"to": "archived"}),
    Line("dashboard:card", "GET", READERS),
    Line("dashboard:card_edit", "GET", STAGERS),
    Line("dashboard:card_edit", "POST", STAGERS, {"intended_use": "x", "limits": "y"}),
    Line("dashboard:summary", "GET", READERS),
    Line("dashboard:summary_md", "GET", READERS),
    Line("dashboard:evaluate", "GET", SCIENTISTS),
    Line("dashboard:evaluate", "POST", SCIENTISTS, {"rows": "holdout"}),
    Line("dashboard:bundle", "GET", READERS),
    Line("dashboard:predictions", "GET", READERS),
    Line("dashboard:predictions_csv", "GET", READERS),
    Line("dashboard:prediction", "GET", READERS),
    Line("dashboard:prediction", "POST", LABELLERS, {"row": "0", "label": "Besni"}),
    Line("dashboard:drift", "GET", READERS),
    Line("dashboard:drift", "POST", STAGERS),
    Line("dashboard:check", "GET", TRIERS),
    Line("dashboard:check", "POST", TRIERS),
    Line("dashboard:try", "GET", TRIERS),
    Line("dashboard:try", "POST", TRIERS, {f"column_{i}": v for i, v in enumerate(ROW.values())}),
    Line("dashboard:alerts", "GET", PEOPLE),
    Line("dashboard:alert", "GET", READERS),
    Line("dashboard:alert", "POST", STAGERS, {"note": "seen"}),
    Line("dashboard:alert", "POST", STAGERS, {"hours": "24"}),
    Line("dashboard:endpoint_alerts", "GET", READERS),
    Line("dashboard:endpoint_alerts", "POST", STAGERS),
    Line("dashboard:tests", "GET", READERS),
    Line("dashboard:new_test", "GET", STAGERS),
    Line("dashboard:new_test", "POST", STAGERS, {"challenger": "2"}),
    Line("dashboard:test", "GET", READERS),
    Line("dashboard:edit_test", "GET", STAGERS),
    Line("dashboard:edit_test", "POST", STAGERS, {"challenger": "2"}),
    Line("dashboard:delete_test", "GET", STAGERS),
    Line("dashboard:delete_test", "POST", STAGERS),
    Line("dashboard:start_test", "GET", APPROVERS),
    Line("dashboard:start_test", "POST", APPROVERS),
    Line("dashboard:share_test", "GET", APPROVERS),
    Line("dashboard:share_test", "POST", APPROVERS, {"challenger_share": "20", **REASON}),
    Line("dashboard:stop_test", "GET", APPROVERS),
    Line("dashboard:stop_test", "POST", APPROVERS, {"conclusion": "a_wins", **REASON}),
    Line("dashboard:batches", "GET", TRIERS | {NEIGHBOUR}),
    Line("dashboard:batches", "POST", TRIERS | {NEIGHBOUR}, {"endpoint": "raisin"}),
    Line("dashboard:earlier_batches", "GET", TRIERS | {NEIGHBOUR}),
    Line("dashboard:earlier_batches", "POST", TRIERS | {NEIGHBOUR}, {"endpoint": "raisin"}),
    Line("dashboard:batch_template", "GET", TRIERS),
    Line("dashboard:batch", "GET", group(ADMIN), absent=NOT_THEIRS),
    Line("dashboard:batch", "POST", group(ADMIN), {"log_rows": "on"}, absent=NOT_THEIRS),
    Line("dashboard:cancel_batch", "GET", group(ADMIN), absent=NOT_THEIRS),
    Line("dashboard:cancel_batch", "POST", group(ADMIN), absent=NOT_THEIRS),
    Line("dashboard:delete_batch", "GET", group(ADMIN), absent=NOT_THEIRS),
    Line("dashboard:delete_batch", "POST", group(ADMIN), absent=NOT_THEIRS),
    Line("dashboard:rerun_batch", "POST", group(ADMIN), {"version": "2"}, absent=NOT_THEIRS),
    Line("dashboard:batch_results", "GET", group(ADMIN), absent=NOT_THEIRS),
    Line("dashboard:batch_errors", "GET", group(ADMIN), absent=NOT_THEIRS),
    Line("dashboard:runs", "GET", READERS | {NEIGHBOUR}),
    Line("dashboard:runs_csv", "GET", READERS | {NEIGHBOUR}),
    Line("dashboard:compare", "GET", READERS | {NEIGHBOUR}),
    Line("dashboard:run", "GET", READERS),
    Line("dashboard:cancel_run", "GET", SCIENTISTS),
    Line("dashboard:cancel_run", "POST", SCIENTISTS),
    Line("dashboard:train_again", "POST", SCIENTISTS),
    Line("dashboard:train", "GET", SCIENTISTS),
    Line("dashboard:train", "POST", SCIENTISTS),
    Line("dashboard:train_on", "GET", SCIENTISTS),
    Line("dashboard:train_on", "POST", SCIENTISTS, ANSWERS),
    Line("dashboard:datasets", "GET", READERS | {NEIGHBOUR}),
    Line("dashboard:dataset", "GET", READERS),
    Line("dashboard:archive_dataset", "POST", SCIENTISTS),
    Line("dashboard:register", "GET", SCIENTISTS),
    Line("dashboard:register", "POST", SCIENTISTS, {"endpoint": "raisin"}),
    Line("dashboard:archive_run", "POST", SCIENTISTS),
    Line("dashboard:restore_run", "POST", SCIENTISTS),
    Line("dashboard:account", "GET", PEOPLE),
    Line("dashboard:account", "POST", KEY_OWNERS | {NEIGHBOUR}, {"name": "x", "days": "0"}),
    Line("dashboard:theme", "POST", PEOPLE, {"theme": "dark"}),
    Line("dashboard:revoke_key", "GET", NOBODY, absent=PEOPLE),
    Line("dashboard:revoke_key", "POST", NOBODY, absent=PEOPLE),
    Line("login", "GET", EVERYBODY),
    Line("login", "POST", EVERYBODY, {"username": "nobody", "password": "wrong"}),
    Line("login_link", "GET", NOBODY, otherwise="login"),
    Line("logout", "POST", NOBODY, otherwise="login"),
    Line("password_change", "GET", PEOPLE),
    Line("password_change", "POST", PEOPLE),
    Line("password_change_done", "GET", PEOPLE),
    Line("admin:index", "GET", group(ADMIN), otherwise="login"),
)

REST = (
    Line("api:openapi", "GET", EVERYBODY | KEYS),
    Line("api:endpoints", "GET", LISTS),
    Line("api:endpoints", "POST", SCIENTISTS, {"slug": "another", "name": "Another"}),
    Line("api:endpoint", "GET", READ),
    Line("api:endpoint", "PATCH", APPROVE, {"description": "another"}),
    Line("api:pause", "POST", APPROVE, REASON),
    Line("api:resume", "POST", APPROVE, REASON),
    Line("api:rollback", "POST", APPROVE, REASON),
    Line("api:changes", "GET", READ),
    Line("api:production", "GET", READ),
    Line("api:performance", "GET", READ),
    Line("api:drift_reports", "GET", READ),
    Line("api:drift_report", "GET", READ),
    Line("api:recompute_drift", "POST", STAGE),
    Line("api:monitor", "GET", READ),
    Line("api:monitor", "PATCH", STAGE, {"alpha": 0.02}),
    Line("api:versions", "GET", READ),
    Line("api:versions", "POST", SCIENTISTS, {"run": "{run_id}"}),
    Line("api:version", "GET", READ),
    Line("api:version", "PATCH", STAGE, {"note": "another"}),
    Line("api:bundle", "GET", READ),
    Line("api:card", "GET", READ),
    Line("api:gates", "GET", READ),
    Line("api:lineage", "GET", READ),
    Line("api:stage", "POST", STAGE, REASON),
    Line("api:request", "POST", SCIENTISTS, REASON),
    Line("api:withdraw", "POST", STAGE, REASON),
    Line("api:reject", "POST", APPROVE, REASON),
    Line("api:promote", "POST", APPROVE, REASON),
    Line("api:archive", "POST", APPROVE, REASON),
    Line("api:restore", "POST", APPROVE, REASON),
    Line("api:promotion_requests", "GET", LISTS),
    Line("api:runs", "GET", LISTS),
    Line("api:runs", "POST", SCIENTISTS, {"dataset": "{dataset_id}", "target": "Class"}),
    Line("api:run", "GET", READ),
    Line("api:cancel_run", "POST", SCIENTISTS),
    Line("api:train_again", "POST", SCIENTISTS),
    Line("api:datasets", "GET", LISTS),
    Line("api:datasets", "POST", SCIENTISTS, {"Area": 3}),
    Line("api:dataset", "GET", READ),
    Line("api:archive_dataset", "POST", SCIENTISTS),
    Line("api:feedback", "POST", LABELLERS | {KEY_FEEDBACK}, {"label": "Besni"}),
    Line("api:feedback_list", "POST", LABELLERS | {KEY_FEEDBACK} | STRANGERS, LABELS),
    Line("api:endpoint_feedback", "POST", LABELLERS | {KEY_FEEDBACK}, LABELS),
    Line("api:feedback_list", "POST", LABELLERS | {KEY_FEEDBACK} | STRANGERS, {"feedback": []}),
    Line("api:endpoint_feedback", "POST", LABELLERS | {KEY_FEEDBACK}, {"feedback": []}),
    Line("api:predict", "POST", TRIERS | {KEY_PREDICT, KEY_MANAGE}, ROW),
    Line("api:explain", "POST", TRIERS | {KEY_PREDICT, KEY_MANAGE}, ROW),
    Line("api:monitor_rows", "POST", TRIERS | {KEY_PREDICT, KEY_MANAGE}, {"rows": [ROW]}),
    Line("api:features", "GET", TRIERS | {KEY_PREDICT, KEY_MANAGE}),
    Line("api:plot", "GET", TRIERS | {KEY_PREDICT, KEY_MANAGE}),
    Line("api:model_openapi", "GET", TRIERS | {KEY_PREDICT, KEY_MANAGE}),
    Line("api:batch_predict", "POST", ASK, query="endpoint=raisin", absent=STRANGERS),
    Line("api:batch_template", "GET", ASK),
    # A job is its sender's, and theirs who may see the inputs at its endpoint: here an administrator.
    Line("api:batches", "GET", PEOPLE | KEYS),
    Line("api:batch", "GET", group(ADMIN), absent=NOT_THEIRS),
    Line("api:batch", "DELETE", group(ADMIN), absent=NOT_THEIRS),
    Line("api:batch_start", "POST", group(ADMIN), absent=NOT_THEIRS),
    Line("api:batch_cancel", "POST", group(ADMIN), absent=NOT_THEIRS),
    Line("api:batch_rerun", "POST", group(ADMIN), absent=NOT_THEIRS),
    Line("api:batch_results", "GET", group(ADMIN), absent=NOT_THEIRS),
    Line("api:batch_errors", "GET", group(ADMIN), absent=NOT_THEIRS),
    Line("api:alerts", "GET", LISTS),
    Line("api:acknowledge", "POST", STAGE, {"note": "seen"}),
    Line("api:alert_rules", "GET", READ),
    Line("api:alert_rules", "POST", STAGE, RULE),
    Line("api:alert_rule", "GET", READ),
    Line("api:alert_rule", "PATCH", STAGE, {"limit": 2}),
    Line("api:alert_rule", "DELETE", STAGE),
    Line("api:test_alert_rule", "POST", STAGE),
    Line("api:mute_alert_rule", "POST", STAGE, {"until": None}),
    Line("api:keys", "GET", KEY_OWNERS | {KEY_MANAGE} | STRANGERS),
    Line(
        "api:keys",
        "POST",
        KEY_OWNERS | {KEY_MANAGE, NEIGHBOUR},
        {"name": "x", "scopes": ["manage"]},
    ),
    Line("api:key", "DELETE", NOBODY, absent=KEY_OWNERS | {KEY_MANAGE} | STRANGERS),
    Line("api:mlalgorithms", "GET", LISTS),
    Line("api:mlalgorithm", "GET", READ),
    Line("api:mlalgorithmstatuses", "GET", LISTS),
    Line("api:mlalgorithmstatus", "GET", READ),
    Line("api:mlrequests", "GET", LISTS),
    Line("api:mlrequest", "GET", READ),
    Line("api:abtests", "GET", LISTS),
    Line("api:abtests", "POST", STAGE, {"endpoint": "raisin", "challenger": 2}, absent=STRANGERS),
    Line("api:abtest", "GET", READ),
    Line("api:abtest", "PATCH", STAGE, {"title": "another"}),
    Line("api:abtest", "DELETE", STAGE),
    Line("api:abtest_export", "GET", READ),
    Line("api:abtest_start", "POST", APPROVE),
    Line("api:abtest_share", "POST", APPROVE, REASON | {"challenger_share": 1_000}),
    Line("api:abtest_stop", "POST", APPROVE, REASON | {"conclusion": "a_wins"}),
    Line("api:stop_ab_test", "POST", APPROVE),
)

# The protocols of other servers know keys and no sessions: a person without a key is unknown to them.
ASKERS = group(KEY_PREDICT, KEY_MANAGE)
INSTANCES = {"instances": [ROW]}
TENSOR = {
    "inputs": [
        {
            "name": "rows",
            "datatype": "FP64",
            "shape": [1, 7],
            "data": list(map(float, ROW.values())),
        }
    ]
}

PROTOCOLS = (
    Line("mlflow_invocations", "POST", ASKERS, INSTANCES),
    Line("mlflow_ping", "GET", ASKERS),
    Line("mlflow_health", "GET", ASKERS),
    Line("mlflow_version", "GET", ASKERS),
    Line("v1_model", "GET", ASKERS),
    Line("v1_predict", "POST", ASKERS, INSTANCES),
    Line("v1_explain", "POST", ASKERS, INSTANCES),
    Line("v1_version", "GET", ASKERS),
    Line("v1_version_predict", "POST", ASKERS, INSTANCES),
    Line("v1_version_explain", "POST", ASKERS, INSTANCES),
    Line("v2_server", "GET", KEYS | {UNKNOWN}),
    Line("v2_model", "GET", ASKERS),
    Line("v2_model_version", "GET", ASKERS),
    Line("v2_ready", "GET", ASKERS),
    Line("v2_ready_version", "GET", ASKERS),
    Line("v2_infer", "POST", ASKERS, TENSOR),
    Line("v2_infer_version", "POST", ASKERS, TENSOR),
    Line("/v2/", "GET", KEYS | {UNKNOWN}),
    Line("v2_index", "POST", KEYS | {UNKNOWN}),
    Line("v2_load", "POST", NOBODY, otherwise="403"),
    Line("v2_unload", "POST", NOBODY, otherwise="403"),
    # One endpoint at the root: none is set here, so there is nothing.
    Line("/predict", "POST", NOBODY, ROW, otherwise="404"),
    Line("/monitor", "POST", NOBODY, ROW, otherwise="404"),
    Line("/features", "GET", NOBODY, otherwise="404"),
    Line("/plot", "GET", NOBODY, otherwise="404"),
    Line("/health", "GET", NOBODY, otherwise="404"),
    Line("/ping", "GET", NOBODY, otherwise="404"),
    Line("/version", "GET", NOBODY, otherwise="404"),
    Line("/invocations", "POST", NOBODY, INSTANCES, otherwise="404"),
    # For whoever runs the process.
    Line("/healthz", "GET", KEYS | {UNKNOWN}),
    Line("/readyz", "GET", KEYS | {UNKNOWN}),
    Line("/v2/health/live", "GET", KEYS | {UNKNOWN}),
    Line("/v2/health/ready", "GET", KEYS | {UNKNOWN}),
    Line("/metrics", "GET", group(KEY_READ, KEY_MANAGE, KEY_ELSEWHERE)),
)
