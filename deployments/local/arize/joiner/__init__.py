"""Join delayed actuals to their predictions, as Arize's joiner is said to: daily at 05:00 UTC.

A run looks at the actuals that were received before its day began (UTC) and that no run has looked at, which are those
of the day before, and joins each to the predictions of its model and id, whatever their version, that were received up
to 14 days before it. The same id twice is two predictions: both are joined. An actual that finds none is kept, and
never looked at again. Rows are alike whether a call or a file brought them. A row that carries prediction and actual
both has its truth at once, without the joiner.

Nothing wakes at 05:00: whoever asks what is joined, or moves the clock, has every run made that is due, once each. As
only what was received before a run's day counts, that is the same.

Not documented, so nobody may rely on what is done here; both are counted, to be seen:

- An actual that was received before its prediction: it is not joined (``early``), though the prediction may well be
  there when the joiner runs.
- A second actual for a prediction that has one: it is joined as well, and which of them Arize shows is left open.
  It is ``repeated`` if its labels and scores are the same, ``corrected`` if not; tags are not looked at.
- Whether 14 days are counted from the actual or from the run: from the actual.

Left out: the joiner's own delay, and a cadence and a window of a space's own (``POST /standin/join`` may be told one).
"""

from deployments.local.arize.joiner.joiner import Joiner

__all__ = ["Joiner"]
