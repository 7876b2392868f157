"""Send ten rows to the real Arize: `make smoke`, with ARIZE_API_KEY and ARIZE_SPACE_ID set.

It asks one thing only: does the account take what the SDK sends. The ids are new each time, so a second
run adds ten more predictions to the model `sluice-smoke`; nothing there is meant to be kept.
"""

import os
import sys
import uuid
from datetime import UTC, datetime

import pandas as pd
from arize import ArizeClient
from arize.ml.types import Environments, ModelTypes, Schema

MODEL = "sluice-smoke"


def main() -> int:
    space_id = os.environ["ARIZE_SPACE_ID"]
    rows = ten_rows(run_id=uuid.uuid4().hex, now=datetime.now(UTC))
    response = ArizeClient(api_key=os.environ["ARIZE_API_KEY"]).ml.log(
        space_id=space_id,
        model_name=MODEL,
        model_type=ModelTypes.REGRESSION,
        model_version="smoke",
        environment=Environments.PRODUCTION,
        dataframe=rows,
        schema=Schema(
            prediction_id_column_name="prediction_id",
            timestamp_column_name="timestamp",
            prediction_score_column_name="prediction",
            actual_score_column_name="actual",
            feature_column_names=["distance"],
        ),
        timeout=60,
    )
    print(f"{response.status_code}: {len(rows)} rows to {MODEL}, ids {rows['prediction_id'].iloc[0]} and on")
    return 0 if response.status_code == 200 else 1


def ten_rows(*, run_id: str, now: datetime) -> pd.DataFrame:
    """Return ten predictions with their actuals, an id for each that starts with `run_id`."""
    numbers = range(10)
    return pd.DataFrame(
        {
            "prediction_id": [f"{run_id}-{n}" for n in numbers],
            "timestamp": [int(now.timestamp())] * 10,
            "prediction": [float(n) for n in numbers],
            "actual": [n + 0.5 for n in numbers],
            "distance": [100.0 * n for n in numbers],
        }
    )


if __name__ == "__main__":
    sys.exit(main())
