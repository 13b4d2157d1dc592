"""MLflow's ScoringServerClient, unmodified. It sends no headers of one's own, so it can hold no key."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import told
from mlflow.pyfunc.scoring_server.client import ScoringServerClient


def client_of(given: dict[str, Any], slug: str) -> ScoringServerClient:
    """It knows a host and a port; the address of an endpoint goes behind the port."""
    host, port = given["host"].split(":")
    return ScoringServerClient(host, f"{port}/e/{slug}")


def main() -> None:
    given = told.given()
    client, orchard = client_of(given, "raisin"), client_of(given, "orchard")
    grains, fruits = pd.DataFrame(given["rows"]), pd.DataFrame(given["fruits"])
    client.ping()
    told.say(
        {
            "version": client.get_version(),
            "frame": client.invoke(grains),
            "other_order": client.invoke(grains[grains.columns[::-1]]),
            "named_index": client.invoke(grains.set_axis([f"g{row}" for row in grains.index])),
            "array": client.invoke(grains.to_numpy(dtype=np.float64)),
            "records": client.invoke(json.dumps({"dataframe_records": given["rows"]})),
            "predict_proba": client.invoke(grains, {"predict_method": "predict_proba"}),
            "fruits": orchard.invoke(fruits),
            "gap": orchard.invoke(fruits.assign(Weight=np.nan)),
            "unknown_ping": told.refusal(Exception, client_of(given, "nobody").ping),
            "a_column_less": told.refusal(Exception, client.invoke, grains.drop(columns="Area")),
            "not_public": told.refusal(Exception, client_of(given, "cellar").invoke, grains),
        }
    )


if __name__ == "__main__":
    main()
