"""Model bundles on disk: written in one step, verified before every use; knows no registry.

A bundle is a directory of three files:

* model.json   everything a person may want to read, as canonical JSON, with the hash of the arrays
* weights.npz  weights, intercept, means and scales as float64; the same arrays, the same bytes
* SHA256SUMS   for ``sha256sum -c``

or, to be handed over, one file: the same three in a zip, not compressed. Every function takes
either; a path that ends in .zip is written as one file. The SHA-256 of the bundle is that of
model.json in both forms. Nothing is ever unpickled, and what is not exactly as ``save`` writes it
is refused with an ArtifactError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlcore.bundle import Provenance, decode, encode, probe_answers, probe_rows
from mlcore.canonical import pack_files, parse_json, require, unpack_files
from mlcore.canonical import sha256 as sha256_of
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError, DataError, SchemaError
from mlcore.files import read_file, replace_file, sync

if TYPE_CHECKING:
    from mlcore.training import TrainingResult

LARGEST_FILE = 64 * 2**20
TOLERANCE = 1e-12
"""How far a probe's probability may be from the stored one: other processors round otherwise."""

_FILES = ("model.json", "weights.npz", "SHA256SUMS")
_LARGEST_BUNDLE = 2 * LARGEST_FILE + 2**16


@dataclass(frozen=True)
class SmokeReport:
    """How many probe rows were scored, and the largest difference from the stored answers."""

    rows: int
    largest_difference: float


def save(result: TrainingResult, path: Path) -> str:
    """Write the bundle of a training and return its SHA-256; see ``save_classifier``.

    >>> from tempfile import mkdtemp
    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> folder = Path(mkdtemp()) / "v1"
    >>> sha256 = save(result, folder)
    >>> sorted(path.name for path in folder.iterdir())
    ['SHA256SUMS', 'model.json', 'weights.npz']
    """
    return save_classifier(result.classifier, result.provenance, path)


def save_classifier(classifier: Classifier, provenance: Provenance, path: Path) -> str:
    """Write the bundle of a classifier, wherever it was trained, and return its SHA-256.

    1. write and sync the files in a temporary sibling directory, or the zip beside its place
    2. rename it: readers see all of the bundle or nothing
    3. sync the parent, so that the name survives a power cut

    An identical bundle that is already there is fine; another one is an ArtifactError.
    ValueError for a provenance that JSON cannot hold.

    >>> from tempfile import mkdtemp
    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> file = Path(mkdtemp()) / "v1.zip"
    >>> len(save_classifier(result.classifier, result.provenance, file))
    64
    >>> load(file).classes
    ('Kecimen', 'Besni')
    """
    model, weights = encode(classifier, provenance)
    _place({"model.json": model, "weights.npz": weights, "SHA256SUMS": _sums(model, weights)}, path)
    return sha256_of(model)


def copy(bundle: Path, path: Path, *, largest_document: int = LARGEST_FILE) -> str:
    """Verify a bundle as ``load`` does and write it again, in the other form if you like.

    The SHA-256 stays the same; this is how a file that somebody handed over becomes a directory.
    A stranger's model.json may be given a limit: reading it takes up to 30 times its size.
    ArtifactError as in ``load`` and ``save_classifier``.

    >>> from tempfile import mkdtemp
    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> place = Path(mkdtemp())
    >>> save(result, place / "v1.zip") == copy(place / "v1.zip", place / "v1")
    True
    """
    files = _contents(bundle)
    size = len(files["model.json"])
    require(
        size <= largest_document, f"model.json has {size} bytes; {largest_document} is the most"
    )
    _check_both_ways(_verified(files, None)[1])
    _place(files, path)
    return sha256_of(files["model.json"])


def load(path: Path, *, sha256: str | None = None) -> Classifier:
    """The classifier of a verified bundle; ArtifactError for anything but an intact one.

    ``sha256`` is the hash that ``save`` returned: with it, a bundle that was replaced as a whole
    is found too. Probe rows are scored one by one and as a block: both ways must agree here, on
    this processor with this NumPy, before either is used.

    >>> from tempfile import mkdtemp
    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> folder = Path(mkdtemp()) / "v1"
    >>> sha256 = save(result, folder)
    >>> load(folder, sha256=sha256).classes
    ('Kecimen', 'Besni')
    """
    classifier = _open(path, sha256)[1]
    _check_both_ways(classifier)
    return classifier


def _check_both_ways(classifier: Classifier) -> None:
    names = classifier.schema.names
    rows = [dict(zip(names, row, strict=True)) for row in probe_rows(classifier)]
    try:
        blocks = classifier.probabilities(classifier.schema.read(rows)).tolist()
        singles = [classifier.score_row(row) for row in rows]
    except SchemaError as error:
        raise ArtifactError(f"the profile holds values that cannot be scored: {error}") from error
    for block, single in zip(blocks, singles, strict=True):
        # A score that sums large parts cannot be more exact than its largest part.
        parts = [abs(part) for parts in single.contributions for part in parts]
        tolerance = TOLERANCE * max(1.0, *parts)
        if not all(
            abs(b - s) <= tolerance for b, s in zip(block, single.probabilities, strict=True)
        ):
            raise ArtifactError("the bundle scores a row otherwise alone than among others")


def describe(path: Path, *, sha256: str | None = None) -> dict[str, Any]:
    """The content of model.json, verified as in ``load``.

    >>> from tempfile import mkdtemp
    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> folder = Path(mkdtemp()) / "v1"
    >>> sha256 = save(result, folder)
    >>> describe(folder)["rows"]
    {'train': 720, 'validation': 180}
    """
    return _open(path, sha256)[0]


def smoke_test(path: Path, *, sha256: str | None = None) -> SmokeReport:
    """Load the bundle, score its probe rows, and compare with the answers stored at training.

    The probes are mixed from the profile and hold no training row. ArtifactError when an answer
    differs by more than 1e-12.

    >>> from tempfile import mkdtemp
    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> folder = Path(mkdtemp()) / "v1"
    >>> sha256 = save(result, folder)
    >>> smoke_test(folder)
    SmokeReport(rows=8, largest_difference=0.0)
    """
    document, classifier = _open(path, sha256)
    try:
        rows, stored = document["probes"]["rows"], document["probes"]["probabilities"]
        found = probe_answers(classifier, rows)
        largest = max(abs(a - b) for a, b in zip(_flat(found), _flat(stored), strict=True))
    except (KeyError, TypeError, ValueError, SchemaError) as error:
        raise ArtifactError(f"the probe rows of the bundle cannot be scored: {error}") from error
    if not largest <= TOLERANCE:
        raise ArtifactError(f"a probe row scores {largest:.3g} away from its stored probability")
    return SmokeReport(len(rows), largest)


def _flat(answers: Sequence[Any]) -> Iterator[Any]:
    """One number after the other, of numbers or of lists of numbers."""
    for answer in answers:
        yield from answer if isinstance(answer, list) else (answer,)


def _open(path: Path, sha256: str | None) -> tuple[dict[str, Any], Classifier]:
    return _verified(_contents(path), sha256)


def _verified(files: Mapping[str, bytes], sha256: str | None) -> tuple[dict[str, Any], Classifier]:
    model, weights, sums = (files[name] for name in _FILES)
    found = sha256_of(model)
    if sha256 is not None and found != sha256:
        raise ArtifactError(f"the bundle's SHA-256 is {found}, not {sha256}")
    if sums != _sums(model, weights):
        raise ArtifactError("SHA256SUMS does not agree with the files beside it")
    document = parse_json(model)
    if document.get("weights_sha256") != sha256_of(weights):
        raise ArtifactError("weights.npz is not the file that model.json was written with")
    return document, decode(document, weights)


def _sums(model: bytes, weights: bytes) -> bytes:
    return f"{sha256_of(model)}  model.json\n{sha256_of(weights)}  weights.npz\n".encode()


def _contents(path: Path) -> dict[str, bytes]:
    """The three files of a bundle, whichever form it has."""
    if path.is_file():
        data = _read(path, path.name, largest=_LARGEST_BUNDLE)
        return unpack_files(data, _FILES, place=path.name)
    return {name: _read(path / name, f"{name} of the bundle") for name in _FILES}


def _read(path: Path, name: str, *, largest: int = LARGEST_FILE) -> bytes:
    try:
        return read_file(path, largest=largest)
    except OSError as error:
        raise ArtifactError(f"cannot read {name}: {error.strerror}") from error


def _place(files: Mapping[str, bytes], path: Path) -> None:
    """Write the files as the form that the path asks for, unless they are there already."""
    if not path.exists():
        if path.suffix == ".zip":
            _write_file(files, path)
        else:
            _write_directory(files, path)
    if _contents(path) != files:
        raise ArtifactError(f"{path.name} already holds another bundle; choose a new name")


def _write_file(files: Mapping[str, bytes], path: Path) -> None:
    try:
        replace_file(path, pack_files(files))
    except DataError as error:
        raise ArtifactError(f"cannot write the bundle: {error}") from error


def _write_directory(files: Mapping[str, bytes], directory: Path) -> None:
    try:
        _write_or_lose_the_race(files, directory)
    except OSError as error:
        # Somebody who was faster is no failure: the caller compares what they wrote.
        if not directory.exists():
            raise ArtifactError(f"cannot write the bundle: {error.strerror}") from error


def _write_or_lose_the_race(files: Mapping[str, bytes], directory: Path) -> None:
    # Only the writer pays for these imports; a serving process just reads.
    from shutil import rmtree
    from tempfile import mkdtemp

    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        temporary.chmod(0o755)
        for name, content in files.items():
            (temporary / name).write_bytes(content)
            sync(temporary / name)
        sync(temporary)
        temporary.rename(directory)
        sync(directory.parent)
    finally:
        rmtree(temporary, ignore_errors=True)
