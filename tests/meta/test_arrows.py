"""The arrows of the architecture, drawn from the real imports."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Set

from PermutiveAPI import Tables
from tests.meta.sources import (
    COMMANDS,
    calls_in,
    foreign_imports_of,
    imports_of,
    modules,
    own_imports_of,
)
from tests.support.rows import for_each

UTILS = sorted(name for name in modules() if name.startswith("_Utils."))
SANDBOX = sorted(name for name in modules() if name.split(".")[0] == "sandbox")
QUERY = sorted(name for name in modules() if name.startswith("Query."))
TABLES = sorted(name for name in modules() if name.split(".")[0] == "Tables")
CLI = sorted(name for name in modules() if name.split(".")[0] == "cli")
REHEARSAL = sorted(name for name in modules() if name.split(".")[0] == "rehearsal")
SNAPSHOTS = sorted(name for name in modules() if name.split(".")[0] == "snapshots")
RESOURCES = [
    "Cohort",
    "cohort_tables",
    "Workspace",
    "Segmentation",
    "Tracking",
    "Context",
    "answers",
    "Audience",
    "Audience.Import",
    "Audience.Segment",
    "Audience.Source",
    "Audience.bulk",
    "Audience.defaults",
    "Audience.pages",
    "Audience.urls",
    "Identify",
    "Identify.Identity",
    "Identify.Alias",
]

# Each room of _Utils (a folder, or a module beside the folders), and the rooms that it may import.
# "room.module" allows only that module.
BELOW = {
    "arguments": "",
    "version": "",
    "redaction": "",
    "codec": "",
    "list": "",
    "file": "",
    "settings": "lazy_names",
    "gc_pause": "",
    "lazy_names": "",
    "cancellation": "",
    "base_url": "settings",
    "errors": "redaction",
    "retry": "arguments cancellation credentials errors redaction settings",
    "credentials": "arguments errors settings redaction",
    "json": "codec file gc_pause redaction",
    "batch": "arguments base_url cancellation credentials errors lazy_names redaction retry.policy settings",
    "transport": "arguments cancellation credentials errors lazy_names redaction settings version",
    "http": "arguments base_url batch credentials errors json lazy_names redaction retry settings transport",
    "options": "arguments base_url credentials retry settings",
    "resources": "arguments batch codec credentials errors gc_pause http json lazy_names",
}

# Each resource, and the resources that it may import.
ABOVE = {
    "Workspace": "Cohort Audience.Import Audience.Segment",
    "Cohort": "cohort_tables",
    "cohort_tables": "",
    "answers": "",
    "Segmentation": "answers Identify.Alias",
    "Tracking": "answers Identify.Alias",
    "Context": "answers",
    "Audience": "",
    "Audience.Import": "Audience Audience.Segment Audience.Source",
    "Audience.Segment": "Audience.bulk Audience.defaults Audience.pages Audience.urls",
    "Audience.bulk": "",
    "Audience.defaults": "",
    "Audience.pages": "",
    "Audience.urls": "Audience",
    "Audience.Source": "",
    "Identify": "",
    "Identify.Identity": "Identify Identify.Alias",
    "Identify.Alias": "",
}


# Each module of Query, and the modules of Query that it may import. All may import _Utils.codec.encoding.
IN_QUERY = {
    "reading": "",
    "writing": "",
    "numbers": "reading",
    "operators": "reading writing",
    "logic": "reading",
    "conditions": "logic reading",
    "testable": "conditions operators",
    "properties": "conditions logic operators reading testable writing",
    "query": "logic reading",
    "clauses": "conditions numbers operators properties query reading writing",
    "events": "clauses conditions numbers query reading writing",
    "engagement": "clauses conditions numbers query reading writing",
    "membership": "clauses numbers query reading writing",
}

# What the modules of Tables may import, besides each other and modules of _Utils.
BELOW_TABLES = {
    "Tables",
    "Workspace",
    "Cohort",
    "Audience.Import",
    "Audience.Segment",
    "Audience.urls",
    "Identify.Alias",
    "Identify.Identity",
    "Query",
    *(f"Query.{name}" for name in IN_QUERY),
}
UTILS_OF_TABLES = (
    "arguments base_url batch.progress_bar batch.types codec credentials errors gc_pause json"
    " lazy_names list resources settings"
)

# What the modules of the command may import of _Utils. Besides, they import public names, Tables, and the rooms below.
UTILS_OF_CLI = (
    "codec.decoding credentials resources.display resources.frames resources.phrases resources.table_rows"
    " settings"
)
# The commands that run what is neither public nor in Tables.
RUNNERS = {"cli.commands.demo": {"_demo"}, "cli.commands.sandbox": {"sandbox", "sandbox.command"}}
# What the rehearsal may import, besides the sandbox and Tables.
BELOW_REHEARSAL = {
    "Workspace",
    "Cohort",
    "Audience.Import",
    "Audience.Segment",
    "Audience.defaults",
    *(
        f"_Utils.{name}"
        for name in ("arguments", "http", "json", "options", "redaction", "settings")
    ),
}

# The modules of the sandbox that may import Query.
EVALUATING = ("sandbox.checking", "sandbox.evaluation", "sandbox.conditions")
EVALUATION = {"_Utils.codec.decoding", *(f"Query.{name}" for name in IN_QUERY)}


def test_every_module_has_its_place() -> None:
    """Every module is in one of the tables above."""
    known = {*ABOVE, *SANDBOX, *SNAPSHOTS, *TABLES, *REHEARSAL, *CLI, *COMMANDS}
    known |= {"", "testing", "_Utils", "Query", *(f"Query.{name}" for name in IN_QUERY)}
    assert set(modules()) - set(UTILS) == known
    assert {room_of(name) for name in UTILS} == set(BELOW)


def test_utils_can_be_taken_in_at_a_glance() -> None:
    """_Utils has at most 20 modules and rooms."""
    assert len(BELOW) <= 20


def room_of(name: str) -> str:
    """Return the room of _Utils that a module stands in."""
    return name.split(".")[1]


def offenders(names: Iterable[str], wrong_in: Callable[[str], Set[str]]) -> Dict[str, Set[str]]:
    """Return the modules that break a rule, each with what breaks it."""
    return {name: wrong for name in names if (wrong := wrong_in(name))}


def test_below() -> None:
    """A module of _Utils imports only from its own room and the rooms below it, and no resource."""

    def wrong_in(name: str) -> Set[str]:
        allowed = {room_of(name), *BELOW[room_of(name)].split()}
        return {
            found
            for found in own_imports_of(name) - {"_Utils"}
            if not found.startswith("_Utils.")
            or not {room_of(found), found.removeprefix("_Utils.")} & allowed
        }

    assert offenders(UTILS, wrong_in) == {}


def test_in_query() -> None:
    """A module of Query imports only the modules below it, and no resource."""

    def wrong_in(name: str) -> Set[str]:
        below = {f"Query.{each}" for each in IN_QUERY[name.partition(".")[2]].split()}
        return own_imports_of(name) - {"Query", "_Utils", "_Utils.codec.encoding", *below}

    assert offenders(QUERY, wrong_in) == {}


def test_tables() -> None:
    """A module of Tables imports resources and queries, and from _Utils only what it needs."""
    allowed = {f"_Utils.{each}" for each in UTILS_OF_TABLES.split()} | {"", "_Utils"} | BELOW_TABLES

    def wrong_in(name: str) -> Set[str]:
        return {
            found
            for found in own_imports_of(name) - {*TABLES}
            if found not in allowed and ".".join(found.split(".")[:2]) not in allowed
        }

    assert offenders(TABLES, wrong_in) == {}


def test_rehearsal() -> None:
    """The rehearsal imports the sandbox, Tables, and what they stand on."""

    def wrong_in(name: str) -> Set[str]:
        own = own_imports_of(name) - {"", "_Utils", "sandbox", *SANDBOX, *TABLES, *REHEARSAL}
        return own - BELOW_REHEARSAL

    assert offenders(REHEARSAL, wrong_in) == {}


def test_nothing_imports_tables_when_it_is_loaded() -> None:
    """A module outside of Tables imports it only inside functions, except snapshots and the rehearsal."""

    def wrong_in(name: str) -> Set[str]:
        found = (each.target for each in imports_of(name) if each.at_module_level)
        return {target for target in found if target.startswith("PermutiveAPI.Tables")}

    assert offenders(set(modules()) - {*TABLES, *SNAPSHOTS, *REHEARSAL, *CLI}, wrong_in) == {}


def test_no_module_waits_for_a_late_import() -> None:
    """A module imports a name of Tables from its own module. From Tables, it would wait for the late imports of other threads."""
    late = {f"PermutiveAPI.Tables.{name}" for name in Tables.__all__}

    def wrong_in(name: str) -> Set[str]:
        return {each.target for each in imports_of(name) if each.at_module_level} & late

    assert offenders(set(modules()) - {*CLI}, wrong_in) == {}


def test_cli() -> None:
    """The command imports public names and Tables, and from _Utils only what it needs."""
    allowed = {"", "Query", "_Utils", "_Utils.resources", *CLI, *TABLES}
    allowed |= {f"_Utils.{each}" for each in UTILS_OF_CLI.split()}
    # Classes at the top level with the names of their modules.
    allowed |= {"Cohort", "Segmentation", "Workspace", "rehearsal", "snapshots"}

    def wrong_in(name: str) -> Set[str]:
        return own_imports_of(name) - allowed - RUNNERS.get(name, set())

    assert offenders(CLI, wrong_in) == {}


def test_nothing_needs_cli() -> None:
    """Only ``python -m PermutiveAPI`` imports the command."""

    def wrong_in(name: str) -> Set[str]:
        return own_imports_of(name) & {*CLI}

    assert offenders(set(modules()) - {*CLI}, wrong_in) == {"__main__": {"cli"}}


def test_a_command_is_imported_only_when_it_runs() -> None:
    """No module imports a command when it is loaded, except another command."""

    def wrong_in(name: str) -> Set[str]:
        found = own_imports_of(name, at_module_level=True)
        return {each for each in found if each.startswith("cli.commands.")}

    shared = [name for name in CLI if not name.startswith("cli.commands")]
    assert offenders(shared, wrong_in) == {}


def test_snapshots() -> None:
    """A module of snapshots imports Tables and what Tables may import. Only Workspace imports snapshots, inside a method."""
    of_utils = {"_Utils", "_Utils.batch.types", "_Utils.codec.encoding", "_Utils.errors"}
    allowed = {*BELOW_TABLES, *TABLES, *SNAPSHOTS, *of_utils, ""}
    assert offenders(SNAPSHOTS, lambda name: own_imports_of(name) - allowed) == {}

    def wrong_in(name: str) -> Set[str]:
        found = own_imports_of(name, at_module_level=name == "Workspace")
        return found & {*SNAPSHOTS}

    library = {name for name in modules() if name.split(".")[0] != "cli"}
    assert offenders(library - {*SNAPSHOTS}, wrong_in) == {}


def test_above() -> None:
    """A resource imports only _Utils and the resources that it contains. Tables and snapshots only inside methods."""

    def wrong_in(name: str) -> Set[str]:
        found = {each for each in own_imports_of(name) if not each.startswith("_Utils")}
        return found - {*ABOVE[name].split(), *TABLES, *SNAPSHOTS}

    assert offenders(RESOURCES, wrong_in) == {}


def test_testing() -> None:
    """testing.py imports no resource."""
    assert own_imports_of("testing") <= {"_Utils", "_Utils.credentials", "_Utils.redaction"}


def test_no_circles() -> None:
    """No module imports itself when it is loaded, directly or through others."""

    def reached(name: str, seen: Set[str]) -> Set[str]:
        for each in own_imports_of(name, at_module_level=True) - seen - {"", "_Utils"}:
            seen.add(each)
            reached(each, seen)
        return seen

    assert [name for name in modules() if name and name in reached(name, set())] == []


SOURCES_OF_EFFECTS = {
    "asyncio",
    "builtins",
    "concurrent",
    "glob",
    "http",
    "io",
    "logging",
    "os",
    "pathlib",
    "queue",
    "select",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib3",
    "warnings",
}
EFFECTS = {"open", "print", "input", "datetime.now", "datetime.utcnow", "date.today"}
PURE = [
    "retry.policy",
    "retry.outcome",
    "retry.rate_limit",
    "codec.encoding",
    "codec.decoding",
    "resources.urls",
    "redaction",
]


@for_each("name", PURE)
def test_pure_modules(name: str) -> None:
    """A pure module does no I/O, reads no clock and logs nothing; most import no module that does."""
    foreign = {each.split(".")[0] for each in foreign_imports_of(f"_Utils.{name}")}
    kinds = {each for each in foreign_imports_of(f"_Utils.{name}") if "." in each}
    if name == "retry.outcome":  # It needs the classes of errors.
        assert {each for each in kinds if each.startswith(("requests", "urllib3"))} <= {
            "requests.exceptions",
            "urllib3.exceptions",
        }
        foreign -= {"requests", "urllib3"}
    elif name == "retry.rate_limit":  # It needs locks, and a hook for forks.
        assert {
            each for each in calls_in(f"_Utils.{name}") if each.startswith(("os.", "threading."))
        } <= {"os.register_at_fork", "threading.Lock", "threading.get_ident"}
        foreign -= {"os", "threading"}
    elif name != "retry.policy":  # It may read settings.
        assert own_imports_of(f"_Utils.{name}") <= {"_Utils", "_Utils.arguments"}
    assert "requests" not in foreign
    assert not foreign & SOURCES_OF_EFFECTS
    assert not calls_in(f"_Utils.{name}") & EFFECTS


LIBRARY = sorted(set(modules()) - {*SANDBOX, *CLI} - COMMANDS)


CONNECTIONS = (
    "requests.adapters",
    "requests.sessions",
    "urllib3.connection",
    "socket",
    "ssl",
    "http.",
)


def test_only_transport_touches_connections() -> None:
    """Only transport makes sessions and connections; only cancellation ends them."""

    def wrong_in(name: str) -> Set[str]:
        room = ".".join(name.split(".")[:2])
        connections = {each for each in foreign_imports_of(name) if each.startswith(CONNECTIONS)}
        used = calls_in(name) & {"requests.Session", "requests.session"}
        allowed = {
            "_Utils.transport": connections | used,
            "_Utils.cancellation": {"socket"},
            "_Utils.retry": {"ssl"},  # For the classes of its errors.
        }
        return (connections | used) - allowed.get(room, set())

    assert offenders(LIBRARY, wrong_in) == {}


def test_only_pauses_sleep() -> None:
    """Only the waits between attempts sleep, and http asks whether they take time.

    Only batches import executors: they tell executors of threads apart, and have threads of their own.
    http names the class that users' tests replace, without importing it.
    """

    def sleeps_and_pools_in(name: str) -> Set[str]:
        sleeps = {each for each in calls_in(name) if each.split(".")[-1] == "sleep"}
        return sleeps | {each for each in foreign_imports_of(name) if each.endswith("PoolExecutor")}

    assert offenders(LIBRARY, sleeps_and_pools_in) == {
        "_Utils.retry.pauses": {"time.sleep"},
        "_Utils.http": {"time.sleep"},
        "_Utils.batch.executors": {"concurrent.futures.ThreadPoolExecutor"},
        "_Utils.batch.shard_sender": {"concurrent.futures.ThreadPoolExecutor"},
        "_Utils.batch.threads": {"concurrent.futures.ThreadPoolExecutor"},
    }


def test_only_batches_start_threads() -> None:
    """Threads outside of executors only read an iterable, look a name up, or end a batch for a worker."""

    def started_in(name: str) -> Set[str]:
        return {each for each in calls_in(name) if each.endswith("threading.Thread")}

    assert set(offenders(LIBRARY, started_in)) <= {
        "_Utils.transport.lookup",
        "_Utils.batch.reader",
        "_Utils.batch.workers",
    }


def test_only_frames_imports_pandas() -> None:
    """Only frames imports pandas, only settings imports dotenv, both inside functions; no module imports numpy."""

    def wrong_in(name: str) -> Set[str]:
        found = {
            f"{package}, for {'the module' if each.at_module_level else 'a function'}"
            for each in imports_of(name)
            if (package := each.target.split(".")[0]) in ("pandas", "numpy", "dotenv")
        }
        allowed = {
            "_Utils.resources.frames": {"pandas, for a function"},
            "_Utils.settings": {"dotenv, for a function"},
        }
        return found - allowed.get(name, set())

    assert offenders(LIBRARY, wrong_in) == {}


def test_errors_are_mapped_in_one_place() -> None:
    """Only errors maps statuses to exceptions; only transport and http send."""
    for name in LIBRARY:
        if name not in ("_Utils.errors", "_Utils.retry.outcome"):
            assert "error_from_response" not in calls_in(name), name
        if name not in ("_Utils.http", "_Utils.transport"):
            assert "transport.send" not in calls_in(name), name


def test_identifiers_become_urls_in_one_place() -> None:
    """Only urls quotes identifiers; no resource builds a URL itself."""
    for name in RESOURCES:
        assert "quote" not in {each.split(".")[-1] for each in calls_in(name)}, name


def test_sandbox_stands_alone() -> None:
    """The sandbox imports nothing of the library outside its folder, except Query."""

    def wrong_in(name: str) -> Set[str]:
        outside = {each for each in own_imports_of(name) if each.split(".")[0] != "sandbox"}
        return outside - {"", "Query", "_Utils"} - (EVALUATION if name in EVALUATING else set())

    assert offenders(SANDBOX, wrong_in) == {}


def test_library_does_not_need_the_sandbox() -> None:
    """No module of the library imports the sandbox, except the rehearsal."""
    for name in set(LIBRARY) - set(REHEARSAL):
        assert not [each for each in own_imports_of(name) if each.split(".")[0] == "sandbox"], name
