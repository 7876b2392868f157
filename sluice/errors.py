"""The errors of Sluice.

SluiceError
├── WrongUse                     exit code 2: nothing was read
│   ├── WrongPipelineFile        the file, its line and key, what is allowed
│   ├── WrongSettings            a variable of the environment or a connection
│   ├── NothingToResolve         there is nothing to give a word on
│   ├── NothingToReplay          the entry has nothing that could be delivered again
│   ├── CountsTwice              Arize has the rows already, and nobody said that it may count them twice
│   └── RealignNotPossible       the ledger cannot go where the group stands
├── Transient                    the next run may well succeed; nothing to mend
│   ├── SourceUnavailable        no broker answers, or it stopped answering
│   ├── StoreUnavailable         the staging store does not answer
│   ├── DestinationUnavailable   Arize proven not to have taken the rows: refused connection, 429
│   ├── PrefectUnavailable       the API that a run was to be recorded in does not answer
│   └── LedgerMoved              another run sealed first; plan again from the ledger
├── Terminal                     a person must mend something first
│   ├── SourceRefused            Kafka refused the credentials
│   ├── TopicMissing             the topic, or one of its partitions, does not exist
│   ├── TopicNotAllowed          an ACL forbids the topic
│   ├── NothingToLearn           the topic has no event that a pipeline file could be drafted from
│   ├── GroupNotAllowed          an ACL forbids the consumer group
│   ├── GroupInUse               the group has live members
│   ├── GroupMoved               the group stands where this ledger never put it
│   ├── GroupAhead               the group is behind entries that are not known to be delivered
│   ├── GroupOfAnotherLedger     the group's offsets belong to another ledger
│   ├── OffsetsExpired           retention passed the position
│   ├── TopicRecreated           the topic is another one than the ledger's
│   ├── EndBelowPosition         the log ends below the position
│   ├── EpochLost                the log was truncated below the position
│   ├── BucketMissing            the bucket or directory of the store does not exist
│   ├── StoreRefused             the store refused the credentials
│   ├── StoreIgnoresConditions   the store overwrites where it must refuse
│   ├── StagedFileDamaged        a staged file is gone or differs from its entry
│   ├── ReplayDiffers            what Kafka has now gives other rows than the entry has
│   ├── LedgerDamaged            a ledger object cannot be read, or the chain is broken
│   ├── LedgerOfAnotherVersion   written by a newer Sluice
│   ├── NothingMatches           actuals and predictions can never be matched: their ids, or all of one side
│   ├── AuditFailed              an audit found something lost, doubled or damaged
│   ├── DestinationRefused       Arize refused the credentials or the space
│   ├── DeliveryRefused          Arize refused the rows
│   ├── ImportJobMissing         a person has to make the import job
│   ├── ImportJobGone            the import job of a file, or of the pipeline, was deleted
│   ├── ImportJobDiffers         the import job is not as the pipeline file says
│   ├── ImportJobTwice           several import jobs read one prefix
│   ├── ImportJobRefused         Arize refuses the import job, or the first file of it
│   └── ImportFailed             Arize did not take a file
├── Held                         exit code 3: waits for a person's word
│   ├── WindowHeld               too large a share of the window was rejected
│   └── DeliveryHeld             a send has no known outcome
└── Cancelled                    it was told to end; the next start goes on
    └── BackfillCancelled        in the UI, by a signal
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

RUNBOOK = "docs/runbook.md"
# The next step wherever a topic is not the one any more that a ledger knows.
RESTORED = "Was the ledger restored without its newest entries? Bring them back, or begin a new ledger"
START_ANEW = "Take the topic up in a pipeline file with a new name and a new group; this ledger stays as proof"


class SluiceError(Exception):
    """The base of all errors: what happened, where, and the next step.

    Args:
        what: what happened, with topic, partition and offset where there are any; never a value of an event.
        next_step: what a person does now; empty where the next run mends it by itself.
    """

    state: ClassVar[Literal["failed", "held", "cancelled"]] = "failed"
    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what, next_step)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return " ".join(part for part in (_sentence(self.what), _sentence(self.next_step), f"See {self.see}.") if part)

    def as_dict(self) -> dict[str, str]:
        """What a command prints of it as JSON."""
        return {"state": self.state, "error": type(self).__name__, "message": str(self), "see": self.see}

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.what, self.next_step))

    @classmethod
    def anchor(cls) -> str:
        """The heading in the runbook: `OffsetsExpired` is `offsets-expired`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @property
    def see(self) -> str:
        """The heading of the runbook: `docs/runbook.md#offsets-expired`."""
        return f"{RUNBOOK}#{self.anchor()}"


class WrongUse(SluiceError):
    exit_code = 2


class WrongPipelineFile(WrongUse):
    """A pipeline file that cannot be run."""


class WrongSettings(WrongUse):
    """A setting that is missing, unknown, or cannot be."""


class NothingToResolve(WrongUse):
    """The entry is not held, or the part has no send without a known outcome."""


class NothingToReplay(WrongUse):
    """The entry was never delivered, or holds nothing that could be delivered again."""


class CountsTwice(WrongUse):
    """Arize has these rows already, and would count them once more."""


class RealignNotPossible(WrongUse):
    """The ledger only goes forward, and only when everything before is delivered."""


class Transient(SluiceError):
    transient = True


class SourceUnavailable(Transient):
    """No broker answers, or one stopped answering in the middle of a read."""


class StoreUnavailable(Transient):
    """The staging store does not answer."""


class DestinationUnavailable(Transient):
    """Arize is proven not to have taken the rows, and may take them later."""


class PrefectUnavailable(Transient):
    """Prefect's API does not answer."""


class LedgerMoved(Transient):
    """Another run sealed offsets of this window first."""


class Terminal(SluiceError):
    pass


class SourceRefused(Terminal):
    """Kafka refused the credentials, or the connection's security."""


class TopicMissing(Terminal):
    """The topic, or a partition that the file names, does not exist."""


class TopicNotAllowed(Terminal):
    """An ACL forbids to read or describe the topic."""


class NothingToLearn(Terminal):
    """The topic holds no JSON object that a pipeline file could be drafted from."""


class GroupNotAllowed(Terminal):
    """An ACL forbids the consumer group."""


class GroupInUse(Terminal):
    """The consumer group has live members, so the broker takes no offsets from outside."""


class GroupMoved(Terminal):
    """The group stands at an offset where this ledger never put it."""


class GroupAhead(Terminal):
    """The group says of entries that they were delivered, and the ledger knows of no delivery."""


class GroupOfAnotherLedger(Terminal):
    """The group's offsets were committed for another ledger."""


class OffsetsExpired(Terminal):
    """Kafka dropped offsets before they were read."""


class TopicRecreated(Terminal):
    """The topic's id differs from the one in the ledger."""


class EndBelowPosition(Terminal):
    """The partition ends below the offset at which the ledger stands."""


class EpochLost(Terminal):
    """The log was truncated: the leader epoch of the last read record is gone."""


class BucketMissing(Terminal):
    """The bucket, or the directory above the store, does not exist."""


class StoreRefused(Terminal):
    """The store refused the credentials or the operation."""


class StoreIgnoresConditions(Terminal):
    """The store overwrote an object that a conditional write must not touch."""


class StagedFileDamaged(Terminal):
    """A staged file is missing, or its hash differs from the entry's."""


class ReplayDiffers(Terminal):
    """The records that Kafka has now give other rows than those that were delivered."""


class LedgerDamaged(Terminal):
    """A ledger object cannot be read, or does not continue the one before it."""


class LedgerOfAnotherVersion(Terminal):
    """A ledger object was written in a format that this version does not know."""


class NothingMatches(Terminal):
    """No actual can find its prediction: ids that can never be equal, or a side of which nothing would be sent."""


class AuditFailed(Terminal):
    """An audit found that something is lost, doubled or damaged."""


class DestinationRefused(Terminal):
    """Arize refused the key or the space; nothing was taken."""


class DeliveryRefused(Terminal):
    """Arize, or its SDK, refused the rows; nothing was taken."""


class ImportJobMissing(Terminal):
    """There is no import job for the prefix, and a person makes it, for the pipeline file says so."""


class ImportJobGone(Terminal):
    """The import job of a file, or of the pipeline, was deleted in Arize."""


class ImportJobDiffers(Terminal):
    """The import job reads other columns, or for another model, than the pipeline file says."""


class ImportJobTwice(Terminal):
    """Several import jobs read one prefix: Arize would import every file several times."""


class ImportJobRefused(Terminal):
    """Arize refuses to make the import job, or the first file of it in a dry run."""


class ImportFailed(Terminal):
    """Arize looked at a file and did not take it."""


class Held(SluiceError):
    state = "held"
    exit_code = 3


class WindowHeld(Held):
    """A sealed window waits: too large a share of its records was rejected."""


class DeliveryHeld(Held):
    """A part waits: what became of a send is not known, and it may not be sent again by itself."""


class Cancelled(SluiceError):
    state = "cancelled"


class BackfillCancelled(Cancelled):
    """A run of a backfill was told to end before all was taken."""


def every_error() -> tuple[type[SluiceError], ...]:
    """Return the errors that are raised, in the tree's order: the runbook has a heading for each."""
    leaves = [leaf for branch in SluiceError.__subclasses__() for leaf in branch.__subclasses__()]
    return tuple(leaves)


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else text + "."
