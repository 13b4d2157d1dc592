from __future__ import annotations

import io

import numpy as np
import pytest

from mlcore import ArtifactError
from mlcore.canonical import Form, pack, unpack

ARRAYS = {
    "values": np.array([[0.25, 0.75], [1.0, 0.0], [0.0, 1.0]]),
    "feature": np.array([1, -1, -1], dtype=np.int32),
    "counts": np.array([2**40, -1], dtype=np.int64),
    "nothing": np.zeros((0, 3)),
}
FORMS = {name: Form.of(array) for name, array in ARRAYS.items()}


def test_it_works() -> None:
    found = unpack(pack(ARRAYS), FORMS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].tolist() == array.tolist(), name
        assert found[name].flags.writeable, name


def test_numpy_reads_it() -> None:
    with np.load(io.BytesIO(pack(ARRAYS)), allow_pickle=False) as archive:
        assert {name: archive[name].tolist() for name in archive} == {
            name: array.tolist() for name, array in ARRAYS.items()
        }


def test_equal_arrays_are_equal_bytes() -> None:
    other = {
        "values": np.asfortranarray(ARRAYS["values"]),
        "feature": ARRAYS["feature"].astype(">i4"),
        "counts": np.repeat(ARRAYS["counts"], 2)[::2],
        "nothing": ARRAYS["nothing"],
    }
    assert pack(other) == pack(ARRAYS)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint32, bool, object, "U3"])
def test_other_types_are_not_written(dtype: type) -> None:
    with pytest.raises(ValueError, match="x holds"):
        pack({"x": np.zeros(2).astype(dtype)})


@pytest.mark.parametrize(
    ("name", "form", "match"),
    [
        ("values", Form("<f8", (2, 3)), "other than 2 x 3 numbers as values"),
        ("values", Form("<i8", (3, 2)), "other than 3 x 2 numbers as values"),
        ("feature", Form("<i4", (4,)), "bytes instead of"),
        ("feature", Form("|O8", (3,)), "unknown type"),
        ("feature", Form("<i4", (10**9, 10**9)), "too few for what it should hold"),
    ],
)
def test_another_form_than_the_written_one_is_refused(name: str, form: Form, match: str) -> None:
    with pytest.raises(ArtifactError, match=match):
        unpack(pack(ARRAYS), FORMS | {name: form})
