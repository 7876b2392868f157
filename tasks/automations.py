"""Prefect's automations as a file says, made or brought up to date: by name, for Prefect would make each twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from httpx import HTTPError, HTTPStatusError
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import ActionTypes, DoNothing, SendNotification
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound, PrefectException
from pydantic import TypeAdapter, ValidationError

from sluice.errors import PrefectUnavailable, WrongUse

_SUBJECT = "{{ automation.name }}: {{ event.resource.name }}"
_BODY = """\
{{ automation.description }}

{{ event.payload.message }}
{% if event.payload.retention_margin is number %}\
Left to read: {{ event.payload.left_to_read }} offsets; retention margin: {{ event.payload.retention_margin }}.
{% endif %}\
Last run: {{ event.payload.url }}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """An automation on the server, and what was done to it.

    Attributes:
        is_on: False where it was switched off, which nothing here changes.
        actions: their types; only `do-nothing` where nobody is told.
    """

    name: str
    did: Literal["made", "changed", "left"]
    is_on: bool
    actions: tuple[str, ...]


def arrange(file: Path, notify: str | None = None) -> list[Arranged]:
    """Make the automations of a file on Prefect's server, or bring those of their names to what it says.

    Trigger and description become the file's. What people decide stays: whether it is on, its tags, and its actions
    where the file has but `do-nothing`.

    Args:
        notify: the block that takes the message in place of each `do-nothing`: `slack-webhook/on-call`, its type's slug
            and its name.

    Raises:
        WrongUse: the file cannot be, or there is no such block, or it takes no messages.
        PrefectUnavailable: the API does not answer, or refuses.
    """
    wanted = _read(file)
    try:
        with get_client(sync_client=True) as client:
            told = _notification(client, notify) if notify else None
            return [done for item in wanted for done in _arrange(client, item, told)]
    except (HTTPError, PrefectException, RuntimeError) as error:  # RuntimeError is how its client says "not reached"
        why = f"HTTP {error.response.status_code}" if isinstance(error, HTTPStatusError) else type(error).__name__
        raise PrefectUnavailable(
            f"Prefect's API did not take the automations ({why})", "Is PREFECT_API_URL right, and the server up?"
        ) from None


def _read(file: Path) -> list[AutomationCore]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        return TypeAdapter(dict[Literal["automations"], list[AutomationCore]]).validate_python(found)["automations"]
    except OSError as error:
        raise WrongUse(f"{file}: {error.strerror}", "sluice automations FILE") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise WrongUse(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError) as error:
        raise WrongUse(f"{file} has no list of automations: {' '.join(str(error).split())}") from None


def _notification(client: SyncPrefectClient, block: str) -> SendNotification:
    kind, _, name = block.partition("/")
    try:
        found = client.read_block_document_by_name(name, kind)
    except ObjectNotFound:
        raise WrongUse(f"There is no block {block}", "TYPE/NAME, as prefect block ls lists them") from None
    if found.block_schema is None or "notify" not in found.block_schema.capabilities:
        raise WrongUse(f"The block {block} takes no messages", "Name one such as slack-webhook/on-call")
    # Its type said, for what an update leaves out it does not send.
    return SendNotification(type="send-notification", block_document_id=found.id, subject=_SUBJECT, body=_BODY)


def _arrange(client: SyncPrefectClient, wanted: AutomationCore, told: SendNotification | None) -> Iterator[Arranged]:
    """Bring each automation of the name to what is wanted: there may be two, made by Prefect's own command."""
    there = client.read_automations_by_name(wanted.name)
    if not there:
        made = wanted.model_copy(update={"actions": _actions(wanted, wanted.actions, told)})
        client.create_automation(made)
        yield _arranged(made, "made")
    for item in there:
        known = AutomationCore.model_validate(item.model_dump(exclude={"id", "owner_resource"}))
        ours = {"description": wanted.description, "trigger": wanted.trigger}
        changed = known.model_copy(update={**ours, "actions": _actions(wanted, known.actions, told)})
        if changed != known:
            client.update_automation(item.id, changed)
        yield _arranged(changed, "left" if changed == known else "changed")


def _actions(
    wanted: AutomationCore, there: Sequence[ActionTypes], told: SendNotification | None
) -> Sequence[ActionTypes]:
    if not any(isinstance(action, DoNothing) for action in wanted.actions):
        return wanted.actions
    if told is None:
        return there
    return [*(action for action in there if not isinstance(action, DoNothing | SendNotification)), told]


def _arranged(automation: AutomationCore, did: Literal["made", "changed", "left"]) -> Arranged:
    actions = tuple(action.type for action in automation.actions)
    return Arranged(name=automation.name, did=did, is_on=automation.enabled, actions=actions)
