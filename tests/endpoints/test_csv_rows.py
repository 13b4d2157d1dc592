"""CSV bodies: with or without a header, typed by the schema, refused by row and column."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints import csv_rows
from endpoints.csv_rows import Cell, Header
from endpoints.errors import InvalidRequest, InvalidRows, TooLarge
from mlcore.errors import SchemaError
from mlcore.schema import Column, Schema

SCHEMA = Schema((Column("Area", "number"), Column("colour", "category", ("dark", "red", "7"))))
NUMBERS = Schema((Column("a", "number"), Column("b", "number")))


def read_csv(body: bytes, schema: Schema, *, header: Header = "guess") -> list[list[Cell]]:
    return csv_rows.read_csv(body, schema, most_rows=100, header=header)


def test_it_works() -> None:
    assert read_csv(b"Area,colour\n1.5,red\n2,dark\n", SCHEMA) == [[1.5, "red"], [2.0, "dark"]]


def test_columns_are_found_by_name() -> None:
    assert read_csv(b"colour,Area\r\nred,1.5\r\n", SCHEMA) == [[1.5, "red"]]


def test_a_byte_order_mark_and_blanks_do_not_matter() -> None:
    assert read_csv(b"\xef\xbb\xbfArea, colour\n 1e3 , red \n\n", SCHEMA) == [[1000.0, "red"]]


def test_cells_of_a_category_stay_text() -> None:
    assert read_csv(b"Area,colour\n7,7\n", SCHEMA) == [[7.0, "7"]]


@pytest.mark.parametrize("cell", [b"", b"NaN", b"NA", b"null", b"?"])
def test_a_cell_without_a_value_is_missing(cell: bytes) -> None:
    assert read_csv(b"a,b\n1," + cell + b"\n", NUMBERS) == [[1.0, None]]


def test_a_level_called_na_is_no_missing_value() -> None:
    schema = Schema((Column("a", "number"), Column("c", "category", ("NA", "EU"))))
    assert read_csv(b"a,c\n1,NA\n", schema) == [[1.0, "NA"]]


@pytest.mark.parametrize("text", [b"1,2\n3,4\n", b"1,2\n3,4", b",2\n3,4\n"])
def test_a_first_line_of_numbers_is_a_row(text: bytes) -> None:
    assert read_csv(text, NUMBERS)[-1] == [3.0, 4.0]
    assert len(read_csv(text, NUMBERS)) == 2


def test_names_that_look_like_numbers_are_known_by_the_schema() -> None:
    schema = Schema((Column("1", "number"), Column("2", "number")))
    assert read_csv(b"2,1\n5,6\n", schema) == [[6.0, 5.0]]


@pytest.mark.parametrize(("header", "rows"), [("absent", 2), ("guess", 1), ("present", 1)])
def test_the_caller_may_say_whether_there_is_a_header(header: Header, rows: int) -> None:
    schema = Schema((Column("dark", "category", ("dark", "red")),))
    assert len(read_csv(b"dark\nred\n", schema, header=header)) == rows


def test_what_is_no_number_is_left_for_the_schema_to_refuse() -> None:
    rows = read_csv(b"a,b\n1,2\n3,12x\n", NUMBERS)
    with pytest.raises(SchemaError, match="row 1, column b: expected a number, got '12x'"):
        NUMBERS.read(rows)


@pytest.mark.parametrize("cell", ["1_000", "0x10", "１", "1,5"])
def test_only_plain_numbers_are_numbers(cell: str) -> None:
    [row] = read_csv(f'a,b\n1,"{cell}"\n'.encode(), NUMBERS)
    assert row == [1.0, cell]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "The CSV is empty."),
        (b"\n\n", "The CSV is empty."),
        (b"a,b\n\xff,1\n", "not UTF-8"),
        (b'a,b\n"1,2\n', "cannot be read as CSV"),
        (b"a,b,a\n1,2,3\n", "named twice: a"),
    ],
)
def test_it_refuses(text: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read_csv(text, NUMBERS)


def test_it_refuses_a_header_of_other_columns_once_and_by_name() -> None:
    with pytest.raises(SchemaError) as caught:
        read_csv(b"Aera,colour\n1,red\n2,red\n", SCHEMA)
    assert [(cell.code, cell.column, cell.row) for cell in caught.value.cells] == [
        ("missing_field", "Area", None),
        ("unknown_field", "Aera", None),
    ]
    assert 'did you mean "Area"' in caught.value.cells[1].message


def test_it_says_where_a_column_without_a_name_comes_from() -> None:
    with pytest.raises(SchemaError, match="index=False"):
        read_csv(b",a,b\n0,1,2\n", NUMBERS)


def test_it_refuses_a_row_of_another_length() -> None:
    with pytest.raises(InvalidRows) as caught:
        read_csv(b"a,b\n1,2\n1\n", NUMBERS)
    assert [(cell.row, cell.code) for cell in caught.value.cells] == [(1, "wrong_length")]


def test_a_row_of_another_length_is_refused_without_a_header_too() -> None:
    with pytest.raises(SchemaError, match="row 1: expected 2 values, got 3"):
        NUMBERS.read(read_csv(b"1,2\n1,2,3\n", NUMBERS))


@pytest.mark.parametrize("header", [b"a,b\n", b""])
def test_it_refuses_more_rows_than_are_scored(header: bytes) -> None:
    assert len(read_csv(header + b"1,2\n" * 100, NUMBERS)) == 100
    with pytest.raises(TooLarge):
        read_csv(header + b"1,2\n" * 102, NUMBERS)


@given(
    st.lists(
        st.tuples(st.floats(-1e150, 1e150), st.sampled_from(["dark", "red", "7"])),
        min_size=1,
    )
)
def test_what_is_written_is_read_to_the_last_bit(rows: list[tuple[float, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Area", "colour"])
    writer.writerows(rows)
    assert read_csv(text.getvalue().encode(), SCHEMA) == [list(row) for row in rows]


def test_it_refuses_more_cells_in_a_line_than_a_table_has_columns() -> None:
    with pytest.raises(TooLarge, match=r"Line 2 of the CSV has 5,001 cells; 5,000 is the most"):
        read_csv(b"a,b\n" + b"1," * 5_000, NUMBERS)


def test_a_column_with_the_name_of_the_target_holds_labels() -> None:
    body = b"Class,Area,colour\nBesni,1.5,red\n,2,dark\n"
    found = csv_rows.read_labelled_csv(body, SCHEMA, target="Class", most_rows=100)
    assert found.rows == [[1.5, "red"], [2.0, "dark"]]
    assert found.labels == ["Besni", None]


def test_without_such_a_column_there_are_no_labels() -> None:
    body = b"colour,Area\nred,1.5\n"
    found = csv_rows.read_labelled_csv(body, SCHEMA, target="Class", most_rows=100)
    assert (found.rows, found.labels) == ([[1.5, "red"]], None)


def test_labels_twice_are_refused() -> None:
    body = b"Class,Area,colour,Class\nBesni,1.5,red,Besni\n"
    with pytest.raises(InvalidRequest, match="named twice: Class"):
        csv_rows.read_labelled_csv(body, SCHEMA, target="Class", most_rows=100)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_the_names(delimiter: str) -> None:
    text = "Area,colour\n1.5,red\n".replace(",", delimiter)
    assert read_csv(text.encode(), SCHEMA) == [[1.5, "red"]]


@pytest.mark.parametrize("first", ["sep=;\n", '\r\n"SEP=;"\r\n'])
@pytest.mark.parametrize("names", ["", "b;a\n"])
def test_a_first_line_may_name_the_delimiter(first: str, names: str) -> None:
    [row] = read_csv((first + names + "1;2\n").encode(), NUMBERS)
    assert row == ([2.0, 1.0] if names else [1.0, 2.0])


def test_a_delimiter_that_is_named_is_not_guessed() -> None:
    schema = Schema((Column("a,b", "number"), Column("c", "number")))
    assert read_csv(b"sep=;\na,b;c\n1;2\n", schema) == [[1.0, 2.0]]
    with pytest.raises(SchemaError, match="the column a is missing"):
        read_csv(b"sep=;\na,b\n1,2\n", NUMBERS)


def test_lines_above_the_names_count() -> None:
    body = b'\nsep=;\n\nClass;Area;colour\n"Be\nsni";1.5;red\nBesni;2;dark\n'
    found = csv_rows.read_labelled_csv(body, SCHEMA, target="Class", most_rows=100)
    assert found.lines == [5, 7]
    with pytest.raises(InvalidRequest, match="Line 3 cannot be read as CSV"):
        read_csv(b'sep=;\na;b\n"1;2\n', NUMBERS)
    with pytest.raises(InvalidRequest, match="The CSV is empty"):
        read_csv(b"sep=;\n", NUMBERS)


def test_decimal_commas_stay_text() -> None:
    assert read_csv(b"a;b\n1,5;2\n", NUMBERS) == [["1,5", 2.0]]


def test_a_comma_is_taken_where_nothing_fits_better() -> None:
    with pytest.raises(SchemaError, match="the column a is missing"):
        read_csv(b"x,y,z\n1,2,3\n", NUMBERS)
    schema = Schema((Column("colour", "category", ("red;dark", "red")),))
    assert read_csv(b"colour\nred;dark\n", schema) == [["red;dark"]]


def test_lines_are_those_of_the_file() -> None:
    body = b'\nClass,Area,colour\n\n"Be\nsni",1.5,red\nBesni,2,dark\n'
    found = csv_rows.read_labelled_csv(body, SCHEMA, target="Class", most_rows=100)
    assert found.lines == [4, 6]


def test_what_cannot_be_read_is_told_by_its_line() -> None:
    with pytest.raises(InvalidRequest, match="Line 3 of the CSV is not UTF-8 text"):
        read_csv(b"a,b\n1,2\n\xff,1\n", NUMBERS)
    with pytest.raises(InvalidRequest, match="Line 3 cannot be read as CSV"):
        read_csv(b'a,b\n1,2\n"1,2\n', NUMBERS)


def test_labels_without_rows_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="a header but no rows"):
        csv_rows.read_labelled_csv(b"a,b\n", NUMBERS, target="c", most_rows=100)


def test_the_delimiter_is_found_beside_labels_and_without_a_header() -> None:
    body = b"Class;colour;Area\nBesni;red;1.5\n"
    found = csv_rows.read_labelled_csv(body, SCHEMA, target="Class", most_rows=100)
    assert (found.rows, found.labels) == ([[1.5, "red"]], ["Besni"])
    assert read_csv(b"1\t2\n3\t4\n", NUMBERS) == [[1.0, 2.0], [3.0, 4.0]]
