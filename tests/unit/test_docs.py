"""The papers name what there is (settings, commands, steps, errors, ledger fields, …), and nothing that is not."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter

from flows.cli import _EXIT_CODES, COMMANDS
from flows.cli_options import parser
from sluice import errors
from sluice.audit import mark
from sluice.audit.findings import Check, Finding
from sluice.audit.report import AuditReport
from sluice.errors import SluiceError, every_error
from sluice.ground_truth.id_files import OF_ACTUALS, OF_PREDICTIONS
from sluice.ground_truth.ids import ACTUALS, PREDICTIONS
from sluice.ledger import checkpoints, deliveries, entries, imports
from sluice.ledger.codec import decode
from sluice.ledger.keys import Keys
from sluice.ledger.names import SlotName
from sluice.offsets import Balance, OffsetRange, Partition
from sluice.report import RunReport, WindowReport
from sluice.settings import KAFKA, NOT_READ, SET_BY_SLUICE, VARIABLES
from sluice.staging import RAW_SCHEMA
from sluice.steps import DRILL
from sluice.sweep import KINDS
from tasks.audit_events import event_of_audit
from tasks.coverage_events import event_of_coverage
from tasks.events import event_of_run, events_of_window
from tests import parts
from tests.coverages import less_than_asked

ROOT = Path(__file__).parents[2]
PAPERS = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
READ_BY_LOCAL_PARTS = {
    name
    for path in (ROOT / "deployments" / "local").rglob("*.py")
    for name in re.findall(r'environ(?:\.get\(|\[)"(SLUICE_\w+)"', path.read_text(encoding="utf-8"))
}
CODE = [path for folder in ("sluice", "flows", "tasks") for path in sorted((ROOT / folder).rglob("*.py"))]
PUBLIC_HOSTS = {"github.com", "docs.prefect.io", "127.0.0.1", "login.example.com"}


# --- reading papers and code ---


def paper(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A paper without its blocks of code, in which a `#` is no heading and a bracket no link."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE)


def blocks(text: str, *languages: str) -> list[str]:
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for _, language, block in found if language in languages]


def anchor_of(heading: str) -> str:
    """GitHub's own: lower case, markup and punctuation out, spaces to hyphens."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(text: str) -> list[str]:
    """The anchors of a paper's headings, a repeated one with its number."""
    seen: dict[str, int] = {}
    found = []
    for heading in re.findall(r"^#{1,6} (.+)$", prose(text), flags=re.MULTILINE):
        anchor = anchor_of(heading)
        found.append(f"{anchor}-{seen[anchor]}" if anchor in seen else anchor)
        seen[anchor] = seen.get(anchor, 0) + 1
    return found


def section(name: str, anchor: str) -> str:
    """The text from a heading to the next one of whatever level."""
    parts = re.split(r"^#{1,6} (.+)$", prose(paper(name)), flags=re.MULTILINE)
    found = {anchor_of(heading): body for heading, body in zip(parts[1::2], parts[2::2], strict=True)}
    return found[anchor]


def first_cells(text: str) -> set[str]:
    """What stands in backticks in the first column of a section's tables."""
    rows = (line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}


def calls(name: str) -> Iterator[ast.expr]:
    """The first argument of each call of a function, in all the code."""
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name and node.args:
                yield node.args[0]


def pattern_of(argument: ast.expr) -> str:
    """A pattern of the texts that an argument can be: an f-string's fields are any word."""
    if isinstance(argument, ast.Constant):
        return re.escape(str(argument.value))
    assert isinstance(argument, ast.JoinedStr), ast.dump(argument)
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+" for part in argument.values)


def commands() -> dict[str, argparse.ArgumentParser]:
    found = next(action for action in parser(COMMANDS)._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


# --- settings ---


def test_operations_names_every_variable_of_the_environment() -> None:
    told = first_cells(section("docs/operations.md", "settings"))
    example = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", paper(".env.example"), flags=re.MULTILINE))
    of_kafka = {name for name in example if name.startswith(KAFKA)}
    assert {*VARIABLES, DRILL, *READ_BY_LOCAL_PARTS, *(example - of_kafka)} <= told
    assert {*VARIABLES, DRILL, *READ_BY_LOCAL_PARTS} <= example
    assert f"{KAFKA}<PROPERTY>" in told


def test_operations_names_every_variable_and_property_that_is_refused() -> None:
    told = set(re.findall(r"`([^`]+)`", section("docs/operations.md", "settings")))
    assert {*NOT_READ, *SET_BY_SLUICE} <= told


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_no_paper_names_a_variable_that_does_not_exist(path: Path) -> None:
    known = {*VARIABLES, *NOT_READ, DRILL, *READ_BY_LOCAL_PARTS}
    named = re.findall(r"\b(?:SLUICE|ARIZE)_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    assert {name for name in named if not name.startswith(KAFKA)} <= known


def test_the_page_on_pipeline_files_names_every_key_with_its_default() -> None:
    text = section("docs/pipeline-file.md", "every-key")
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `")]
    told = {key: default.strip() for keys, default in rows for key in re.findall(r"`([^`]+)`", keys)}
    leaves = dict(_leaves(json.loads(paper("deployments/pipelines/pipeline.schema.json"))))
    assert told.keys() == leaves.keys()
    defaults = {key: schema["default"] for key, schema in leaves.items() if schema.get("default") is not None}
    assert {key: told[key] for key in defaults} == {key: _as_told(default) for key, default in defaults.items()}


def _as_told(default: Any) -> str:
    return f"`{int(default) if isinstance(default, float) and default.is_integer() else default}`"


def _leaves(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that may hold a value, dotted; of a choice of shapes, the keys of the object, too."""

    def walk(owner: dict[str, Any], before: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, place in owner["properties"].items():
            inner = [schema["$defs"][ref.rpartition("/")[2]] for ref in _refs(place)]
            is_object = "$ref" in place or (len(inner) == 1 and {"type": "null"} in place.get("anyOf", ()))
            if not is_object:
                yield before + name, place
            for choice in inner:
                yield from walk(choice, f"{before}{name}.")

    return walk(schema, "")


def _refs(place: dict[str, Any]) -> list[str]:
    choices = (place, *place.get("anyOf", ()), *place.get("oneOf", ()))
    return [choice["$ref"] for choice in choices if "$ref" in choice]


# --- commands, flows, steps ---


def test_operations_names_every_command_option_and_choice() -> None:
    told = section("docs/operations.md", "commands")
    named = first_cells(told)
    for name, command in commands().items():
        subject = next(action.metavar for action in command._actions if not action.option_strings)
        assert any(cell.startswith(f"sluice {name} {subject}") for cell in named), name
        for action in command._actions:
            if not isinstance(action, argparse._HelpAction):
                assert {option for option in action.option_strings if option.startswith("--")} <= named, action.dest
                assert set(action.choices or ()) <= set(re.findall(r"`([^`]+)`", told)), action.dest


def test_operations_names_no_command_or_option_that_does_not_exist() -> None:
    actions = [action for command in commands().values() for action in command._actions]
    options = {option for action in actions for option in action.option_strings}
    for name in first_cells(section("docs/operations.md", "commands")):
        if name.startswith("sluice "):
            assert name.split()[1] in commands(), name
        if name.startswith("-"):
            assert name in options, name


def test_operations_names_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d) \|", section("docs/operations.md", "commands"), flags=re.MULTILINE)
    assert {int(code) for code in rows} == {*_EXIT_CODES.values(), *(error.exit_code for error in every_error())}


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_every_command_line_in_the_papers_is_taken_by_the_parser(path: Path) -> None:
    for line in _command_lines(path.read_text(encoding="utf-8")):
        arguments = shlex.split(line, comments=True)[1:]
        if "--help" not in arguments:
            parser(COMMANDS).parse_args(arguments)  # ends the test with SystemExit, and says why


def test_there_are_command_lines_to_be_tried() -> None:
    assert len(list(_command_lines(paper("docs/runbook.md")))) >= 10


def _command_lines(text: str) -> Iterator[str]:
    for line in "\n".join(blocks(text, "sh")).splitlines():
        command = re.sub(r"^ *(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(?=sluice )", "", line)
        if command.startswith("sluice "):
            yield command


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_every_make_target_in_the_papers_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", paper("Makefile"), flags=re.MULTILINE))
    text = path.read_text(encoding="utf-8")
    in_blocks = re.findall(r"^ *make ([a-z]+)", "\n".join(blocks(text, "sh")), flags=re.MULTILINE)
    assert {*in_blocks, *re.findall(r"`make ([a-z]+)", text)} <= targets


def test_the_readme_begins_with_its_two_commands() -> None:
    first = blocks(paper("README.md"), "sh")[0]
    assert re.findall(r"^make ([a-z]+)", first, flags=re.MULTILINE) == ["demo", "test"]


def test_the_papers_name_every_flow_its_parameters_and_its_deployments() -> None:
    text = section("docs/operations.md", "deployments-and-schedules")
    flows = list(_decorated("flows", "flow"))
    assert flows
    for flow in flows:
        assert f"`{flow.name}`" in text
        given = (*flow.args.args, *flow.args.kwonlyargs)
        assert {f"`{argument.arg}`" for argument in given} <= set(re.findall(r"`[^`]+`", text))
    names = {flow.name for flow in flows}
    ran = re.findall(r"prefect deployment run (\w+)/(\w+)", paper("docs/operations.md"))
    deployments = yaml.safe_load(paper("prefect.yaml"))["deployments"]
    deployed = {(item["entrypoint"].rpartition(".")[2], item["name"]) for item in deployments}
    assert {flow for flow, _ in deployed} <= names
    assert ran
    assert set(ran) <= deployed


def test_design_names_every_task_and_no_other() -> None:
    told = first_cells(section("docs/design.md", "the-house"))
    assert told == {task.name for task in _decorated("tasks", "task")}


def _decorated(folder: str, decorator: str) -> Iterator[ast.FunctionDef]:
    for path in sorted((ROOT / folder).glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(decorator == _called(item) for item in node.decorator_list):
                yield node


def _called(decorator: ast.expr) -> str:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return function.id if isinstance(function, ast.Name) else ""


def test_operations_lists_every_step_and_no_other() -> None:
    told = first_cells(section("docs/operations.md", "logs"))
    patterns = {pattern_of(argument) for argument in calls("step")}
    assert patterns
    assert not [name for name in told if not any(re.fullmatch(pattern, name) for pattern in patterns)]
    assert not [pattern for pattern in patterns if not any(re.fullmatch(pattern, name) for name in told)]


def test_operations_describes_every_event_with_all_that_it_holds_and_no_other() -> None:
    file = entries.StagedFile(key="rejected/p", rows=1, bytes=1, sha256="0")
    found = [parts.window("a[0] 0..1", rejected=file, held=held) for held in (None, "why")]
    windows = [WindowReport(number=1, entry=entry, sealed_here=True) for entry in found]
    run = RunReport(pipeline="p", run_id="run", started_at="now").ended_by(SluiceError("what"))
    made = [event for window in windows for event in events_of_window("p", window)]
    made.append(event_of_run(run, flow="ingest", url=None, scheduled=True))
    audit = AuditReport(run=run).with_findings([Finding(severity="error", check="file", what="what")])
    made += [event for event in [event_of_audit(audit, url=None)] if event]
    made += [event for event in [event_of_coverage(less_than_asked(), url=None)] if event]
    names = {name for event in made for name in (event.name, *event.payload, *event.labels)}
    assert first_cells(section("docs/operations.md", "events")) == names


def test_operations_names_every_automation_and_no_other() -> None:
    names = {item["name"] for item in yaml.safe_load(paper("deployments/automations.yaml"))["automations"]}
    assert first_cells(section("docs/operations.md", "automations")) == names


def test_design_says_what_a_kill_behind_each_step_of_a_run_leaves() -> None:
    crashes = first_cells(section("docs/design.md", "what-each-crash-leaves"))
    steps = first_cells(section("docs/operations.md", "logs"))
    by_hand_or_rare = {
        *("window.resolved", "delivery.resolved", "delivery.said", "ledger.skipped", "group.realigned"),
        *("file.swept", "file.redelivered"),
        *("import.unanswered", "import.not_tried_out", "import.given_up", "import.gone", "import.stopped"),
        *(
            "window.sealed_by_another",
            "slot.decided_by_another",
            "replay.taken",
            "ledger.taken",
            "delivery.ambiguous",
            "delivery.refused",
            "group.mended",
        ),
    }
    assert crashes & steps == steps - by_hand_or_rare


# --- errors ---


def raised_bases() -> set[type[SluiceError]]:
    """Errors that are raised though others derive from them."""
    raised = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
                kind = getattr(errors, node.exc.func.id, None)
                if isinstance(kind, type) and issubclass(kind, SluiceError):
                    raised.add(kind)
    return raised - set(every_error())


def test_the_runbook_has_one_heading_for_each_error_and_no_other() -> None:
    wanted = {error.anchor() for error in (*every_error(), *raised_bases())}
    headings = [anchor for anchor in anchors(paper(errors.RUNBOOK)) if anchor != "runbook"]
    assert sorted(headings) == sorted(wanted)


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
def test_every_error_says_where_the_runbook_has_it_and_there_is_what_to_do(error: type[SluiceError]) -> None:
    assert str(error("what happened")).endswith(f"See docs/runbook.md#{error.anchor()}.")
    text = section(errors.RUNBOOK, error.anchor())
    assert re.findall(r"^\*\*(\w+)\.\*\*(?: |$)", text, flags=re.MULTILINE) == ["Means", "Safe", "Do"]


@pytest.mark.parametrize(
    ("anchor", "verdicts"), [("window-held", {"deliver", "redo", "drop"}), ("delivery-held", {"delivered", "resend"})]
)
def test_the_runbook_says_what_each_word_on_a_held_entry_does(anchor: str, verdicts: set[str]) -> None:
    text = section(errors.RUNBOOK, anchor)
    rows = re.findall(r"^ *\| `(\w+)` \|", text, flags=re.MULTILINE)
    assert set(rows) == verdicts
    every = next(action.choices for action in commands()["resolve"]._actions if action.dest == "verdict")
    assert every is not None
    assert verdicts <= set(every)


# --- the ledger ---

SECTIONS: dict[type[BaseModel], str] = {
    entries._Entry: "every-entry",
    entries.Genesis: "genesis",
    entries.TopicStart: "topic-start",
    entries.Pin: "pin",
    entries._Delivered: "what-window-slot-and-derived-share",
    entries.Window: "window",
    entries.LedgerRange: "range",
    entries.StagedFile: "file",
    entries.Part: "part",
    entries.Destination: "destination",
    entries.Claim: "claim",
    entries.ClaimWindow: "claim-window",
    entries.Slot: "slot",
    entries.VoidSlot: "void",
    entries.Derived: "derived",
    entries.Skip: "skip",
    deliveries.Intent: "intent",
    deliveries.Outcome: "outcome",
    deliveries.Note: "note",
    deliveries.Doubt: "doubt",
    imports.Generation: "generation",
    imports.JobRecord: "job",
    checkpoints.Checkpoint: "checkpoint",
    mark.AuditMark: "audit",
    mark.MarkedFinding: "audit-finding",
    checkpoints.StoredFirst: "went",
    checkpoints.StoredAgain: "went-again",
}


def models() -> set[type[BaseModel]]:
    every = [value for module in (entries, deliveries, imports, checkpoints, mark) for value in vars(module).values()]
    kinds = {kind for kind in every if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel}
    return {kind for kind in kinds if kind.__annotations__}


def test_the_ledger_page_has_a_section_for_every_object() -> None:
    assert models() - {deliveries._Object, imports._Object} == set(SECTIONS)


@pytest.mark.parametrize(("kind", "anchor"), SECTIONS.items(), ids=lambda item: getattr(item, "__name__", item))
def test_the_ledger_page_describes_every_field_of_an_object_and_no_other(kind: type[BaseModel], anchor: str) -> None:
    names = {kind.model_fields[name].alias or name for name in kind.__annotations__ if name in kind.model_fields}
    for base in (deliveries._Object, imports._Object):
        names |= set(base.__annotations__) - {"model_config"} if issubclass(kind, base) else set()
    if kind is entries._Entry:
        names |= {"kind"}
    assert first_cells(section("docs/ledger.md", anchor)) == names


@pytest.mark.parametrize(("kind", "anchor"), SECTIONS.items(), ids=lambda item: getattr(item, "__name__", item))
def test_the_ledger_page_names_every_word_that_a_field_can_be(kind: type[BaseModel], anchor: str) -> None:
    told = set(re.findall(r"`(\w+)`", section("docs/ledger.md", anchor)))
    for name in kind.__annotations__:
        if name in kind.model_fields:
            words = {word for word in get_args(kind.model_fields[name].annotation) if isinstance(word, str)}
            assert words <= told, name


def test_the_page_on_audits_names_every_check() -> None:
    assert first_cells(section("docs/audit.md", "what-it-looks-at")) == set(get_args(Check))


def test_the_ledger_page_names_every_class_of_a_balance() -> None:
    assert set(Balance().as_dict()) <= set(re.findall(r"`(\w+)`", section("docs/ledger.md", "range")))


def test_the_ledger_page_names_every_column_of_the_raw_files() -> None:
    assert set(RAW_SCHEMA.names()) <= set(re.findall(r"`(\w+)`", section("docs/ledger.md", "files")))


def test_the_ledger_page_names_every_column_of_ids() -> None:
    assert {*PREDICTIONS, *ACTUALS} <= set(re.findall(r"`(\w+)`", section("docs/ledger.md", "ids")))
    assert {f"`{OF_PREDICTIONS}`", f"`{OF_ACTUALS}`"} <= set(re.findall(r"`[^`]+`", section("docs/ledger.md", "ids")))


def test_the_ledger_page_has_the_keys_as_the_code_makes_them() -> None:
    keys = Keys("<pipeline>")
    told = first_cells(section("docs/ledger.md", "keys"))
    made = {
        *(keys.entry(1), keys.slot(1, 2), keys.pipeline_file("<sha256>"), keys.checkpoint(2), keys.audit(0)),
        *(keys.delivery(1, 2, 3, what) for what in ("intent", "outcome", "note")),
        *(keys.doubt(1, 2), keys.generation(1), keys.job(1), keys.file("staged", 1, "a" * 64)),
        keys.file("staged", SlotName(1, 2), "a" * 64),
        *(keys.file(kind, OffsetRange(Partition("<topic>", 0), 7, 9), "a" * 64) for kind in KINDS),
        keys.ids(keys.file("staged", OffsetRange(Partition("<topic>", 0), 7, 9), "a" * 64), OF_PREDICTIONS),
    }
    patterns = [re.sub(r"<[^>]+>", "[^/]+", re.escape(name)) for name in told - {"probe/conditional-write"}]
    for key in made:
        assert [pattern for pattern in patterns if re.fullmatch(pattern, key)], key
    for pattern in patterns:
        assert [key for key in made if re.fullmatch(pattern, key)], pattern


def test_the_ledger_page_says_how_long_the_numbers_in_keys_are() -> None:
    keys, text = Keys("p"), section("docs/ledger.md", "keys")
    file = keys.file("staged", OffsetRange(Partition("t", 0), 7, 9), "a" * 64)
    for key, words in (
        (keys.entry(1), "{} digits, counted"),
        (keys.slot(1, 2), "{} and {} digits"),
        (keys.delivery(1, 2, 3, "note"), "{}, {} and {} digits"),
        (keys.generation(1), "{} digits, counted from 1"),
        (file, "{} digits, then the first {} of"),
    ):
        assert words.format(*map(len, re.findall(r"\d{4,}|a{4,}", key))) in text


def test_the_worked_example_is_read_by_the_code_and_balances() -> None:
    objects = [json.loads(block) for block in blocks(paper("docs/ledger.md"), "json")]
    assert [item["kind"] for item in objects] == ["genesis", "window", "intent", "accepted", "checkpoint"]
    genesis, window, intent, outcome, checkpoint = objects
    keys = re.findall(r"`(ledger/sample/\S+json)`", prose(paper("docs/ledger.md")))
    told = Keys(genesis["pipeline"])
    sent_as = [told.delivery(1, 1, 0, what) for what in ("intent", "outcome")]
    assert keys == [told.entry(0), told.entry(1), *sent_as, told.checkpoint(2)]

    read = decode(keys[1], json.dumps(window).encode())
    assert isinstance(read, entries.Window)
    assert [item.counted.balance.total for item in read.ranges] == [item.range.span for item in read.ranges]
    assert read.balance.arithmetic() in section("docs/ledger.md", "a-worked-example")
    assert read.staged
    assert read.staged.rows == read.balance.staged == sum(part.rows for part in read.parts)
    assert read.staged.key == told.file("staged", read.ranges[0].range, read.staged.sha256)
    begun = decode(keys[0], json.dumps(genesis).encode())
    stored = checkpoints.decode_checkpoint(keys[4], json.dumps(checkpoint).encode())
    state = checkpoints.as_state(stored, lambda _: read)
    assert begun.id == state.ledger_id
    assert all(state.position(item.range.partition).offset == item.stop for item in read.ranges)
    sent = TypeAdapter(deliveries.Intent).validate_python(intent)
    ended = TypeAdapter(deliveries.Outcome).validate_python(outcome)
    assert (ended.intent, ended.rows) == (sent.id, read.parts[1].rows)
    assert f"`sluice {begun.id} 1`" in paper("docs/ledger.md")


def test_the_glossary_knows_every_class_of_a_balance_and_every_kind_of_entry() -> None:
    terms = " ".join(line.split("|")[1] for line in paper("docs/glossary.md").splitlines() if line.startswith("|"))
    words = set(re.findall(r"\w+", terms))
    every = (*get_args(get_args(entries.Entry)[0]), entries.Slot, entries.VoidSlot)
    kinds = {word for kind in every for word in get_args(kind.model_fields["kind"].annotation)}
    assert kinds | {name.removesuffix("s") for name in Balance().as_dict()} <= words


# --- all papers ---


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)", prose(path.read_text(encoding="utf-8"))):
        if target.startswith("https://"):
            assert target.split("/")[2] in PUBLIC_HOSTS, target
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.is_relative_to(ROOT), target
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_every_file_of_the_project_that_a_paper_names_exists(path: Path) -> None:
    named = re.findall(r"\b(?:sluice|flows|tasks|deployments|tests|docs)/[\w./-]+", path.read_text(encoding="utf-8"))
    made_by_the_reader = {"deployments/pipelines/orders.yaml"}
    missing = {name.rstrip(".") for name in named if not (ROOT / name.rstrip(".")).exists()}
    assert missing <= made_by_the_reader


def test_every_paper_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", prose(paper("README.md"))))
    assert {str(path.relative_to(ROOT)) for path in PAPERS} - {"README.md"} <= linked


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_no_paper_has_a_path_of_somebody_s_machine_or_the_address_of_a_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.<])/(?:home|root|work|tmp|Users|usr|opt|var)/\S*", text)
    assert {match.split("/")[2].partition(":")[0] for match in re.findall(r"https?://[^\s)`]+", text)} <= PUBLIC_HOSTS


def test_an_anchor_is_made_as_github_makes_it() -> None:
    text = "# The `ledger`'s format\n## A.b, c\n## A.b, c\n```sh\n# no heading\n```\n"
    assert anchors(text) == ["the-ledgers-format", "ab-c", "ab-c-1"]
