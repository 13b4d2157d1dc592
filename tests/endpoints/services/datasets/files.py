"""Files to train on, as somebody uploads them."""

from __future__ import annotations

from pathlib import Path

from endpoints.models import Dataset
from endpoints.services.datasets import receiving
from mlcore import synthetic_raisin
from mlcore.table import canonical_csv
from tests import cast

GRAINS = "Area,Colour,Class\n3,red,Besni\n4,,Kecimen\n5,blue,Besni\n9,red,Kecimen\n"


def raisins() -> str:
    """Return a sixth of the rows, which train sooner."""
    table = synthetic_raisin()
    return canonical_csv(table.header, table.rows[::6]).decode()


def stored(folder: Path, text: str | bytes = GRAINS, name: str = "grains.csv") -> Dataset:
    """Return the dataset as it is before a worker has read it."""
    upload = folder / "sent"
    upload.write_bytes(text if isinstance(text, bytes) else text.encode())
    return receiving.receive(upload, name=name, actor=cast.SYSTEM, now=cast.THEN)
