"""The names of the ledger's objects in the store, and of the staged files beside it."""

from __future__ import annotations

from sluice.ledger.names import EntryName, SlotName
from sluice.offsets import OffsetRange, Partition

FileName = OffsetRange | EntryName
_LAST = 10**12 - 1


def _padded(name: EntryName) -> str:
    return f"{name.claim:012}-{name.slot:08}" if isinstance(name, SlotName) else f"{name:012}"


class Keys:
    """Names under one pipeline. Numbers are padded, so that a listing's order is theirs."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self.root = f"ledger/{pipeline}/"
        self.entries = f"{self.root}entries/"
        self.deliveries = f"{self.root}deliveries/"
        self.checkpoints = f"{self.root}checkpoints/"
        self.doubts = f"{self.root}doubts/"
        self.audits = f"{self.root}audits/"
        self.generations = f"{self.root}imports/generations/"
        self.jobs = f"{self.root}imports/jobs/"
        self.staged = f"staged/{pipeline}/"

    def entry(self, number: int) -> str:
        return f"{self.entries}{number:012}.json"

    def entry_number(self, key: str) -> int:
        return int(key.removeprefix(self.entries).removesuffix(".json"))

    def slots_of(self, claim: int) -> str:
        return f"{self.root}slots/{claim:012}/"

    def slot(self, claim: int, slot: int) -> str:
        return f"{self.slots_of(claim)}{slot:08}.json"

    def slot_number(self, key: str) -> int:
        return int(key.rpartition("/")[2].removesuffix(".json"))

    def checkpoint(self, next_number: int) -> str:
        """Counted down, so that the newest comes first in a listing."""
        return f"{self.checkpoints}{_LAST - next_number:012}.json"

    def checkpoint_number(self, key: str) -> int:
        """Read a checkpoint's key back: the first entry that is not in it."""
        return _LAST - int(key.removeprefix(self.checkpoints).removesuffix(".json"))

    def audit(self, number: int) -> str:
        """Counted down, as checkpoints are."""
        return f"{self.audits}{_LAST - number:012}.json"

    def audit_number(self, key: str) -> int:
        return _LAST - int(key.removeprefix(self.audits).removesuffix(".json"))

    def pipeline_file(self, sha256: str) -> str:
        return f"{self.root}files/{sha256}.yaml"

    def deliveries_of(self, entry: EntryName) -> str:
        """The folder of an entry's deliveries, or of a claim's slot's: each slot has its own parts."""
        return f"{self.deliveries}{_padded(entry)}/"

    def deliveries_of_slots(self, claim: int) -> str:
        """What the folders of a claim's slots begin with."""
        return f"{self.deliveries}{claim:012}-"

    def before_deliveries(self, entry: int) -> str:
        """What lists before the deliveries of an entry, its slots', and all behind them."""
        return f"{self.deliveries}{entry:012}"

    def delivery(self, entry: EntryName, part: int, number: int, what: str) -> str:
        return f"{self.deliveries_of(entry)}{part:04}/{number:04}.{what}.json"

    def doubt(self, entry: EntryName, part: int) -> str:
        return f"{self.doubts}{_padded(entry)}-{part:04}.json"

    def generation(self, number: int) -> str:
        return f"{self.generations}{number:06}.json"

    def generation_number(self, key: str) -> int:
        return int(key.removeprefix(self.generations).removesuffix(".json"))

    def job(self, generation: int) -> str:
        return f"{self.jobs}{generation:06}.json"

    def is_of_a_slot(self, key: str) -> bool:
        return "-" in key.removeprefix(self.deliveries).partition("/")[0]

    def delivery_numbers(self, key: str) -> tuple[EntryName, int, int, str]:
        """Read a delivery's key back: entry or slot, part, number, and what of it."""
        folder, part, name = key.removeprefix(self.deliveries).split("/")
        entry, _, slot = folder.partition("-")
        number, what, _ = name.split(".")
        return SlotName(int(entry), int(slot)) if slot else int(entry), int(part), int(number), what

    def files(self, kind: str) -> str:
        return f"{kind}/{self._pipeline}/"

    def file(self, kind: str, at: FileName, sha256: str) -> str:
        """Name a staged file, so that a retry lands on the same name.

        Args:
            at: its first range; or the entry, or the slot of a claim, that alone may name it, if it comes to be.
        """
        if isinstance(at, OffsetRange):
            place = f"{at.partition.topic}/{at.partition.number}/{at.start:020}"
        else:
            place = _padded(at)
        return f"{self.files(kind)}{place}-{sha256[:32]}.parquet"

    def ids(self, staged: str, form: str) -> str:
        """Name the ids of a staged file's rows, in a form that holds whatever else they hang on: a format's number."""
        return f"{self.files('ids')}{staged.removeprefix(self.staged).removesuffix('.parquet')}.{form}.parquet"

    def staged_of(self, ids: str) -> str:
        """Read back of which staged file's rows the ids are; that file may be gone."""
        folder, slash, name = ids.removeprefix(self.files("ids")).rpartition("/")
        return f"{self.staged}{folder}{slash}{name.partition('.')[0]}.parquet"

    def entry_of_file(self, key: str) -> EntryName | None:
        """Read back which entry or slot a file is for; None of one that is named by its first range."""
        _, _, *folders, name = key.split("/")
        if folders:
            return None
        number, *slot, _ = name.split("-")
        return SlotName(int(number), int(slot[0])) if slot else int(number)

    def file_start(self, key: str) -> tuple[Partition, int]:
        """Read back where a staged file's first range starts."""
        topic, number, name = key.split("/")[-3:]
        return Partition(topic, int(number)), int(name.partition("-")[0])
