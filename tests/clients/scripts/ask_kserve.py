"""KServe's InferenceRESTClient, unmodified: both of its protocols."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import told
from httpx import HTTPStatusError
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

Facts = dict[str, Any]
Row = dict[str, Any]
MODEL = "raisin"


def request(rows: list[Row], *, binary: bool = False) -> InferRequest:
    values = np.array([list(row.values()) for row in rows], dtype=np.float64)
    tensor = InferInput("input-0", list(values.shape), "FP64")
    tensor.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model_name=MODEL, infer_inputs=[tensor], request_id="grain-17")


def facts(response: Any) -> Facts:
    return {
        "id": response.id,
        **{output.name: output.as_numpy().tolist() for output in response.outputs},
    }


async def refusal(call: Any) -> str:
    try:
        answer = await call
    except HTTPStatusError as error:
        return str(error)
    raise AssertionError(f"this should have been refused: {answer}")


async def version_2(url: str, rows: list[Row], headers: dict[str, str]) -> Facts:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    async with client:
        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": await client.is_model_ready(url, MODEL),
            "unknown_ready": await client.is_model_ready(url, "nobody"),
            "json": facts(await client.infer(url, request(rows), MODEL)),
            "binary": facts(await client.infer(url, request(rows, binary=True), MODEL)),
            "with_key": facts(await client.infer(url, request(rows), "cellar", headers)),
            "without_key": await refusal(client.infer(url, request(rows), "cellar")),
            "unknown": await refusal(client.infer(url, request(rows), "nobody")),
        }


async def version_1(url: str, rows: list[Row], headers: dict[str, str]) -> Facts:
    asked = {"instances": rows}
    lists = {"instances": [list(row.values()) for row in rows]}
    wrong = {"instances": [rows[0] | {"Area": "wide"}]}
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    async with client:
        return {
            "model_ready": await client.is_model_ready(url, MODEL),
            "rows": await client.infer(url, asked, MODEL),
            "lists": await client.infer(url, lists, MODEL),
            "explained": await client.explain(url, MODEL, asked),
            "with_key": await client.infer(url, asked, "cellar", headers),
            "without_key": await refusal(client.infer(url, asked, "cellar")),
            "wrong": await refusal(client.infer(url, wrong, MODEL)),
        }


async def main() -> None:
    given = told.given()
    url, rows = given["url"], given["rows"]
    headers = {"Authorization": f"Bearer {given['key']}"}
    told.say({"v2": await version_2(url, rows, headers), "v1": await version_1(url, rows, headers)})


if __name__ == "__main__":
    asyncio.run(main())
