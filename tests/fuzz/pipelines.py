"""The pipeline files that hostile records go through: they use every way in which a record is looked at."""

from __future__ import annotations

from typing import Final

PLAIN: Final = """\
name: plain
kind: predictions
source: {kafka: {topics: [hostile, other], group: sluice-plain}}
map:
  prediction_id: id
  timestamp: {path: at, unit: ms}
  prediction: {label: said.label, score: said.score}
  features: {from: in, columns: {carrier: string, distance: float, hour: int, night: bool}}
  tags: {key: $key, sent: $timestamp, trace: $headers.trace, region: {path: meta.host.region, type: string}}
  version: {path: version, default: "1"}
arize: {model: hostile, type: binary_classification}
"""
PRIVATE: Final = """\
name: private
kind: predictions
source: {kafka: {topics: [hostile, other], group: sluice-private}}
when: {field: kind, equals: [prediction, é]}
drop: [who.mail, $headers.secret]
hash: [id, $key]
map:
  prediction_id: id
  timestamp: {path: when, unit: rfc3339}
  prediction: {label: said.label}
  tags: {key: $key, hour: {path: in.hour, type: int}}
  version: "1"
arize: {model: hostile, type: binary_classification}
policies: {max_rejected: {share: 1%, of_at_least: 1}}
"""
LABELS: Final = """\
name: labels
kind: actuals
source: {kafka: {topics: [hostile, other], group: sluice-labels}}
when: {field: $headers.trace, equals: t}
map:
  prediction_id: $key
  timestamp: $timestamp
  actual: {label: label}
arize: {model: hostile, type: regression}
rejected: {keep: offsets}
"""
PIPELINES: Final = {"plain": PLAIN, "private": PRIVATE, "labels": LABELS}
