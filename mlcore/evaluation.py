"""A classifier on a labelled table: what it is worth there, and the rows as callers send them.

It knows no training: any classifier may be judged on the holdout of any other.
"""

from __future__ import annotations

from mlcore.arrays import FloatArray
from mlcore.classifier import Classifier
from mlcore.features import fill, read_cells, read_target
from mlcore.metrics import MetricsReport, evaluate_predictions
from mlcore.multiclass import MulticlassReport, evaluate_multiclass
from mlcore.preparation import Part
from mlcore.table import Table

Report = MetricsReport | MulticlassReport


def evaluate(classifier: Classifier, table: Table) -> Report:
    """Judge any classifier on a labelled table, such as the holdout of another training.

    The table needs the classifier's columns and target; others are ignored. DataError names the
    line and column of every cell that the classifier's schema refuses.

    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> evaluate(result.classifier, result.holdout) == result.validation
    True
    """
    return judge(classifier, labelled(classifier, table))


def labelled(classifier: Classifier, table: Table) -> Part:
    """The table as the classifier reads it, with the number of each row's class; raises as above."""
    columns = fill(classifier.schema, read_cells(classifier.schema.columns, table))
    y = read_target(table, target=classifier.target, classes=classifier.classes)
    return Part(columns, y, table.lines)


def judge(classifier: Classifier, part: Part) -> Report:
    """The metrics of some labelled rows: at the threshold for two classes, else of all classes."""
    return measured(classifier, part.y, classifier.probabilities(part.columns))


def measured(classifier: Classifier, y: FloatArray, probabilities: FloatArray) -> Report:
    """The same of class numbers (n,) and the classifier's probabilities (n, K) for them."""
    if classifier.threshold is None:
        return evaluate_multiclass(y, probabilities)
    return evaluate_predictions(y, probabilities[:, 1], classifier.threshold)


def table_rows(classifier: Classifier, table: Table) -> list[dict[str, float | str | None]]:
    """The table's rows as prediction requests hold them: numbers, texts, None where missing.

    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> rows = table_rows(result.classifier, result.holdout)
    >>> len(rows), sorted(rows[0])[:3]
    (180, ['Area', 'ConvexArea', 'Eccentricity'])
    """
    names = classifier.schema.names
    cells = read_cells(classifier.schema.columns, table)
    columns = []
    for name in names:
        values, holes = cells.values[name].tolist(), cells.missing[name].tolist()
        columns.append([None if hole else v for v, hole in zip(values, holes, strict=True)])
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
