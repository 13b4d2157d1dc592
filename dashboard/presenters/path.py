"""The regularisation path as two charts and a sentence: what each penalty would have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import formats
from dashboard.charts import DASHES, LineChart, line_chart

Report = Mapping[str, Any]
NAMED = len(DASHES)
MOST_LINES, MOST_LINES_PER_CLASS = 30, 12


@dataclass(frozen=True)
class Path:
    loss: LineChart
    weights: tuple[tuple[str, LineChart], ...]
    sentence: str
    left_out: int


def of(report: Report, classes: Sequence[str]) -> Path | None:
    """Return None for a model without a path; `classes` name the panels where there are three."""
    found = report.get("path")
    if not found or len(found["rows"]) < 2:
        return None
    rows, slots = found["rows"], report["slots"]
    nested = isinstance(rows[0]["weights"][0], list) if rows[0]["weights"] else False
    most = MOST_LINES_PER_CLASS if nested else MOST_LINES
    labels = classes if nested else ("",)
    panels = tuple(
        (
            label,
            _weights(
                slots, rows, [row["weights"][k] if nested else row["weights"] for row in rows], most
            ),
        )
        for k, label in enumerate(labels)
    )
    marks = _marks(found, report.get("lambda_"))
    return Path(
        loss=_loss(rows).marked(marks),
        weights=tuple((label, chart.marked(marks)) for label, chart in panels),
        sentence=_sentence(found, report.get("lambda_")),
        left_out=max(len(slots) - most, 0),
    )


def _loss(rows: Sequence[Report]) -> LineChart:
    losses = [row["log_loss"] for row in rows]
    errors = [row["log_loss_error"] for row in rows]
    drawn = line_chart(
        title="Log loss of rows left out",
        x_label="lambda",
        x=[row["lambda_"] for row in rows],
        series={
            "Log loss": losses,
            "One standard error less": [a - b for a, b in zip(losses, errors, strict=True)],
            "One standard error more": [a + b for a, b in zip(losses, errors, strict=True)],
        },
        y_label="approximate leave-one-out",
    )
    return drawn.with_band("one standard error").on_log_x()


def _weights(
    slots: Sequence[str], rows: Sequence[Report], weights: Sequence[Sequence[float]], most: int
) -> LineChart:
    """Return the largest coefficients in colour and the next ones in grey."""
    reach = [max(abs(row[place]) for row in weights) for place in range(len(slots))]
    order = sorted(range(len(slots)), key=lambda place: -reach[place])[:most]
    x = [row["lambda_"] for row in rows]
    drawn = line_chart(
        title="Coefficients",
        x_label="lambda",
        x=x,
        series={slots[place]: [row[place] for row in weights] for place in order[:NAMED]},
        y_label="log-odds per standard deviation",
    )
    quiet = {
        slots[place]: {at: row[place] for at, row in zip(x, weights, strict=True)}
        for place in order[NAMED:]
    }
    return drawn.with_quiet(quiet).on_log_x()


def _marks(found: Report, chosen: float | None) -> list[tuple[float, str]]:
    """Return what is marked; names of one place share a mark."""
    rows = found["rows"]
    places: dict[float, list[str]] = {}
    places.setdefault(rows[found["best"]]["lambda_"], []).append("best")
    places.setdefault(rows[found["one_se"]]["lambda_"], []).append("one SE")
    if chosen:
        near = next((x for x in places if abs(x / chosen - 1) < 1e-6), chosen)
        places.setdefault(near, []).append("in use")
    return [(x, ", ".join(names)) for x, names in places.items()]


def _sentence(found: Report, chosen: float | None) -> str:
    rows = found["rows"]
    best, simple = rows[found["best"]], rows[found["one_se"]]
    text = (
        f"Lambda {formats.brief(best['lambda_'])} does best on rows left out of the fit, with a log loss of "
        f"{formats.logloss(best['log_loss'])}; up to lambda {formats.brief(simple['lambda_'])} (“one SE”) "
        "the loss is within one standard error of that."
    )
    if found.get("edge"):
        text += (
            f" The best is the {found['edge']} lambda tried: a wider range might hold a better one."
        )
    if chosen is not None:
        used = (
            "no penalty, which has no place on this axis" if chosen == 0 else formats.brief(chosen)
        )
        text += f" This run used {'lambda ' if chosen else ''}{used}."
    return text
