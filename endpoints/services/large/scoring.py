"""Scores files larger than memory piece by piece; what is done is not done again after a crash.

A piece's results are written beside their place and renamed, then a word that they are there.
The batch engine scores each piece. Workers of a cluster import it: it knows no Django.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from endpoints.services.large import local_copies, scratch
from endpoints.services.large.engines import EngineSpec, started
from endpoints.services.large.folders import Folder, draft_of, fill, put
from endpoints.services.large.pieces import PIECE_BYTES, PIECE_ROWS, Layout, Piece, divide
from endpoints.services.large.places import find, is_remote, read
from endpoints.services.large.results import LABEL, Place, RemotePlace
from endpoints.services.tables import mapping, scoring
from endpoints.services.tables.plans import ScoringPlan
from endpoints.services.tables.reading import Reading
from mlcore.classifier import Classifier
from mlcore.errors import DataError


@dataclass(frozen=True, kw_only=True)
class LargeScoring:
    """What to score with what, and the folder or file that takes the results; at an address a folder."""

    files: Sequence[str | Path]
    out: str | Path
    classifier: Classifier
    version: int
    sha256: str
    piece_bytes: int = PIECE_BYTES
    piece_rows: int = PIECE_ROWS


@dataclass(frozen=True)
class Target:
    """Where the parts go; ``job`` tells results of the same files and model from others."""

    folder: Folder
    job: str
    version: int


@dataclass(frozen=True)
class ScoredPart:
    """A part in the folder: rows in it, those without an answer, the file they came from, and the
    bytes of its header."""

    file: str
    source: str
    rows: int
    bad: int
    job: str
    head: int = 0
    was_there: bool = False


@dataclass(frozen=True)
class Scored:
    out: str | Path
    parts: tuple[ScoredPart, ...]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def bad(self) -> int:
        return sum(part.bad for part in self.parts)

    @property
    def skipped(self) -> int:
        return sum(part.was_there for part in self.parts)


def score(job: LargeScoring, *, engine: EngineSpec) -> Scored:
    """Write a part for every piece into the folder ``out``; into a file of that name if it is to be one.

    Raises DataError for files without the columns of the model, for files whose results do not fit into one, for
    a place that holds anything but what this job wrote there before, and while another process writes there.
    """
    out = str(job.out).rstrip("/")
    if is_remote(out):
        return Scored(out, _scored(job, RemotePlace(out), engine))
    place = Place(Path(out))
    with _alone(place.out):
        parts = _scored(job, place, engine)
        for left_over in place.folder.glob(".part-*"):  # by whoever was killed
            left_over.unlink()
        if place.is_file:
            _join(parts, place)
    return Scored(place.out, parts)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two at one place would take each other's drafts for left over ones."""
    with ExitStack() as stack:
        try:
            stack.enter_context(scratch.alone(out.with_name(f".{out.name}.lock")))
        except BlockingIOError:
            raise DataError(
                f"another process is writing to {out} at this moment; let it end, or choose another place"
            ) from None
        yield


def _scored(
    job: LargeScoring, place: Place | RemotePlace, engine: EngineSpec
) -> tuple[ScoredPart, ...]:
    sources = find(job.files)
    place.refuse_sources(sources)
    place.refuse_format(sources[0])
    place.refuse_foreign()
    with started(engine) as at:
        layout = divide(
            sources,
            map_=at.map,
            piece_bytes=job.piece_bytes,
            piece_rows=job.piece_rows,
            alike=place.is_file,
        )
        _refuse_missing(job.classifier, layout)
        target = Target(place.parts, _name_of(job, layout), job.version)
        place.claim(target.job, target.version)
        pieces, n = layout.pieces, len(layout.pieces)
        shared = [at.share(job.classifier)] * n
        return tuple(at.map(score_piece, pieces, range(n), shared, [target] * n))


def _refuse_missing(classifier: Classifier, layout: Layout) -> None:
    missing = mapping.match(classifier.schema, layout.header).missing
    if missing:
        name, suggestion = missing[0]
        hint = f'; is it "{suggestion}"?' if suggestion else ""
        more = f" (and {len(missing) - 1} more columns)" if len(missing) > 1 else ""
        raise DataError(f'there is no column "{name}" in {layout.pieces[0].name}{hint}{more}')


def _name_of(job: LargeScoring, layout: Layout) -> str:
    """Of everything that the bytes of the results follow from."""
    places = [(piece.name, piece.start, piece.stop) for piece in layout.pieces]
    fills = [column.fill for column in job.classifier.schema.columns]
    facts = [layout.sha256, job.sha256, job.version, fills, places]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def score_piece(piece: Piece, number: int, classifier: Classifier, target: Target) -> ScoredPart:
    """Write the results of a piece, its errors and the word that they are there; in this order."""
    name = f"part-{number:05d}"
    folder, done = target.folder, f"{name}.json"
    if folder.has(done):
        return ScoredPart(**{**json.loads(folder.read(done)), "was_there": True})
    suffix = "parquet" if piece.format == "parquet" else "csv"
    with TemporaryDirectory(prefix="raisin-") as name_of_folder:
        here = Path(name_of_folder)
        plan = _plan(piece, classifier, target.version, here)
        tally = _Tally()
        errors = here / "errors"
        with errors.open("wb") as file:
            results = _answers(plan, tally, file.write)
            if piece.format == "parquet":
                with folder.draft(f"{name}.{suffix}") as draft:
                    _write_parquet(draft, results, here)
            else:
                put(folder, f"{name}.{suffix}", _headed(plan, results))
        if tally.bad:
            lines = [scoring.ERRORS_HEADER, errors.read_bytes()]
            put(folder, f"{name}.errors.csv", lines)
        head = len(scoring.header(plan))
    part = ScoredPart(f"{name}.{suffix}", piece.name, tally.rows, tally.bad, target.job, head)
    put(folder, done, [json.dumps(asdict(part)).encode()])
    return part


@dataclass
class _Tally:
    rows: int = 0
    bad: int = 0


def _plan(piece: Piece, classifier: Classifier, version: int, here: Path) -> ScoringPlan:
    """The piece as a file of its own."""
    source = here / "source"
    if piece.format == "parquet":
        with local_copies.here(piece.url) as path:
            scanned = pl.scan_parquet(path, glob=False)
            rows = scanned.slice(piece.start, piece.stop - piece.start)
            rows.collect().write_parquet(source)
    else:
        with source.open("wb") as file:
            file.write(piece.head)
            file.write(read(piece.url, piece.start, piece.stop))
    reading = Reading(piece.format, "utf-8", piece.delimiter, piece.header, piece.head)
    columns = mapping.match(classifier.schema, piece.header).matched
    return ScoringPlan(source, reading, classifier, columns, version=version)


def _answers(
    plan: ScoringPlan, tally: _Tally, write_errors: Callable[[bytes], object]
) -> Iterator[bytes]:
    for chunk in scoring.chunks(plan):
        tally.rows += chunk.n_rows
        tally.bad += chunk.n_bad
        write_errors(chunk.errors)
        yield chunk.results


def _headed(plan: ScoringPlan, results: Iterable[bytes]) -> Iterator[bytes]:
    """Every part ends its last line, so that parts may follow one another."""
    yield scoring.header(plan)
    last = b""
    for last in results:
        yield last
    if last and not last.endswith(b"\n"):
        yield b"\n"


def _write_parquet(place: Path, results: Iterable[bytes], here: Path) -> None:
    parts = []
    for number, content in enumerate(results):
        parts.append(here / f"{number}.parquet")
        parts[-1].write_bytes(content)
    scoring.join(parts, place)


def _join(parts: Sequence[ScoredPart], place: Place) -> None:
    """One file of all parts, and one of all errors with rows counted through; then the parts go."""
    folder, out, job = place.folder, place.out, parts[0].job
    files = [folder / part.file for part in parts]
    with draft_of(out) as draft:
        if files[0].suffix == ".parquet":
            scoring.join(files, draft)
        else:
            fill(draft, _one_after_another(parts, folder))
        place.note(job, out, draft)
    if any(part.bad for part in parts):
        with draft_of(place.errors) as draft:
            fill(draft, _all_errors(parts, folder))
            place.note(job, place.errors, draft)
    # The words that parts are there go first, and whose they are last: a kill leaves nothing that looks done.
    for file in sorted(
        folder.iterdir(), key=lambda file: (file.name == LABEL, file.suffix != ".json")
    ):
        file.unlink()
    folder.rmdir()


def _one_after_another(parts: Sequence[ScoredPart], folder: Path) -> Iterator[bytes]:
    """All parts below the header of the first."""
    for number, part in enumerate(parts):
        with (folder / part.file).open("rb") as file:
            file.seek(part.head if number else 0)
            while content := file.read(PIECE_BYTES):
                yield content


def _all_errors(parts: Sequence[ScoredPart], folder: Path) -> Iterator[bytes]:
    yield scoring.ERRORS_HEADER
    before = 0
    for part in parts:
        place = (folder / part.file).with_suffix(".errors.csv")
        if part.bad:
            with place.open(encoding="utf-8", newline="") as file:
                text = io.StringIO()
                writer = csv.writer(text, lineterminator="\n")
                for row, *cells in islice(csv.reader(file), 1, None):
                    writer.writerow([int(row) + before, *cells])
            yield text.getvalue().encode()
        before += part.rows
