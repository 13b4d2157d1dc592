"""A bundle as one file: handed over as a whole, and only exactly as it was written."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcore import ArtifactError, TrainingResult, artifact, describe, load, save, smoke_test
from mlcore.canonical import pack_files
from tests.mlcore.test_artifact import FILES, content

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def file(trained_mixed: TrainingResult, tmp_path: Path) -> Path:
    save(trained_mixed, tmp_path / "model.zip")
    return tmp_path / "model.zip"


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def assert_refused(file: Path, match: str) -> None:
    for use in (load, describe, smoke_test):
        with pytest.raises(ArtifactError, match=match):
            use(file)
    with pytest.raises(ArtifactError, match=match):
        artifact.copy(file, file.with_name("copied"))
    assert not file.with_name("copied").exists()


def test_it_works(trained_mixed: TrainingResult, file: Path, tmp_path: Path) -> None:
    sha256 = save(trained_mixed, tmp_path / "folder")
    assert describe(file, sha256=sha256) == describe(tmp_path / "folder")
    assert smoke_test(file, sha256=sha256).largest_difference == 0.0
    loaded, original = load(file, sha256=sha256), trained_mixed.classifier
    assert loaded.profile == original.profile
    assert loaded.estimator.weights.tolist() == original.estimator.weights.tolist()


def test_it_holds_the_files_of_the_directory_and_is_the_only_one(file: Path) -> None:
    assert sorted(members(file)) == FILES
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with zipfile.ZipFile(file) as archive:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())


def test_there_and_back_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    sha256 = artifact.copy(file, tmp_path / "folder")
    assert content(tmp_path / "folder") == members(file)
    assert artifact.copy(tmp_path / "folder", tmp_path / "again.zip") == sha256
    assert (tmp_path / "again.zip").read_bytes() == file.read_bytes()


def test_the_same_bundle_may_be_written_again(trained_mixed: TrainingResult, file: Path) -> None:
    before = file.stat().st_ino
    save(trained_mixed, file)
    assert file.stat().st_ino == before


def test_it_never_writes_over_another_bundle(
    trained: TrainingResult, trained_mixed: TrainingResult, file: Path
) -> None:
    before = file.read_bytes()
    with pytest.raises(ArtifactError, match=r"model\.zip already holds another bundle"):
        save(trained, file)
    assert file.read_bytes() == before
    save(trained, file.with_name("folder"))
    with pytest.raises(ArtifactError, match="folder already holds another bundle"):
        artifact.copy(file, file.with_name("folder"))


def test_it_refuses_a_place_that_cannot_be_written(trained: TrainingResult, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file")
    with pytest.raises(ArtifactError, match="cannot write the bundle"):
        save(trained, tmp_path / "plain" / "model.zip")


def test_it_refuses_another_bundle_than_the_one_asked_for(file: Path) -> None:
    with pytest.raises(ArtifactError, match="the bundle's SHA-256 is"):
        load(file, sha256="0" * 64)


def test_a_link_is_not_followed(file: Path) -> None:
    (file.with_name("link.zip")).symlink_to(file)
    assert_refused(file.with_name("link.zip"), r"cannot read link\.zip")


def test_it_refuses_a_huge_file_without_reading_it(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(200 * 2**20)
    assert_refused(file, "not a regular file of at most 128 MiB")


@pytest.mark.parametrize("data", [b"", b"PK", b"\x80\x04N.", b"PK\x05\x06" + bytes(18)])
def test_it_refuses_what_is_no_archive_or_an_empty_one(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert_refused(file, r"model\.zip is damaged")


@pytest.mark.parametrize("missing", FILES)
def test_every_file_must_be_in_it(file: Path, missing: str) -> None:
    files = members(file)
    del files[missing]
    file.write_bytes(pack_files(files))
    assert_refused(file, f"model.zip is damaged: .*{missing}")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "notes.txt", "model.json/x"])
def test_it_refuses_any_other_member(file: Path, name: str) -> None:
    file.write_bytes(pack_files({**members(file), name: b"x"}))
    assert_refused(file, r"model\.zip is not in the canonical form")
    assert not (file.parent.parent / "evil").exists()


def rezipped(file: Path, **settings: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **settings) as archive:  # type: ignore[call-overload]
        for name, data in members(file).items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_it_refuses_the_same_files_packed_by_another_tool(file: Path, compression: int) -> None:
    file.write_bytes(rezipped(file, compression=compression))
    assert_refused(file, r"model\.zip is not in the canonical form")


def test_a_bomb_is_not_unpacked(file: Path) -> None:
    files = {**members(file), "model.json": bytes(300 * 2**20)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    file.write_bytes(buffer.getvalue())
    assert_refused(file, r"model\.zip is not in the canonical form")


def test_a_long_listing_is_not_parsed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        for number in range(1_500):
            archive.writestr(f"member {number}", b"")
    monkeypatch.setattr(zipfile, "ZipFile", None)  # whoever would parse it fails
    assert_refused(file, r"model\.zip is not in the canonical form")


def test_a_large_document_is_refused_where_there_is_a_limit(file: Path) -> None:
    with pytest.raises(ArtifactError, match=r"model\.json has \d+ bytes; 100 is the most"):
        artifact.copy(file, file.with_name("copied"), largest_document=100)
    assert not file.with_name("copied").exists()


def test_it_refuses_a_symbolic_link_as_a_member(file: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members(file).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, data)
    file.write_bytes(buffer.getvalue())
    assert_refused(file, r"model\.zip is not in the canonical form")


@FUZZ
@given(place=st.integers(0, 10**9), value=st.integers(0, 255))
def test_no_changed_byte_goes_unnoticed(file: Path, place: int, value: int) -> None:
    data = bytearray(file.read_bytes())
    place %= len(data)
    if data[place] == value:
        return
    data[place] = value
    changed = file.with_name("changed.zip")
    changed.write_bytes(data)
    with pytest.raises(ArtifactError):
        load(changed)


@FUZZ
@given(data=st.binary(max_size=400))
def test_bytes_after_or_before_the_archive_are_refused(file: Path, data: bytes) -> None:
    changed = file.with_name("changed.zip")
    for forged in (file.read_bytes() + b"x" + data, data + b"x" + file.read_bytes()):
        changed.write_bytes(forged)
        with pytest.raises(ArtifactError):
            load(changed)


def test_copying_what_is_not_there_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"cannot read model\.json of the bundle"):
        artifact.copy(tmp_path / "nothing", tmp_path / "copy")
    assert not list(tmp_path.iterdir())
