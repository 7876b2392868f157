"""Stand in for Arize AX's file-import jobs: their GraphQL API, and what reads the bucket.

What no document says is assumed, and said where it is done: `schema.graphql`, `resolvers`, `answering`, `rows`. Also:

- A file is known by its job and path, from the moment at which a listing shows it; it is read once, whatever becomes
  of the object. Two jobs on one prefix import everything twice.
- filePath is the key of the object, without its bucket.
- Names that end in a slash are no files. What is no Parquet, and what has no rows, fails.
- Files are read in the order of their keys as they were first seen. A file whose object is gone before it was read
  fails; one that the store does not hand out for now stays pending.
- A job whose bucket cannot be listed stays active, without a word to its client.

Left out: CSV, Avro, JSON; GCS and Azure; object detection, generative_llm, tracing; the proof that a bucket is one's
own; roles and accounts (mutations are for enterprise accounts alone: script an ``error``); the `search` and `last` of a
connection, `rateLimit`, and whatever else the API has.
"""

from deployments.local.arize.imports.settings import ImportSettings, ObjectStore
from deployments.local.arize.imports.side import ImportSide

__all__ = ["ImportSettings", "ImportSide", "ObjectStore"]
