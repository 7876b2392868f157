"""Stand in for Arize AX on this machine: the SDK's wire, file-import jobs, and proof of what arrived.

The real SDK (``arize`` 8.61.0) posts to it unchanged. It appends and never dedupes, as Arize does, so that an id sent
twice shows as two rows. What it acknowledged, and what it stored before it was told to fail, outlives a kill -9.

Left out, on purpose:

- Of GraphQL, all but file-import jobs; see `deployments.local.arize.imports`, with its own list.
- ``/v1/log`` (``log_stream``), Flight, spans, datasets, experiments, and any other service of Arize's.
- Ingestion that lags behind the 200: a stored row is in the proofs at once. Only the fault ``accept_then_lose`` drops a
  file later.
- What Arize's ingestion refuses or drops by itself: a non-finite embedding, a timestamp too old.
- Limits of rows, bytes, requests or a plan's volume; Arize documents none for this path. Script a 429 or 413 instead.
- Of the delayed-actuals joiner, what no document says; see `deployments.local.arize.joiner`. Its hour is one of a clock
  that can be moved ahead, by which everything is received.
- Deleting, by day or at all, except ``DELETE /standin/rows``, which forgets everything.
- TLS, HTTP/2, compressed bodies, chunked ones (411): the SDK sends none over ``http``.

Arize's words for a missing or foreign ``arize-space-id``, and for a body that it cannot decode, are not known: 400 and
403 with words of our own.
"""

from deployments.local.arize.handle import ArizeStandIn
from deployments.local.arize.imports.settings import ImportSettings, ObjectStore
from deployments.local.arize.process import ArizeProcess, arize_process
from deployments.local.arize.server import running_arize

__all__ = ["ArizeProcess", "ArizeStandIn", "ImportSettings", "ObjectStore", "arize_process", "running_arize"]
