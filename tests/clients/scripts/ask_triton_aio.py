"""NVIDIA's tritonclient.http.aio, unmodified: the client for asyncio, over aiohttp.

It always says that it accepts gzip and deflate, but unpacks the answers to `infer` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import tensors
import told
from tritonclient.http.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException


async def ask(host: str, rows: list[tensors.Row]) -> dict[str, object]:
    async with InferenceServerClient(host) as client:
        inputs, outputs = tensors.columns(rows), tensors.both()
        asked = (client.infer("raisin", inputs, outputs=outputs) for _ in range(8))
        compressed = await client.infer(
            "raisin",
            tensors.columns(rows),
            outputs=outputs,
            request_compression_algorithm="gzip",
            response_compression_algorithm="gzip",
        )
        return {
            "live": await client.is_server_live(),
            "ready": await client.is_model_ready("raisin"),
            "model": await client.get_model_metadata("raisin"),
            "at_once": [tensors.facts(result) for result in await asyncio.gather(*asked)],
            "compressed": tensors.facts(compressed),
            "unknown_metadata": await refusal(client.get_model_metadata("nobody")),
            "unknown_model": await refusal(client.infer("nobody", inputs)),
        }


async def refusal(call: Awaitable[object]) -> str:
    try:
        answer = await call
    except InferenceServerException as error:
        return str(error)
    raise AssertionError(f"this should have been refused: {answer}")


if __name__ == "__main__":
    given = told.given()
    told.say(asyncio.run(ask(given["host"], given["rows"])))
