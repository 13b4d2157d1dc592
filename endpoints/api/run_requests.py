"""What a request for a training says: as JSON about a stored dataset, or in a form beside a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from endpoints.api.fields import LARGEST_INTEGER, Number, Text
from endpoints.api.file_bodies import ReceivedFile
from endpoints.api.finite import refuse_not_finite
from endpoints.bodies import parse_json, too_large
from endpoints.errors import InvalidRequest
from endpoints.services.training_jobs import specs
from endpoints.services.training_jobs.settings import SETTINGS
from endpoints.services.words import LONGEST_NAME
from mlcore.errors import CellError

DATASET = Text(
    name="dataset", about="The id or SHA-256 of a stored dataset.", shortest=1, longest=64
)
EXPERIMENT = Text(name="experiment", about="Groups runs.", longest=LONGEST_NAME)
NAME = Text(name="name", about="What to call the run.", longest=LONGEST_NAME)
WORDS = (EXPERIMENT, NAME)
SPEC = tuple(dict.fromkeys((*specs.QUESTION, *specs.METHOD, *specs.BY_NAME)))
BESIDE_A_FILE = (*SPEC, *(field.name for field in WORDS))
NUMBERS = tuple(Number(name=setting.name, about="", most=LARGEST_INTEGER) for setting in SETTINGS)
NO_DATASET = (
    "dataset is missing: the id of a stored dataset. Or send the file itself: -F file=@table.csv."
)


@dataclass(frozen=True)
class RunRequest:
    """`dataset` is the key of a stored one; "" where the request brought its file."""

    dataset: str
    spec: Mapping[str, Any]
    experiment: str
    name: str


def read(received: ReceivedFile) -> RunRequest:
    """Read a form, or the JSON that came as the body itself."""
    if received.name:
        return _request("", received.fields)
    body = _json(received.path)
    if "dataset" not in body:
        cell = CellError(code="missing_field", message=NO_DATASET, column="dataset")
        raise InvalidRequest(NO_DATASET, cells=[cell])
    return _request(DATASET.read(body.pop("dataset")), body)


def _json(file: Path) -> dict[str, Any]:
    if file.stat().st_size > settings.RAISIN_MAX_BODY_BYTES:
        raise too_large(settings.RAISIN_MAX_BODY_BYTES)
    content = file.read_bytes()
    refuse_not_finite(content, NUMBERS)
    body = parse_json(content)
    if not isinstance(body, dict):
        raise InvalidRequest("The body is not a JSON object.")
    return body


def _request(dataset: str, given: Mapping[str, Any]) -> RunRequest:
    words = {field.name: field.read(given.get(field.name, "")) for field in WORDS}
    said = {name: value for name, value in given.items() if name not in words}
    return RunRequest(dataset, specs.read(said), **words)
