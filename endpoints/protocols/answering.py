"""What the row-wise protocols (MLflow, V1, Vertex, the root) share: asking, and the words of an answer.

It knows no wire format: each protocol reads its bodies and arranges its answers itself.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from endpoints import native, problems
from endpoints.errors import DomainError, InvalidRequest, InvalidRows
from endpoints.models import AlgorithmVersion
from endpoints.protocols.tabular import Rows
from endpoints.rows import refuse_too_many
from endpoints.services import serving
from endpoints.services.access import Caller
from endpoints.services.serving import Answer, Question
from endpoints.services.snapshots import Served
from mlcore.errors import cut, did_you_mean, listed


class MalformedRows(InvalidRows):
    """The same error under the status that the older protocols have for all that is malformed."""

    status = 400


def ask(
    slug: str,
    rows: Rows,
    *,
    caller: Caller,
    protocol: str,
    unit: str,
    version: int | None = None,
) -> Answer:
    """Answer and log; raises what `serving.predict` raises, and TooLarge."""
    refuse_too_many(len(rows))
    question = Question(
        slug=slug, rows=rows, caller=caller, version=version, protocol=protocol, unit=unit
    )
    return serving.predict(question, clock=timezone.now)


def answering_version(served: Served, number: int | None = None) -> AlgorithmVersion:
    """Return the version that a prediction would come from; raises NoModel or NotFound."""
    serving.refuse_paused(served.endpoint)
    return served.choose(number, None).version


def parameters(request: HttpRequest, *known: str) -> dict[str, str]:
    """Return the query parameters; one that nobody reads would mislead whoever sends it."""
    for name in request.GET:
        if name not in known:
            hint = did_you_mean(name, known) or "."
            raise InvalidRequest(
                f"“{cut(name)}” is not a query parameter here{hint} Known: {listed(known) or 'none'}."
            )
    return request.GET.dict()


def about(answer: Answer) -> dict[str, Any]:
    """What every answer says beside its predictions; labels are sent under the request id."""
    facts: dict[str, Any] = {
        "request_id": str(answer.request_id),
        "endpoint": answer.endpoint.slug,
        "model_version": str(answer.version.number),
        "classes": answer.classifier.classes,
        "probabilities": probabilities(answer),
    }
    if any(answer.imputed):
        facts["imputed"] = [list(names) for names in answer.imputed]
    return facts


def probabilities(answer: Answer) -> list[Any]:
    """As the native route has them: of the positive class, or of three and more classes by name."""
    classes, found = answer.classifier.classes, answer.probabilities
    if answer.classifier.is_binary:
        return [row[1] for row in found]
    return [dict(zip(classes, row, strict=True)) for row in found]


def explanations(answer: Answer) -> list[dict[str, Any]]:
    """One a row: what its contributions start from, and what each column adds."""
    found = native.explained(answer)
    parts = found["contributions"]
    base = found["intercept"] if "intercept" in found else found["base"]
    unit = answer.classifier.estimator.unit
    return [
        {"base": base, "unit": unit, "contributions": part}
        for part in (parts if answer.n_rows > 1 else [parts])
    ]


def failure(error: DomainError) -> HttpResponse:
    return problems.response(malformed(error))


def malformed(error: DomainError) -> DomainError:
    if error.status == InvalidRows.status:
        return MalformedRows(error.message, cells=error.cells)
    return error
