"""The tables of the request log, which the schema editor cannot make.

In SQLite they lie in the log's own file, in PostgreSQL the requests in partitions by time. Statements may
run twice: the two files of SQLite know no common transaction.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from django.db import migrations

REQUESTS = """
    endpoint_id bigint NOT NULL,
    version_id bigint NOT NULL,
    created_at {moment} NOT NULL,
    source varchar(8) NOT NULL,
    protocol varchar(16) NOT NULL,
    caller varchar(150) NOT NULL,
    correlation_id varchar(64) NOT NULL,
    traceparent varchar(64) NOT NULL,
    row_count integer NOT NULL,
    inputs text NOT NULL,
    imputed text NOT NULL,
    probabilities text NOT NULL,
    predictions text NOT NULL,
    threshold {real} NULL,
    latency_us integer NOT NULL,
    probability {real} NULL,
    label varchar(200) NOT NULL,
    arm_id bigint NULL,
    unit varchar(128) NOT NULL,
    shadow text NOT NULL
"""
ROLL_UPS = """
    endpoint_id bigint NOT NULL,
    number integer NOT NULL,
    seconds integer NOT NULL,
    start {moment} NOT NULL,
    writer varchar(16) NOT NULL,
    requests bigint NOT NULL,
    rows bigint NOT NULL,
    two_class_rows bigint NOT NULL,
    positives bigint NOT NULL,
    latencies text NOT NULL,
    scores text NOT NULL,
    refusals text NOT NULL,
    PRIMARY KEY (endpoint_id, seconds, start, number, writer)
"""
ARM_TRAFFIC = """
    arm_id bigint NOT NULL,
    writer varchar(16) NOT NULL,
    requests bigint NOT NULL,
    rows bigint NOT NULL,
    units bigint NOT NULL,
    errors bigint NOT NULL,
    agreed bigint NOT NULL,
    latencies text NOT NULL,
    PRIMARY KEY (arm_id, writer)
"""
ARM_UNITS = """
    arm_id bigint NOT NULL,
    unit varchar(128) NOT NULL,
    PRIMARY KEY (arm_id, unit)
"""
SQLITE = {"moment": "datetime", "real": "real"}
POSTGRESQL = {"moment": "timestamp with time zone", "real": "double precision"}

IN_SQLITE = (
    f"""CREATE TABLE IF NOT EXISTS log.endpoints_predictionrequest (
    id char(32) NOT NULL PRIMARY KEY, {REQUESTS.format(**SQLITE)})""",
    """CREATE INDEX IF NOT EXISTS log.request_by_endpoint
    ON endpoints_predictionrequest (endpoint_id, id)""",
    """CREATE INDEX IF NOT EXISTS log.request_by_version
    ON endpoints_predictionrequest (version_id, id)""",
    f"""CREATE TABLE IF NOT EXISTS log.endpoints_rollup (
    {ROLL_UPS.format(**SQLITE)}) WITHOUT ROWID""",
    f"CREATE TABLE IF NOT EXISTS log.endpoints_abtraffic ({ARM_TRAFFIC}) WITHOUT ROWID",
    f"CREATE TABLE IF NOT EXISTS log.endpoints_abunit ({ARM_UNITS}) WITHOUT ROWID",
)
IN_POSTGRESQL = (
    f"""CREATE TABLE IF NOT EXISTS endpoints_predictionrequest (
    id uuid NOT NULL PRIMARY KEY, {REQUESTS.format(**POSTGRESQL)}) PARTITION BY RANGE (id)""",
    """CREATE INDEX IF NOT EXISTS request_by_endpoint
    ON endpoints_predictionrequest (endpoint_id, id)""",
    """CREATE INDEX IF NOT EXISTS request_by_version
    ON endpoints_predictionrequest (version_id, id)""",
    f"CREATE TABLE IF NOT EXISTS endpoints_rollup ({ROLL_UPS.format(**POSTGRESQL)})",
    f"CREATE TABLE IF NOT EXISTS endpoints_abtraffic ({ARM_TRAFFIC})",
    f"CREATE TABLE IF NOT EXISTS endpoints_abunit ({ARM_UNITS})",
)


def make_tables(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        make_in_sqlite(schema_editor.connection.settings_dict["LOG"])
    else:
        for statement in IN_POSTGRESQL:
            schema_editor.execute(statement)


def make_in_sqlite(log: dict[str, Any]) -> None:
    from endpoints.sqlite.base import open_log

    with closing(open_log(log)) as file:
        for statement in IN_SQLITE:
            file.execute(statement)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("endpoints", "0002_roles")]
    operations = [migrations.RunPython(make_tables, migrations.RunPython.noop, atomic=False)]
