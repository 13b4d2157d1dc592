"""A CSV file is scored row by row; each row keeps its text, and the answers stand behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from endpoints.services.tables import scoring
from tests.endpoints.services.tables.files import (
    HEADER,
    errors,
    plan_of,
    results,
    scored,
    tally,
    three_classes,
    two_classes,
)
from tests.mlcore.classifiers import Squared


def test_it_works(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, HEADER + b"90000,0.6,red\n80000,0.8,dark\n")
    report = two_classes().score([[90000, 0.6, "red"], [80000, 0.8, "dark"]])
    assert scoring.header(plan) == b"Area,Extent,Colour,probability,label,version,error\n"
    lines = results(plan).decode().splitlines()
    assert lines[0].startswith("90000,0.6,red,")
    assert [float(line.split(",")[3]) for line in lines] == report.positive.tolist()
    assert [line.split(",")[4:] for line in lines] == [[label, "3", ""] for label in report.labels]


def test_three_classes_have_a_probability_each(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, HEADER + b"90000,0.6,red\n", three_classes())
    report = three_classes().score([[90000, 0.6, "red"]])
    names = scoring.header(plan).decode().strip().split(",")[3:]
    cells = results(plan).decode().strip("\n").split(",")[3:]
    assert names[:3] == ["probability_Besni", "probability_Kecimen", "probability_Rumi"]
    assert [float(cell) for cell in cells[:3]] == report.probabilities[0].tolist()
    assert cells[3:] == [report.labels[0], "3", ""]


def test_a_calibration_is_applied(tmp_path: Path) -> None:
    from dataclasses import replace

    classifier = replace(two_classes(), calibration=Squared())
    plan = plan_of(tmp_path, HEADER + b"90000,0.6,red\n", classifier)
    p = float(results(plan).decode().split(",")[3])
    assert p == classifier.score([[90000, 0.6, "red"]]).positive[0]


def test_columns_that_are_there_already_get_a_number(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, b"Area,label,Extent,Colour,error\n1,a,1,red,\n")
    assert plan.answers == ["probability", "label_2", "version", "error_2"]


def test_other_columns_are_kept_as_they_are(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "id;Colour;Extent;Area;Grüße\n 007 ;red;1;2;=1+1\n".encode())
    assert plan.reading.delimiter == ";"
    assert results(plan).startswith(b" 007 ;red;1;2;=1+1;9.07")


def test_a_missing_value_is_filled_where_the_schema_says_with_what(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, HEADER + b"5,NA,red\n5,0.7,\n5,0.7,red\n")
    [chunk] = scoring.chunks(plan)
    assert chunk.answered.imputed == (("Extent",), ("Colour",), ())
    assert chunk.answered.values == [[5.0, 0.7, "red"]] * 3
    assert len(set(chunk.answered.headlines.tolist())) == 1


def test_without_fills_a_missing_value_is_an_error(tmp_path: Path) -> None:
    from dataclasses import replace

    strict = replace(two_classes(), schema=two_classes().schema.without_fills())
    assert scored(tmp_path, b"5,,red\n", classifier=strict) == [
        ["", "", "3", "Extent: a value is needed here"]
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("abc,1,red", "Area: expected a number, got 'abc'"),
        (",1,red", "Area: a value is needed here"),
        ("1e999,1,red", "Area: expected a finite number up to 1e150 in size, got inf"),
        ("1_000,1,red", "Area: expected a number, got '1_000'"),
        ("True,1,red", "Area: expected a number, got 'True'"),
        ("1,1,rod", "Colour: expected one of dark, gold, red, got 'rod'; did you mean \"red\"?"),
        ("1,x,blue", "Extent: expected a number, got 'x' (and 1 more)"),
        ("1,1", "expected 3 cells as in the header, got 2"),
        (
            "1,1,red,5",
            "expected 3 cells as in the header, got 4; put a cell that holds a comma in quotation marks",
        ),
        ("1,1,red,", "expected 3 cells as in the header, got 4"),
        ("1", "expected 3 cells as in the header, got 1"),
        ("1\r,1,red", "a carriage return stands within the row"),
    ],
)
def test_a_bad_row_keeps_its_text_and_says_what_is_wrong(
    row: str, problem: str, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, HEADER + f"1,1,red\n{row}\n1,1,red\n".encode())
    first, bad, last = results(plan).removesuffix(b"\n").split(b"\n")
    assert first == last
    own = {"1,1": "1,1,", "1": "1,,", "1,1,red,5": '"1,1,red,5",,', "1,1,red,": '"1,1,red,",,'}
    kept = own.get(row, row if "\r" not in row else f'"{row}",,')
    assert bad.startswith(f"{kept},,,3,".encode())
    [chunk] = scoring.chunks(plan)
    assert (chunk.n_rows, chunk.n_bad) == (3, 1)
    assert chunk.answered.rows == [1, 3]
    cells = scored(tmp_path, f"{row}\n".encode()) if "\r" not in row else [["", "", "3", problem]]
    assert cells == [["", "", "3", problem]]


def test_a_decimal_comma_is_told_from_other_text(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, b"Area;Extent;Colour\n1234,5;1;red\n")
    [[row, column, value, problem]] = errors(plan)
    assert (row, column, value) == ("1", "Area", "1234,5")
    assert problem == "expected a number, got '1234,5'; write the decimals after a point"


def test_errors_are_told_cell_by_cell(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, b"size,Extent,Colour\n1,1,red\nabc,1,blue\n", label_column="")
    plan = type(plan)(
        plan.source,
        plan.reading,
        plan.classifier,
        {"Area": "size", "Extent": "Extent", "Colour": "Colour"},
    )
    assert [line[:3] for line in errors(plan)] == [["2", "size", "abc"], ["2", "Colour", "blue"]]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (b"1,1,red\n2,1,red\n", [b"\n", b"\n"]),
        (b"1,1,red\r\n2,1,red\r\n", [b"\r\n", b"\r\n"]),
        (b"1,1,red\r\n2,1,red\n", [b"\r\n", b"\n"]),
        (b"1,1,red\n2,1,red\r\n", [b"\n", b"\r\n"]),
        (b"1,1,red\r\n2,1,red", [b"\r\n", b""]),
        (b"1,1,red\n2,1,red", [b"\n", b""]),
        (b"1,1,red\n\r\n\n2,1,red\n\n", [b"\n", b"\r\n", b"\n", b"\n", b"\n"]),
    ],
)
def test_every_line_keeps_its_end(text: bytes, ends: list[bytes], tmp_path: Path) -> None:
    lines = results(plan_of(tmp_path, HEADER + text)).splitlines(keepends=True)
    assert [line[len(line.rstrip(b"\r\n")) :] for line in lines] == ends


def test_blank_lines_stay_and_are_no_rows(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, HEADER + b"\n1,1,red\n\n\nabc,1,red\n\n")
    lines = results(plan).split(b"\n")
    assert [bool(line) for line in lines] == [False, True, False, False, True, False, False]
    assert scoring.count_rows(plan, lambda: None) == 2
    assert errors(plan)[0][0] == "2"


def test_quoted_cells_are_read_without_their_quotes(tmp_path: Path) -> None:
    plain = scored(tmp_path, b"1.5,1,red\n")
    assert scored(tmp_path, b'"1.5",1,"red"\n') == plain
    note = plan_of(tmp_path, b'Area,Extent,Colour,note\n"1.5",1,red,"a ""b"", c\nd"\n')
    assert results(note).startswith(b'"1.5",1,red,"a ""b"", c\nd",' + plain[0][0].encode())


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (b'1,1,"red', b'"1,1,""red",,'),
        (b'1,"1"x,red', b'"1,""1""x,red",,'),
        (b'1,1,red"', b'1,1,red"'),
    ],
)
def test_a_row_with_a_broken_quote_is_bad_alone(row: bytes, kept: bytes, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, HEADER + b"1,1,red\n" + row + b"\n1,1,red\n1,1,red\n")
    lines = results(plan).splitlines()
    assert len(lines) == 4
    assert lines[0] == lines[2] == lines[3]
    assert lines[1].startswith(kept + b",,,3,")


def test_bytes_that_are_no_text_make_a_bad_row_that_keeps_them(tmp_path: Path) -> None:
    rows = b"1,1,red\n" * 200 + b"1,1,r\xe9d\r\n" + b"1,1,red\n"
    plan = plan_of(tmp_path, HEADER + rows)
    lines = results(plan).split(b"\n")
    assert lines[200].startswith(b"1,1,r\xe9d,,,3,")
    assert lines[200].endswith(b"text\r")
    assert lines[201] == lines[0]
    assert plan.reading.notes == ("1 line holds bytes that are no UTF-8 text.",)


def test_true_labels_are_compared(tmp_path: Path) -> None:
    rows = b"".join(b"%d,0.6,red,%s\n" % (area, name) for area, name in LABELLED)
    plan = plan_of(tmp_path, b"Area,Extent,Colour,Class\n" + rows, label_column="Class")
    [chunk] = scoring.chunks(plan)
    assert chunk.answered.true_labels == ["Besni", "Kecimen", None, "Rumi"]
    found = chunk.tally
    assert (found.labelled, found.foreign) == (2, 1)
    report = two_classes().score([[area, 0.6, "red"] for area, _ in LABELLED[:2]])
    right = [a == b for a, b in zip(report.labels, ["Besni", "Kecimen"], strict=True)]
    metrics = found.metrics(two_classes().classes)
    assert metrics is not None
    assert metrics["accuracy"] == sum(right) / 2
    own = [report.probabilities[0, 0], report.probabilities[1, 1]]
    assert metrics["brier"] == pytest.approx(sum((1 - p) ** 2 for p in own) / 2)


LABELLED = [(90_000, b"Besni"), (20_000, b" Kecimen "), (50_000, b""), (50_000, b"Rumi")]


def test_the_tally_counts_what_the_results_say(tmp_path: Path) -> None:
    rows = b"".join(b"%d,0.6,red\n" % area for area in range(0, 200_000, 1_000)) + b"x,1,red\n1\n"
    plan = plan_of(tmp_path, HEADER + rows)
    found = tally(plan, chunk_bytes=500)
    written = [line.split(",")[3:] for line in results(plan).decode().splitlines()]
    assert (found.rows, found.bad, sum(found.histogram)) == (202, 2, 200)
    assert found.errors == {"wrong_type": 1, "wrong_length": 1}
    assert found.labels == {
        name: sum(row[1:2] == [name] for row in written) for name in two_classes().classes
    }
    assert [error["row"] for error in found.first_errors] == [201, 202]


@pytest.mark.parametrize(
    ("cell", "is_formula"),
    [
        ("=1+1", True),
        ("@SUM(A1)", True),
        ("-1+cmd", True),
        ('"=1,5"', True),
        ("-3.5", False),
        ("+1e-5", False),
        ("a=b", False),
        ("2026-11-21", False),
        ("+1e+cmd|'/C calc'!A1", True),
        ("-1E(2)", True),
        ("-1.5.", False),
        ('"-1,5"', False),
        ('"-1,5""+cmd"', True),
        ("-", True),
        ('"\r1"', True),
        ('"-1\n"', True),
    ],
)
def test_it_tells_whether_a_cell_could_be_a_formula(
    cell: str, is_formula: bool, tmp_path: Path
) -> None:
    rows = f"Area,Extent,Colour,note\n1,1,red,{cell}\n".encode()
    assert tally(plan_of(tmp_path, rows)).formulas is is_formula


@pytest.mark.parametrize("cell", ["-1,5", "+1e9", "-.5", '"-1.5"'])
def test_a_number_is_no_formula_between_other_delimiters(cell: str, tmp_path: Path) -> None:
    rows = f"Area;Extent;Colour;note\n1;1;red;{cell}\n1;1;red;{cell}\n".encode()
    assert tally(plan_of(tmp_path, rows)).formulas is False


def test_empty_cells_between_tabs_are_no_formulas(tmp_path: Path) -> None:
    rows = b"Area\tExtent\tColour\tnote\tmore\n1\t1\tred\t\t\n"
    assert tally(plan_of(tmp_path, rows)).formulas is False


@pytest.mark.parametrize(
    ("header", "classes", "could_run"),
    [
        (b"Area,Extent,Colour,note\n", ("Besni", "Kecimen"), False),
        (b"Area,Extent,Colour,=1+1\n", ("Besni", "Kecimen"), True),
        (b'Area,Extent,Colour,"@x,y"\n', ("Besni", "Kecimen"), True),
        (b'Area,Extent,Colour," =1"\n', ("Besni", "Kecimen"), True),
        (b"Area,Extent,Colour,note\n", ("-1", "+1"), False),
        (b"Area,Extent,Colour,note\n", ("Besni", "=1+1"), True),
        (b"Area,Extent,Colour,note\n", ("Besni", '@a"b,c'), True),
    ],
)
def test_it_tells_whether_names_could_be_formulas(
    header: bytes, classes: tuple[str, ...], could_run: bool, tmp_path: Path
) -> None:
    classifier = replace(two_classes(), classes=classes)
    plan = plan_of(tmp_path, header + b"1,1,red,x\n", classifier)
    assert scoring.writes_formulas(plan) is could_run


def test_the_first_rows_are_shown_with_their_answers(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, HEADER + b'1,1,"red"\n\nabc,1,red\n' + b"1,1,red\n" * 20)
    found = scoring.first_rows(plan, 3)
    assert [row.cells for row in found][:2] == [["1", "1", "red"], ["abc", "1", "red"]]
    assert found[0].probability == found[2].probability
    assert (found[1].probability, found[1].error) == (None, "Area: expected a number, got 'abc'")
    assert len(found) == 3


def test_a_column_may_answer_two_features(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, b"x,Colour\n0.5,red\n")
    both = {"Area": "x", "Extent": "x", "Colour": "Colour"}
    plan = type(plan)(plan.source, plan.reading, plan.classifier, both)
    p = float(results(plan).decode().split(",")[2])
    assert p == two_classes().score([[0.5, 0.5, "red"]]).positive[0]
