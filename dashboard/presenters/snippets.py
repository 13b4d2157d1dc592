"""Calls to copy: this endpoint's address with a row that its model accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from endpoints.models import Endpoint
from mlcore.classifier import Classifier
from mlcore.profile import ColumnProfile

Row = dict[str, float | str]
LINE = 60


@dataclass(frozen=True)
class Snippets:
    curl: str
    python: str
    needs_key: bool


def typical_row(classifier: Classifier) -> Row:
    """Return the training medians and most frequent levels."""
    return {column.name: typical_value(column) for column in classifier.profile.columns}


def typical_value(column: ColumnProfile) -> float | str:
    if column.kind == "category":
        return max(column.counts, key=lambda level: level[1])[0]
    return rounded(column.quantile(0.5))


def rounded(value: float) -> float:
    """Six significant digits: what a person would type."""
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def for_model(endpoint: Endpoint, classifier: Classifier) -> Snippets:
    """Return how to send a typical row, and what of the answer to look at."""
    answer = "probability" if classifier.is_binary else "probabilities"
    return for_endpoint(endpoint, typical_row(classifier), answer)


def for_endpoint(
    endpoint: Endpoint, row: Mapping[str, float | str], answer: str = "probability"
) -> Snippets:
    return Snippets(
        curl=curl(predict_url(endpoint), row, public=endpoint.public_predictions),
        python=python(endpoint, row, answer),
        needs_key=not endpoint.public_predictions,
    )


def predict_url(endpoint: Endpoint) -> str:
    return settings.RAISIN_URL + reverse("api:predict", args=[endpoint.slug])


def feedback_curl(endpoint: Endpoint, request_id: UUID | str, label: str) -> str:
    url = settings.RAISIN_URL + reverse("api:feedback", args=[request_id])
    return curl(url, {"label": label}, public=endpoint.public_predictions)


def curl(url: str, body: Mapping[str, float | str], *, public: bool) -> str:
    key = "" if public else ' \\\n  -H "Authorization: Bearer $RAISIN_KEY"'
    quoted = wrapped(body).replace("'", "'\\''")
    return f"curl {url}{key} \\\n  -H 'Content-Type: application/json' \\\n  -d '{quoted}'"


def wrapped(body: Mapping[str, float | str]) -> str:
    """Return the JSON in lines of at most LINE characters, broken between the cells."""
    lines = [""]
    for position, (name, value) in enumerate(body.items(), 1):
        cell = f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        cell += "," if position < len(body) else ""
        if lines[-1] and len(lines[-1]) + len(cell) > LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {cell}".strip()
    return "{" + "\n       ".join(lines) + "}"


def python(endpoint: Endpoint, row: Mapping[str, float | str], answer: str) -> str:
    cells = "".join(f"    {json.dumps(name)}: {json.dumps(row[name])},\n" for name in row)
    key = (
        ""
        if endpoint.public_predictions
        else ', "Authorization": f"Bearer {os.environ[\'RAISIN_KEY\']}"'
    )
    imports = "import json\n" + ("" if endpoint.public_predictions else "import os\n")
    return (
        f"{imports}from urllib.request import Request, urlopen\n\n"
        f"row = {{\n{cells}}}\n"
        f"request = Request(\n    {json.dumps(predict_url(endpoint))},\n"
        f"    data=json.dumps(row).encode(),\n"
        f'    headers={{"Content-Type": "application/json"{key}}},\n)\n'
        f"answer = json.load(urlopen(request))\n"
        f'print(answer["label"], answer["{answer}"], answer["request_id"])\n'
    )
