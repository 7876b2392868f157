"""A server's words without what may be a value: of its text only these words and the names of columns are kept.

Arize's refusals are not documented word for word, and may quote the record that they refuse. A list of what is harmless
can be proved; a list of what is not would have to know every event.
"""

from __future__ import annotations

import re
from collections.abc import Container

_MOST_CHARACTERS = 300
_WORDS = """
a accepted access account actual actuals administrator after all allowed already also an and another any api
api-key api_key are arize arrow as ask at authentication authorization authorized bad batch be because been before
belong belongs between binary binary_classification blank body boolean both but by bytes call can cannot category
change characters check classification client closed code column columns conflict connection contact contain
contains content could create created credentials data dataframe date days deactivated decode denied different
disabled do does doesn duplicate each embedding empty encoding end entity environment error errors exceed exceeded
exceeds exist exists expected expired fail failed feature features few field fields file files find float for
forbidden format found from future gateway given greater had has have header headers id ids if in inactive
incorrect index inf infinite ingest ingestion input int integer internal invalid is it its json key keys label
labels large later length less limit limits list log long longer malformed many match matches max maximum may
media message method min minimum mismatch missing model model_id model_type model_version models more most must
name names nan need needed negative no non none not null number numeric of old older on once one only operation or
organization other out over parse past payload permission permissions plan please prediction prediction_id
predictions production quota range rate reached received record records refused regression rejected request
requests required resource retry row rows same schema score score_categorical scores second seconds see send sent
server service shap should size small space space-id space_id spaces spec status string subscription support
supported tag tags temporarily text than that the this time timeout timestamp timestamps to token too training try
type types unable unauthorized unavailable unexpected unknown unprocessable unrecognized unsupported update
upgrade upload url user validate validation value values version versions was were when which while with within
without words wrong year years you your
"""
KNOWN = frozenset(re.findall(r"\S+", _WORDS))


def without_values(text: str, columns: Container[str]) -> str:
    """Return a server's text of which everything unknown is `…`: never a value of an event, never a key.

    Args:
        columns: names that may be told.
    """
    words = [
        word if word.lower() in KNOWN or word in columns else "…" for word in re.findall(r"[\w'-]+", text[:10_000])
    ]
    kept = [word for word, before in zip(words, ["", *words], strict=False) if (word, before) != ("…", "…")]
    return " ".join(kept)[:_MOST_CHARACTERS]
