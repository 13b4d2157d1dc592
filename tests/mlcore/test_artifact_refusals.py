"""A bundle that is not exactly as it was written is refused, whoever changed it and however.

The forger of these tests knows the format: after every change the checksums are made to agree
again, so that the content itself has to be found out.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcore import ArtifactError, TrainingResult, describe, load, save, smoke_test
from mlcore.canonical import canonical_json, pack, sha256

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def bundle(trained_mixed: TrainingResult, tmp_path: Path) -> Path:
    save(trained_mixed, tmp_path / "bundle")
    return tmp_path / "bundle"


def reseal(bundle: Path) -> None:
    """Make every checksum agree with the files as they are now."""
    model = json.loads((bundle / "model.json").read_bytes())
    model["weights_sha256"] = sha256((bundle / "weights.npz").read_bytes())
    (bundle / "model.json").write_bytes(canonical_json(model))
    resum(bundle)


def resum(bundle: Path) -> None:
    lines = (f"{sha256((bundle / n).read_bytes())}  {n}" for n in ("model.json", "weights.npz"))
    (bundle / "SHA256SUMS").write_text("\n".join(lines) + "\n")


def change(bundle: Path, path: str, value: Any) -> None:
    """Set or, for ..., delete the value behind a path such as features.0.name; then reseal."""
    model = json.loads((bundle / "model.json").read_bytes())
    place, steps = model, path.split(".")
    for step in steps[:-1]:
        place = place[int(step) if isinstance(place, list) else step]
    last: Any = int(steps[-1]) if isinstance(place, list) else steps[-1]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    (bundle / "model.json").write_bytes(canonical_json(model))
    reseal(bundle)


def rearrange(bundle: Path, alter: Callable[[dict[str, np.ndarray]], object]) -> None:
    with np.load(bundle / "weights.npz") as npz:
        arrays = dict(npz)
    alter(arrays)
    (bundle / "weights.npz").write_bytes(pack(arrays))
    reseal(bundle)


def assert_refused(bundle: Path, match: str | None = None) -> None:
    for use in (load, describe, smoke_test):
        with pytest.raises(ArtifactError, match=match):
            use(bundle)


def test_resealing_alone_changes_nothing(bundle: Path) -> None:
    before = load(bundle).estimator.weights.tolist()
    reseal(bundle)
    assert load(bundle).estimator.weights.tolist() == before


def test_it_refuses_another_bundle_than_the_one_asked_for(bundle: Path) -> None:
    for use in (load, describe, smoke_test):
        with pytest.raises(ArtifactError, match="the bundle's SHA-256 is"):
            use(bundle, sha256="0" * 64)


@pytest.mark.parametrize("name", ["model.json", "weights.npz", "SHA256SUMS"])
class TestEveryFile:
    def test_must_be_there(self, bundle: Path, name: str) -> None:
        (bundle / name).unlink()
        assert_refused(bundle, f"cannot read {name}")

    def test_must_not_be_empty(self, bundle: Path, name: str) -> None:
        (bundle / name).write_bytes(b"")
        assert_refused(bundle)

    def test_must_not_be_a_link(self, bundle: Path, name: str) -> None:
        elsewhere = bundle.parent / name
        (bundle / name).rename(elsewhere)
        (bundle / name).symlink_to(elsewhere)
        assert_refused(bundle, f"cannot read {name}")

    def test_must_not_be_a_directory(self, bundle: Path, name: str) -> None:
        (bundle / name).unlink()
        (bundle / name).mkdir()
        assert_refused(bundle, name)

    def test_must_not_be_a_pipe(self, bundle: Path, name: str) -> None:
        (bundle / name).unlink()
        os.mkfifo(bundle / name)
        assert_refused(bundle, "not a regular file")

    def test_must_not_be_huge(self, bundle: Path, name: str) -> None:
        with (bundle / name).open("r+b") as file:
            file.truncate(65 * 2**20)
        assert_refused(bundle, "not a regular file of at most 64 MiB")

    @FUZZ
    @given(data=st.data())
    def test_shows_a_flipped_bit(self, bundle: Path, name: str, data: st.DataObject) -> None:
        original = (bundle / name).read_bytes()
        place = data.draw(st.integers(0, len(original) - 1))
        flipped = bytearray(original)
        flipped[place] ^= 1 << data.draw(st.integers(0, 7))
        self.refused_with(bundle / name, bytes(flipped), original)

    @FUZZ
    @given(data=st.data())
    def test_shows_a_cut(self, bundle: Path, name: str, data: st.DataObject) -> None:
        original = (bundle / name).read_bytes()
        cut = data.draw(st.integers(0, len(original) - 1))
        self.refused_with(bundle / name, original[:cut], original)

    def refused_with(self, path: Path, content: bytes, original: bytes) -> None:
        try:
            path.write_bytes(content)
            with pytest.raises(ArtifactError):
                load(path.parent)
        finally:
            path.write_bytes(original)


@FUZZ
@given(data=st.data())
def test_resealed_damage_to_the_weights_is_found(bundle: Path, data: st.DataObject) -> None:
    original = (bundle / "weights.npz").read_bytes()
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(original) - 1))] ^= data.draw(st.integers(1, 255))
    if bytes(damaged) == original:
        return
    try:
        (bundle / "weights.npz").write_bytes(damaged)
        reseal(bundle)
        with pytest.raises(ArtifactError):
            load(bundle)
    finally:
        (bundle / "weights.npz").write_bytes(original)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "pickle"),
        ("format_version", 2),
        ("format_version", 4),
        ("format_version", ...),
        ("extra", 1),
        ("target", 5),
        ("target", ...),
        ("classes", ["a"]),
        ("classes", ["a", "a"]),
        ("classes", "ab"),
        ("classes", ["a", None]),
        ("threshold", "0.5"),
        ("threshold", 1.5),
        ("threshold", True),
        ("threshold", None),
        ("converged", 1),
        ("intercept", 0.0),
        ("features", []),
        ("features", {}),
        ("features.0", None),
        ("features.0.name", "Extent"),
        ("features.0.name", 3),
        ("features.0.kind", "text"),
        ("features.0.levels", ["x"]),
        ("features.0.fill", "x"),
        ("features.0.fill", True),
        ("features.0.extra", 1),
        ("features.2.levels", []),
        ("features.2.levels", ["dark", "dark", "red"]),
        ("features.2.levels", ["dark", "gold"]),
        ("features.2.levels", "abc"),
        ("features.2.fill", "blue"),
        ("scaler.0.mean", 0.0),
        ("coefficients.0.weight", 0.0),
        ("profile", None),
        ("profile.n_rows", "720"),
        ("profile.columns", []),
        ("profile.columns.0.quantiles", [1.0]),
        ("profile.columns.0.quantiles.500", 1e9),
        ("profile.columns.0.deciles", ...),
        ("profile.columns.0.deciles.counts", [1] * 3),
        ("profile.columns.0.deciles.counts.0", -1),
        ("profile.columns.0.deciles.counts.0", 1.5),
        ("profile.columns.0.deciles.edges.0", 1e9),
        ("profile.columns.0.deciles.edges.0", None),
        ("profile.columns.0.deciles.extra", 1),
        ("profile.columns.0.tails", ...),
        ("profile.columns.0.tails.below", -1),
        ("profile.columns.0.tails.above", 10**6),
        ("profile.columns.0.tails.above_sum", "much"),
        ("profile.columns.2.deciles", {"edges": [1.0], "counts": [1, 1]}),
        ("profile.class_counts", [1]),
        ("profile.class_counts", [1, "2"]),
        ("profile.scores.deciles", ...),
        ("profile.scores.mean", None),
        ("profile.scores.sd", "small"),
        ("profile.columns.0.mean", None),
        ("profile.columns.0.name", "x"),
        ("profile.columns.2.counts", []),
        ("profile.columns.2.counts.0", ["dark", "many"]),
        ("profile.columns.2.missing", "none"),
        ("profile.scores.histogram", [1] * 19),
        ("profile.scores.quantiles.0", None),
        ("profile.scores.extra", 1),
        ("probes", ...),
        ("spec", ...),
    ],
)
def test_it_refuses_a_forged_description(bundle: Path, path: str, value: Any) -> None:
    change(bundle, path, value)
    assert_refused(bundle)


def test_it_refuses_a_profile_of_values_that_cannot_be_scored(bundle: Path) -> None:
    model = json.loads((bundle / "model.json").read_bytes())
    quantiles = model["profile"]["columns"][0]["quantiles"]
    beyond = len(quantiles) // 11
    change(bundle, "profile.columns.0.quantiles", [*quantiles[:-beyond], *[1e200] * beyond])
    with pytest.raises(ArtifactError, match="the profile holds values that cannot be scored"):
        load(bundle)


@pytest.mark.parametrize(
    "alter",
    [
        lambda arrays: arrays.update(weights=arrays["weights"][:-1]),
        lambda arrays: arrays.update(weights=arrays["weights"] * np.nan),
        lambda arrays: arrays.update(intercept=np.array([np.inf])),
        lambda arrays: arrays.update(scales=arrays["scales"] * 0),
        lambda arrays: arrays.update(scales=-arrays["scales"]),
        lambda arrays: arrays.update(extra=np.zeros(1)),
        lambda arrays: arrays.pop("means"),
        lambda arrays: arrays.update(weights=arrays["weights"] + 1),
        lambda arrays: arrays.clear(),
    ],
)
def test_it_refuses_other_arrays(
    bundle: Path, alter: Callable[[dict[str, np.ndarray]], object]
) -> None:
    rearrange(bundle, alter)
    assert_refused(bundle)


class Bomb:
    """What an unpickler would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def repacked(bundle: Path, weights: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(bundle / "weights.npz") as old,
        zipfile.ZipFile(buffer, "w", compression) as new,
    ):
        for name in old.namelist():
            new.writestr(name, weights if name == "weights.npy" else old.read(name))
    return buffer.getvalue()


def test_it_never_unpickles(bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    for member in (buffer.getvalue(), pickle.dumps(Bomb())):
        (bundle / "weights.npz").write_bytes(repacked(bundle, member))
        reseal(bundle)
        assert_refused(bundle)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("padding", [0, 4000])
def test_a_zip_bomb_does_not_unfold(bundle: Path, padding: int) -> None:
    original = len((bundle / "weights.npz").read_bytes())
    bomb = repacked(bundle, b"\0" * (100 * 2**20), zipfile.ZIP_DEFLATED)
    bomb = (bomb + b"\0" * padding)[: max(original, len(bomb))]
    (bundle / "weights.npz").write_bytes(bomb)
    reseal(bundle)
    assert_refused(bundle, "bytes instead of")


@pytest.mark.parametrize(
    ("true", "false"),
    [
        (b"'shape': (5,)", b"'shape': (9,)"),
        (b"'descr': '<f8'", b"'descr': '|O' "),
        (b"'descr': '<f8'", b"'descr': '>f8'"),
    ],
)
def test_a_member_that_lies_about_itself_is_refused(
    bundle: Path, true: bytes, false: bytes
) -> None:
    with zipfile.ZipFile(bundle / "weights.npz") as archive:
        member = archive.read("weights.npy")
    assert true in member
    (bundle / "weights.npz").write_bytes(repacked(bundle, member.replace(true, false)))
    reseal(bundle)
    assert_refused(bundle, "holds something other than 5 numbers as weights")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"a": NaN}',
        "[" * 100_000,
        '{"format": "raisin-classifier"}',
        '{"a": ' + "9" * 5000 + "}",
        "\ufeff{}",
    ],
)
def test_it_refuses_other_json(bundle: Path, text: str) -> None:
    (bundle / "model.json").write_text(text)
    resum(bundle)
    assert_refused(bundle)


def test_it_refuses_a_second_spelling(bundle: Path) -> None:
    text = (bundle / "model.json").read_text()
    for other in (text + "\n", text.replace('"classes":', '"classes": '), text.rstrip()):
        (bundle / "model.json").write_text(other)
        resum(bundle)
        assert_refused(bundle, "canonical form")


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("probes.probabilities.0", 0.123, "away from its stored probability"),
        ("probes.probabilities.0", "x", "cannot be scored"),
        ("probes.probabilities", [0.5], "cannot be scored"),
        ("probes.rows", [], "cannot be scored"),
        ("probes.rows.0", [1], "cannot be scored"),
        ("probes", {}, "cannot be scored"),
        ("probes", 7, "cannot be scored"),
    ],
)
def test_the_smoke_test_refuses_other_answers(
    bundle: Path, path: str, value: Any, match: str
) -> None:
    change(bundle, path, value)
    with pytest.raises(ArtifactError, match=match):
        smoke_test(bundle)


def test_it_refuses_what_is_not_there(tmp_path: Path) -> None:
    assert_refused(tmp_path / "nothing", "cannot read")
    (tmp_path / "file").write_text("x")
    assert_refused(tmp_path / "file", "file is damaged")


def test_other_arrays_do_not_belong_to_the_description(bundle: Path) -> None:
    with (bundle / "weights.npz").open("ab") as file:
        file.write(b"more")
    resum(bundle)
    assert_refused(bundle, "not the file that model.json was written with")


def test_a_moved_bundle_still_loads(bundle: Path) -> None:
    moved = shutil.move(bundle, bundle.parent / "moved")
    assert load(Path(moved)).target == "Class"
