"""Takes a model that was trained elsewhere: one bundle becomes a run with a version, or nothing remains.

What it says of itself is kept as its uploader's claim. It knows no form and no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from endpoints.errors import Conflict, InvalidBundle, InvalidData, InvalidRequest, TooLarge
from endpoints.models import AlgorithmVersion, Endpoint, Experiment, Run
from endpoints.models.run import RunState
from endpoints.services import (
    access,
    auto_promotion,
    claims,
    evaluating,
    lifecycle,
    recording,
    tracking,
    uploads,
)
from endpoints.services.access import Caller, Need
from endpoints.services.gates import Case, Gate
from endpoints.services.gates.question import same_question
from endpoints.services.uploads import Stage
from endpoints.services.words import LONGEST_NOTE, SOLVER_NAMES
from mlcore import artifact
from mlcore import run_training as records
from mlcore.bundle import Provenance
from mlcore.errors import ArtifactError, DataError
from mlcore.files import replace_file
from mlcore.model_card import model_card_json
from mlcore.run_names import check_name, check_text

LARGEST_DOCUMENT = 4 * 2**20
UNNAMED_DATA = "unnamed data"
ADVICE = "Hand over the file exactly as mlcore.save or bundle_from_sklearn wrote it."


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Who hands a bundle to which endpoint, and what they say of it.

    `name` is that of the run, `note` the description; `submission` names the form or request: sent
    twice, it registers once.
    """

    endpoint: Endpoint
    actor: Caller
    now: datetime
    name: str = ""
    note: str = ""
    submission: str = ""


@dataclass(frozen=True)
class _Bundle:
    """What there is to say of a bundle that has been verified, tried out and written to its stage.

    Its classifier is left out: it may be large, and registering loads it once more.
    """

    sha256: str
    converged: bool
    features: int
    settings: Mapping[str, object]
    provenance: Provenance


def register_upload(
    *, content: bytes | Path, endpoint: Endpoint, actor: Caller, now: datetime, **words: str
) -> AlgorithmVersion:
    """Register a bundle, given as its bytes, its file or its folder, as the next version in testing.

    Not to be called within a transaction: the files are in place when this one has committed.

    Words: name, note and submission, as in Upload. Raises InvalidBundle, TooLarge, InvalidRequest,
    or Conflict where the endpoint has this bundle already.

    1. verify a copy beside the runs: whatever is refused there leaves nothing, a kill only a stray
    2. write the rows and move the files within one transaction, which rivals wait for
    3. judge it on the production version's holdout rows, where these fit
    """
    access.require(actor, Need.REGISTER, endpoint)
    upload = Upload(endpoint=endpoint, actor=actor, now=now, **words)
    _check_words(upload.name, upload.note)
    done = _done_before(upload)
    if done is not None:
        return done
    with uploads.staged(now) as stage:
        version = _keep(upload, _verified(content, stage), stage)
    with suppress(InvalidData, ArtifactError):
        evaluating.evaluate_on_holdout(version=version, actor=actor, now=now)
    auto_promotion.consider(version, now=now)
    return version


def schema_verdict(version: AlgorithmVersion, *, actor: Caller, now: datetime) -> Gate:
    """Say whether the version asks for and answers with what production does; no reason to refuse it."""
    return same_question(Case(version, actor, now))


def refuse_unusable(
    *, content: bytes | Path, now: datetime, name: str = "", note: str = ""
) -> None:
    """Raise what registering would raise at any endpoint, so that none is made for it in vain."""
    _check_words(name, note)
    with uploads.staged(now) as stage:
        _verified(content, stage)


def _check_words(name: str, note: str) -> None:
    try:
        check_text(note, what="description", longest=LONGEST_NOTE)
        if name:
            check_name(name, what="run's name")
    except DataError as error:
        raise InvalidRequest(f"Not registered: {error}.") from error


def _done_before(upload: Upload) -> AlgorithmVersion | None:
    done = recording.done_before(upload.endpoint, "register", upload.submission)
    return done.version if done else None


def _verified(content: bytes | Path, stage: Stage) -> _Bundle:
    source = _within_limit(content, stage)
    model = stage.folder / "model"
    try:
        sha256 = artifact.copy(source, model, largest_document=LARGEST_DOCUMENT)
        artifact.smoke_test(model, sha256=sha256)
        return _checked(model, sha256)
    except (ArtifactError, DataError) as error:
        raise InvalidBundle(f"This is no bundle that can be kept: {error}. {ADVICE}") from error


def _checked(model: Path, sha256: str) -> _Bundle:
    described = artifact.describe(model)
    classifier = artifact.load(model)
    claims.check(described, classifier)
    provenance = Provenance(**{part.name: described[part.name] for part in fields(Provenance)})
    replace_file(model / "model_card.json", model_card_json(classifier, provenance).encode())
    return _Bundle(
        sha256=sha256,
        converged=classifier.converged,
        features=len(classifier.schema.columns),
        settings=_flat(records.settings_of(classifier, provenance.spec)),
        provenance=provenance,
    )


def _within_limit(content: bytes | Path, stage: Stage) -> Path:
    """The bundle as a file or folder, no larger than it may be."""
    limit = settings.RAISIN_MAX_UPLOAD_BYTES
    size = len(content) if isinstance(content, bytes) else _size_of(content)
    if size > limit:
        raise TooLarge(f"The bundle has {size:,} bytes; {limit:,} is the most here.")
    if isinstance(content, Path):
        return content
    file = stage.path / "bundle.zip"
    file.write_bytes(content)
    return file


def _size_of(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    if not path.is_file():
        raise InvalidRequest(f"There is no file “{path.name}”.")
    return path.stat().st_size


def _keep(upload: Upload, bundle: _Bundle, stage: Stage) -> AlgorithmVersion:
    """All rows and all files, or none of either."""
    with transaction.atomic():
        Endpoint.objects.select_for_update().get(pk=upload.endpoint.pk)
        done = _done_before(upload)  # a double click's other half was faster
        if done is not None:
            return done
        _refuse_known(upload.endpoint, bundle.sha256)
        run = _insert(upload, bundle, stage)
        stage.publish()
        return lifecycle.register(
            run=run,
            endpoint=upload.endpoint,
            actor=upload.actor,
            now=upload.now,
            note=upload.note,
            submission=upload.submission,
        )


def _refuse_known(endpoint: Endpoint, sha256: str) -> None:
    known = endpoint.versions.filter(artifact_sha256=sha256).first()
    if known is not None:
        raise Conflict(
            f"This bundle is registered already: it is {known.label} of {endpoint.name}, "
            f"in {known.status_word}."
        )


def _insert(upload: Upload, bundle: _Bundle, stage: Stage) -> Run:
    run = _run_of(upload, bundle, stage)
    run.save(force_insert=True)
    provenance = bundle.provenance
    tracking.log_params(run, bundle.settings)
    tracking.log_metrics(run, records.summary(provenance.metrics))
    software = {f"version of {name}": number for name, number in provenance.versions.items()}
    tracking.log_tags(run, {"uploaded by": upload.actor.name, **software})
    return run


def _run_of(upload: Upload, bundle: _Bundle, stage: Stage) -> Run:
    """The run; what runs of ours say of the data, known by its checksum, goes before the claim."""
    provenance, solver = bundle.provenance, bundle.provenance.solver
    data = Run.objects.filter(dataset_sha256=provenance.dataset_sha256, uploaded=False).first()
    experiment, _ = Experiment.objects.get_or_create(name=upload.endpoint.slug)
    return Run(
        pk=stage.run_id,
        experiment=experiment,
        name=upload.name or f"{SOLVER_NAMES.get(solver['name'], solver['name'])}, uploaded",
        state=RunState.FINISHED,
        solver=solver["name"],
        converged=bundle.converged,
        iterations=solver["iterations"],
        message=solver["message"],
        dataset_name=data.dataset_name if data else UNNAMED_DATA,
        dataset_sha256=provenance.dataset_sha256,
        dataset_rows=sum(provenance.rows.values()),
        dataset_features=bundle.features,
        synthetic=provenance.synthetic or (data is not None and data.synthetic),
        uploaded=True,
        artifact_path=f"runs/{stage.run_id}/model",
        artifact_sha256=bundle.sha256,
        started_at=upload.now,
        ended_at=upload.now,
        created_by=upload.actor.person,
    )


def _flat(spec: Mapping[str, object]) -> dict[str, object]:
    """Settings a line each; scikit-learn's lie in an object of their own."""
    flat: dict[str, object] = {}
    for name, value in spec.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in flat.items()
    }
