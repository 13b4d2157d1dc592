"""Gives a row with too few or too many cells the width of the header: the answers behind it stand in their columns.

A short row gets empty cells. Any other becomes one cell, with its quotation marks doubled.
"""

from __future__ import annotations


def shaped(row: str, *, n_cells: int | None, width: int, bar: str) -> str:
    """`n_cells` None: nobody can tell how many it has.

    >>> shaped("1,2", n_cells=2, width=4, bar=",")
    '1,2,,'
    >>> shaped('1,2,"3', n_cells=None, width=3, bar=",")
    '"1,2,""3",,'
    """
    if n_cells is not None and n_cells < width:
        return row + bar * (width - n_cells)
    doubled = row.replace('"', '""')
    return f'"{doubled}"' + bar * (width - 1)


def shaped_bytes(row: bytes, *, n_cells: int | None, width: int, bar: str) -> bytes:
    """The same of a row that may be no text: each byte stands for itself."""
    text = shaped(row.decode("latin-1"), n_cells=n_cells, width=width, bar=bar)
    return text.encode("latin-1")
