from __future__ import annotations

import pytest

from mlcore import DataError, read_arff

GOOD = """% a comment
@RELATION grains

@ATTRIBUTE Area\tNUMERIC
@attribute 'Major Axis' real
@attribute Class {Kecimen, Besni}
@DATA
% another
87524, 442.2460114,Kecimen

75166,?,'Besni'
"""


def test_it_works() -> None:
    table = read_arff(GOOD)
    assert table.header == ("Area", "Major Axis", "Class")
    assert table.rows == (("87524", "442.2460114", "Kecimen"), ("75166", "?", "Besni"))
    assert table.lines == (9, 11)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@attribute a date\n@data\n1\n", "line 1: not a numeric or nominal attribute"),
        ("@attribute a real\nhello\n@data\n1\n", "line 2: not an ARFF declaration"),
        ("@attribute a real\n@data\n1\n1,2\n", "line 4: 2 cells, but the header has 1"),
        ("@attribute a real\n@attribute a real\n@data\n1,2\n", "names a column twice"),
        ("@attribute a real\n@data\n", "no rows"),
        ("@data\n1\n", "declares no attribute"),
        ("", "declares no attribute"),
    ],
)
def test_it_refuses(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_arff(text)
