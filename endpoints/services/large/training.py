"""Trains on files larger than memory: every row is solved for, what needs single rows takes a sample.

The pieces and the sums are the same whatever the engine, so the coefficients are the same bits. It
knows no runs and no database.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from endpoints.services.large.encoding import Encoding, PartFacts, encode, facts_of, fill, finish
from endpoints.services.large.engines import Engine, EngineSpec, started
from endpoints.services.large.pieces import PIECE_BYTES, Layout, divide
from endpoints.services.large.places import find
from endpoints.services.large.sampling import Sampled, as_prepared, fewer, joined
from endpoints.services.large.surveying import Survey, refuse, survey
from mlcore.alive import Alive
from mlcore.arrays import FloatArray
from mlcore.distributed import DistributedRows
from mlcore.encoding import Encoder
from mlcore.errors import DataError, NotConvergedWarning
from mlcore.history import Descent, OnEpoch, OnIteration, Watch
from mlcore.moments import moments_of
from mlcore.preparation import Prepared, Question
from mlcore.schema import Schema
from mlcore.training import (
    Fit,
    TrainingResult,
    TrainingSpec,
    check_classes,
    choose_penalty,
    class_weights,
    conclude,
    descend,
)

MOST_TRAINING = 100_000
"""Training rows that fills, profile, threshold, calibration and penalty path are taken from."""
MOST_VALIDATION = 50_000
"""Validation rows that judge the model and are kept as its holdout."""
MOST_ANALYSED = 25_000, 10_000
"""Of both, the rows that the analysis looks at: it resamples and shuffles them hundreds of times."""


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """The files: paths, folders, patterns or URLs; what to call them, and their checksum if known."""

    files: Sequence[str | Path]
    name: str = ""
    sha256: str = ""
    piece_bytes: int = PIECE_BYTES


def train(
    spec: TrainingSpec,
    data: DataSource,
    *,
    engine: EngineSpec,
    on_iteration: OnIteration | None = None,
    on_epoch: OnEpoch | None = None,
    start: Descent | None = None,
) -> TrainingResult:
    """Train one classifier. The same spec, files and piece size give the same bytes, on any engine.

    Gradient descent tells ``on_epoch`` where it stands, and goes on from ``start``. Raises
    DataError, by file, line and column, for what cannot be trained on.
    """
    sources = find(data.files)
    if data.name and len(sources) == 1:
        sources = (replace(sources[0], label=data.name),)
    with started(engine) as at:
        layout = divide(sources, map_=at.map, piece_bytes=data.piece_bytes)
        named = replace(data, name=name_of(data), sha256=data.sha256 or layout.sha256)
        watch = Watch(None, on_iteration, on_epoch)
        return _Training(spec, layout, named, at, engine.alive).run(watch, start)


def name_of(data: DataSource) -> str:
    """What the data set is called: as given, else by its first file."""
    if data.name:
        return data.name
    first = str(data.files[0]).rstrip("/").rpartition("/")[2]
    return first if len(data.files) == 1 else f"{first} and {len(data.files) - 1} more"


class _Training:
    """The steps of one training; each looks at every piece once, where the engine keeps it."""

    def __init__(
        self, spec: TrainingSpec, layout: Layout, data: DataSource, engine: Engine, alive: Alive
    ) -> None:
        self.spec, self.layout, self.data, self.engine = spec, layout, data, engine
        self.alive = alive

    def run(self, watch: Watch, start: Descent | None) -> TrainingResult:
        question = Question(
            target=self.spec.target, positive=self.spec.positive, columns=self.spec.columns
        )
        surveyed = survey(self.layout, question, map_=self.engine.map)
        check_classes(self.spec, surveyed.classes)
        parts, facts = self._encoded(surveyed)
        sampled = self._sampled(surveyed, facts)
        prepared = as_prepared(sampled, self.data.name)
        encoder, parts = self._standardised(parts, facts, prepared, sampled)
        rows = self._rows(parts, facts, prepared.schema)
        fit = self._solved(rows, prepared, encoder, watch, start)
        result = conclude(
            self.spec,
            prepared,
            fit,
            dataset_sha256=self.data.sha256,
            analysed=fewer(prepared, MOST_ANALYSED),
            alive=self.alive,
        )
        return _told(result, facts)

    def _encoded(self, surveyed: Survey) -> tuple[list[object], list[PartFacts]]:
        test_size, n = self.spec.test_size, surveyed.n_rows
        if not 0 < test_size < 1:
            raise DataError(f"test_size must lie between 0 and 1, got {test_size}")
        encoding = Encoding(
            columns=surveyed.columns,
            target=self.spec.target,
            classes=surveyed.classes,
            seed=self.spec.seed,
            test_size=test_size,
            train_share=MOST_TRAINING / (n * (1 - test_size)),
            validation_share=MOST_VALIDATION / (n * test_size),
        )
        pieces = self.layout.pieces
        parts = self.engine.keep(encode, pieces, surveyed.first_rows, [encoding] * len(pieces))
        facts = list(self.engine.map(facts_of, parts))
        refuse(self.layout, surveyed.sizes, [part.errors for part in facts])
        return parts, facts

    def _sampled(self, surveyed: Survey, facts: Sequence[PartFacts]) -> Sampled:
        return Sampled(
            target=self.spec.target,
            columns=surveyed.columns,
            classes=surveyed.classes,
            holes=frozenset(name for part in facts for name in part.holes),
            train=joined([part.train for part in facts], MOST_TRAINING),
            validation=joined([part.validation for part in facts], MOST_VALIDATION),
        )

    def _standardised(
        self,
        parts: list[object],
        facts: Sequence[PartFacts],
        prepared: Prepared,
        sampled: Sampled,
    ) -> tuple[Encoder, list[object]]:
        """Fill the holes, learn means and scales from all training rows, and apply them."""
        schema = prepared.schema
        if sampled.holes:
            parts = self._replaced(fill, parts, _fills(schema))
        moments = moments_of(self._rows(parts, facts, schema))
        encoder = Encoder(schema, moments.mean, moments.scale)
        weights = _weights_of_classes(self.spec, facts)
        return encoder, self._replaced(finish, parts, moments.mean, moments.scale, weights)

    def _replaced(self, step: object, parts: list[object], *arguments: object) -> list[object]:
        made = self.engine.keep(step, parts, *([value] * len(parts) for value in arguments))  # type: ignore[arg-type]
        self.engine.drop(parts)
        return made

    def _rows(
        self, parts: Sequence[object], facts: Sequence[PartFacts], schema: Schema
    ) -> DistributedRows:
        return DistributedRows.of(
            parts,
            [part.n_rows for part in facts],
            n_columns=sum(len(column.levels) or 1 for column in schema.columns),
            n_classes=len(facts[0].class_rows),
            map_=self.engine.map,
        )

    def _solved(
        self,
        rows: DistributedRows,
        prepared: Prepared,
        encoder: Encoder,
        watch: Watch,
        start: Descent | None,
    ) -> Fit:
        Z, y = encoder.transform(prepared.train.columns), prepared.train.y  # noqa: N806
        weights = class_weights(y, self.spec.class_weight)
        lambda_, path = choose_penalty(self.spec, Z, y, weights, self.alive)
        judged = prepared.validation
        watch = replace(watch, validation=(encoder.transform(judged.columns), judged.y))
        with warnings.catch_warnings():
            # The report carries the verdict, and with it the run and its pages.
            warnings.simplefilter("ignore", NotConvergedWarning)
            report = descend(self.spec, lambda_, rows, watch, start)
        return Fit(encoder, report, lambda_, weights, path, Z)


def _fills(schema: Schema) -> FloatArray:
    """What replaces a hole in each slot; NaN in columns that have none."""
    slots: list[float] = []
    for column in schema.columns:
        if column.kind == "number":
            slots.append(float("nan") if column.fill is None else float(column.fill))
        else:
            slots += [float(level == column.fill) for level in column.levels]
    return np.array(slots)


def _weights_of_classes(spec: TrainingSpec, facts: Sequence[PartFacts]) -> FloatArray | None:
    """n / (K n_class) over all training rows; a class without any is refused by the solver."""
    if spec.class_weight == "none":
        return None
    counts = np.sum([part.class_rows for part in facts], axis=0)
    weights: FloatArray = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return weights


def _told(result: TrainingResult, facts: Sequence[PartFacts]) -> TrainingResult:
    """The result with the number of all rows, and with a word on what comes from a sample."""
    n_train = sum(part.n_rows for part in facts)
    n_validation = sum(part.n_validation for part in facts)
    parts = (
        (result.n_train, n_train, "training", MOST_ANALYSED[0]),
        (result.n_validation, n_validation, "validation", MOST_ANALYSED[1]),
    )
    taken = [
        f"{size:,} of {whole:,} {part} rows (the analysis: {min(size, most):,})"
        for size, whole, part, most in parts
        if min(size, most) < whole
    ]
    report = result.report
    if taken:
        words = (
            f"{report.message}. All training rows were solved for; metrics, threshold and profile "
            f"come from samples of {' and '.join(taken)}"
        )
        report = replace(report, message=words)
    return replace(result, report=report, n_train=n_train, n_validation=n_validation)
