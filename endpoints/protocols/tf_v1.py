"""The prediction protocol of TensorFlow Serving, which is KServe's version 1: rows in, rows out.

Tensors of more than two dimensions mean nothing to a table and are refused with its rows.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from endpoints.bodies import parse_json, read_body
from endpoints.errors import InvalidRequest
from endpoints.models.prediction import Protocol
from endpoints.protocols import answering
from endpoints.protocols.tabular import read_table
from endpoints.protocols.versions import version_number
from endpoints.protocols.view import prediction, protocol
from endpoints.services import serving
from endpoints.services.access import Caller, Need
from endpoints.services.serving import Answer
from endpoints.units import unit_of
from mlcore.errors import shown

ANSWER_TO = {"instances": "predictions", "inputs": "outputs"}
"""Who asks by row or by column is answered under another name."""
SIGNATURE = "serving_default"
AVAILABLE = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


@protocol("GET", failure=answering.failure)
def model(request: HttpRequest, caller: Caller, slug: str, version: str = "") -> dict[str, Any]:
    """Say that a model is ready, in the words of KServe and of TensorFlow; raises NoModel."""
    served = serving.served(slug, caller=caller, need=Need.PREDICT)
    chosen = answering.answering_version(served, version_number(version or None))
    state = {"version": str(chosen.number), **AVAILABLE}
    return {"name": slug, "ready": True, "model_version_status": [state]}


@prediction(Protocol.TF_V1, failure=answering.failure)
def predict(request: HttpRequest, caller: Caller, slug: str, version: str = "") -> dict[str, Any]:
    form, answer = _ask(request, caller, slug, version)
    return {ANSWER_TO[form]: answer.labels, **answering.about(answer)}


@prediction(Protocol.TF_V1, failure=answering.failure)
def explain(request: HttpRequest, caller: Caller, slug: str, version: str = "") -> dict[str, Any]:
    form, answer = _ask(request, caller, slug, version)
    return {
        "explanations": answering.explanations(answer),
        ANSWER_TO[form]: answer.labels,
        **answering.about(answer),
    }


def _ask(request: HttpRequest, caller: Caller, slug: str, version: str) -> tuple[str, Answer]:
    serving.admitted(slug, caller=caller)
    answering.parameters(request)
    number = version_number(version or None)
    document = parse_json(read_body(request))
    form, rows = read_table(document, ANSWER_TO, others=("signature_name",))
    signature = document.get("signature_name", SIGNATURE)
    if signature != SIGNATURE:
        raise InvalidRequest(f"The only signature is “{SIGNATURE}”, not {shown(signature)}.")
    answer = answering.ask(
        slug,
        rows,
        caller=caller,
        protocol=Protocol.TF_V1,
        unit=unit_of(request),
        version=number,
    )
    return form, answer
