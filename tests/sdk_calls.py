"""Send rows to the Arize stand-in by the real SDK."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import requests
from arize import ArizeClient
from arize.ml.types import Environments, ModelTypes, Schema

from deployments.local.arize import ArizeStandIn

PREDICTIONS = Schema(
    prediction_id_column_name="id",
    timestamp_column_name="at",
    prediction_label_column_name="label",
    prediction_score_column_name="score",
    feature_column_names=["carrier", "distance"],
    tag_column_names=["offset"],
)
ACTUALS = Schema(prediction_id_column_name="id", actual_label_column_name="label")


def predictions(count: int, *, first: int = 0) -> pd.DataFrame:
    """Give good rows, of flight-0 and on; their labels serve as actuals, too."""
    numbers = range(first, first + count)
    return pd.DataFrame(
        {
            "id": [f"flight-{n}" for n in numbers],
            "at": [int(time.time())] * count,
            "label": ["delayed" if n % 5 == 0 else "on_time" for n in numbers],
            "score": [n % 100 / 100 for n in numbers],
            "carrier": ["UA" if n % 2 else "AA" for n in numbers],
            "distance": [float(n) for n in numbers],
            "offset": [str(1000 + n) for n in numbers],
        }
    )


def send(arize: ArizeStandIn, rows: int | pd.DataFrame = 10, **changes: Any) -> requests.Response:
    """Send rows as predictions of the model `delay`, or as the changes to the call say."""
    client = ArizeClient(
        api_key=changes.pop("api_key", arize.api_key),
        api_host=arize.host,
        api_port=arize.port,
        api_scheme="http",
        default_headers=changes.pop("default_headers", None),
    )
    call: dict[str, Any] = {
        "space_id": arize.space_id,
        "model_name": "delay",
        "model_type": ModelTypes.BINARY_CLASSIFICATION,
        "model_version": "1",
        "environment": Environments.PRODUCTION,
        "dataframe": predictions(rows) if isinstance(rows, int) else rows,
        "schema": PREDICTIONS,
        "timeout": 20,
    }
    response: requests.Response = client.ml.log(**(call | changes))
    return response
