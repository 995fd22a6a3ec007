"""References: which cohorts name which cohorts, segments and imports in their queries."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest

from PermutiveAPI import (
    Cohort,
    CohortList,
    PermutiveAuthenticationError,
    PermutiveServerError,
    Progress,
    Segment,
    SegmentList,
    Workspace,
)
from PermutiveAPI.Query import (
    Query,
    event,
    has_exited,
    in_connections_import_segment,
    in_second_party_segment,
    in_segment,
    in_third_party_segment,
)
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import References
from tests.support.calls import COHORT, COHORTS, IMPORT, IMPORTS, KEY, SEGMENT
from tests.support.fake_service import Connection, FakeService, Step, answer

WORKSPACE = Workspace("Main", "w-1", "w-1", KEY)
IN_MARKETS = in_second_party_segment("markets", "a")
# Cohorts by code, each with a name and a query.
PLAIN, LOOKALIKE, FOREIGN, BOTH, LEFT, THIRD, WHOLE, OTHER = range(1, 9)
QUERIES: Dict[int, Any] = {
    PLAIN: event("Pageview"),
    LOOKALIKE: None,
    FOREIGN: {"all": [{"in_segment": PLAIN}]},
    BOTH: (in_segment(PLAIN) | in_segment("77")) & IN_MARKETS,
    LEFT: ~has_exited(str(BOTH)),
    THIRD: in_third_party_segment("a"),
    WHOLE: in_connections_import_segment("markets"),
    OTHER: in_second_party_segment("others", "a"),
}


def stored(code: int, query: Any) -> Dict[str, Any]:
    """Return a cohort as the service stores it."""
    sent = query.to_json() if isinstance(query, Query) else query
    names = {} if sent is None else {"query": sent}
    return {**COHORT, "id": f"id-{code}", "code": code, "name": f"name {code}", **names}


def serve(server: FakeService, failing: Optional[Dict[str, Step]] = None) -> None:
    """Let the service respond as a workspace with the cohorts above and one import."""
    cohorts = {f"id-{code}": stored(code, query) for code, query in QUERIES.items()}
    listed = [{**each, "query": None} for each in cohorts.values()]

    def respond(connection: Connection) -> bool:
        assert connection.request
        path = connection.request.path
        fixed = {IMPORTS: answer(200, {"items": [IMPORT]}), COHORTS: answer(200, listed)}
        found = {COHORTS + id: answer(200, cohort) for id, cohort in cohorts.items()}
        return {**found, **fixed, **(failing or {})}[path](connection)

    server.default = respond


@pytest.fixture
def references(server: FakeService) -> References:
    """The references of the cohorts above."""
    serve(server)
    return WORKSPACE.references()


def codes_of(cohorts: CohortList) -> List[Any]:
    """Return the codes of cohorts, which must be in a CohortList."""
    assert type(cohorts) is CohortList
    return [cohort.code for cohort in cohorts]


def segment(code: str, import_id: str = "i-1") -> Segment:
    """Make a segment."""
    return Segment(code, f"name {code}", import_id)


def test_what_is_sent(server: FakeService) -> None:
    """Each call lists the cohorts, also of child workspaces, fetches each one once, and lists the imports."""
    serve(server)
    WORKSPACE.cohorts(include_details=True)
    server.received.clear()
    steps: List[Progress] = []
    WORKSPACE.references(max_workers=2, progress_callback=steps.append)
    sent = [(each.method, each.path) for each in server.received]
    fetched = [("GET", f"{COHORTS}id-{code}") for code in QUERIES]
    assert sent[0] == ("GET", COHORTS)
    assert server.received[0].query["include-child-workspaces"] == ["true"]
    assert sorted(sent[1:]) == sorted([*fetched, ("GET", IMPORTS)])
    assert {each.query["k"][0] for each in server.received} == {KEY}
    assert [each.completed for each in steps] == [*range(1, len(QUERIES) + 1)]


def test_who_uses_a_cohort(references: References) -> None:
    """Cohorts are found by code, whether it is a number or a text, also in queries of another grammar."""
    assert codes_of(references.used_by(Cohort("n", code=PLAIN))) == [FOREIGN, BOTH]
    assert codes_of(references.used_by(Cohort("n", code=str(BOTH)))) == [LEFT]
    assert codes_of(references.used_by(Cohort("n", code=LEFT))) == []
    assert references.used_by(Cohort("n", code=PLAIN))[1].query == QUERIES[BOTH]


def test_who_uses_a_segment(references: References) -> None:
    """A segment is named by its import and code, by its code alone, or by its import alone."""
    assert codes_of(references.used_by(segment("a"))) == [BOTH, THIRD, WHOLE]
    assert codes_of(references.used_by(segment("b"))) == [WHOLE]


def test_unused(references: References) -> None:
    """Segments and cohorts that no query names are returned in a list of the argument's type."""
    assert codes_of(references.unused()) == [LOOKALIKE, FOREIGN, LEFT, THIRD, WHOLE, OTHER]
    assert codes_of(references.unused(references.cohorts[:3])) == [LOOKALIKE, FOREIGN]
    plain = [Cohort("n", code=code) for code in (PLAIN, OTHER)]
    assert references.unused(plain) == plain[1:]
    assert type(references.unused(iter(plain))) is list


def test_unused_segments(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that is only named in another import is unused."""
    monkeypatch.setitem(QUERIES, WHOLE, in_segment(PLAIN))
    monkeypatch.setitem(QUERIES, THIRD, in_third_party_segment("a", provider="others"))
    serve(server)
    segments = SegmentList([segment("a"), segment("b")])
    kept = WORKSPACE.references().unused(segments)
    assert type(kept) is SegmentList
    assert [each.code for each in kept] == ["b"]


def test_broken(references: References) -> None:
    """A code that no cohort has is broken, and its users are listed."""
    assert {code: codes_of(users) for code, users in references.broken().items()} == {"77": [BOTH]}


CHECKED = {
    f"{IMPORTS}/i-1/segments/code/a": answer(200, SEGMENT),
    f"{IMPORTS}/i-1/segments/code/b": answer(404),
    f"{IMPORTS}/i-1/segments/code/b%20c": answer(400),
}


def test_broken_segments(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """If segments are checked, each is looked up once. Those of an unknown import need no request."""
    gone = [in_second_party_segment("markets", code) for code in ("b", "b c", "..")]
    monkeypatch.setitem(QUERIES, LEFT, gone[0] | gone[1] | gone[2])
    monkeypatch.setitem(QUERIES, PLAIN, gone[0] | IN_MARKETS)
    serve(server, CHECKED)
    references = WORKSPACE.references(check_segments=True)
    checked = [each.path for each in server.received if "/segments/" in each.path]
    assert sorted(checked) == sorted(CHECKED)
    assert {key: codes_of(users) for key, users in references.broken().items()} == {
        "markets/b": [PLAIN, LEFT],
        "77": [BOTH],
        "markets/b c": [LEFT],
        "markets/..": [LEFT],
        "others/a": [OTHER],
    }
    table = references.to_pd_dataframe()
    problems = table[table.kind == "segment"].groupby("cohort_code").problem.unique().to_dict()
    assert {code: list(found) for code, found in problems.items()} == {
        PLAIN: ["the import has no such segment", None],
        BOTH: [None],
        LEFT: ["the import has no such segment"],
        THIRD: [None],
        OTHER: ["there is no such import"],
    }
    assert "(6 broken)" in repr(references)


def test_a_segment_that_cannot_be_checked(server: FakeService) -> None:
    """If a segment cannot be looked up, the call raises."""
    serve(server, {f"{IMPORTS}/i-1/segments/code/a": answer(403)})
    with pytest.raises(PermutiveAuthenticationError):
        WORKSPACE.references(check_segments=True)


def test_unknown(server: FakeService) -> None:
    """A cohort without a query, one that cannot be fetched, and one of another grammar are unknown."""
    serve(server, {f"{COHORTS}id-{PLAIN}": answer(404), f"{COHORTS}id-{LEFT}": answer(403)})
    references = WORKSPACE.references()
    assert codes_of(references.unknown) == [PLAIN, LOOKALIKE, FOREIGN, LEFT]
    table = references.to_pd_dataframe()
    problems = table[table.kind == "unknown"].set_index("cohort_code").problem.to_dict()
    assert problems == {
        PLAIN: "the cohort could not be fetched: Resource not found.",
        LOOKALIKE: "the cohort has no query",
        FOREIGN: "this cannot be read: {'all': [{'in_segment': 1}]}",
        LEFT: "the cohort could not be fetched: 403: Invalid API key or insufficient permissions.",
    }
    assert KEY not in str(problems)


def test_table(references: References) -> None:
    """The table has a row for each reference, with names where they are known; unknown ones come last."""
    rows = references.to_pd_dataframe().drop(columns="cohort_name").values.tolist()
    assert rows == [
        [FOREIGN, "cohort", "1", None, "name 1", None],
        [BOTH, "cohort", "1", None, "name 1", None],
        [BOTH, "cohort", "77", None, None, "no cohort has this code"],
        [BOTH, "segment", "a", "markets", None, None],
        [LEFT, "cohort", "4", None, "name 4", None],
        [THIRD, "segment", "a", None, None, None],
        [WHOLE, "import", "markets", None, "Markets", None],
        [OTHER, "segment", "a", "others", None, None],
        [LOOKALIKE, "unknown", None, None, None, "the cohort has no query"],
        [FOREIGN, "unknown", None, None, None, "this cannot be read: {'all': [{'in_segment': 1}]}"],
    ]
    assert list(references.to_pd_dataframe().columns) == [
        "cohort_code",
        "cohort_name",
        "kind",
        "code",
        "provider",
        "name",
        "problem",
    ]


def test_shown(references: References) -> None:
    """The text form has the counts, and notebooks show the table."""
    counts = "8 cohorts, 8 references (1 broken), 2 cohorts unknown"
    assert repr(references) == str(references) == f"<References: {counts}>"
    html = references._repr_html_()
    assert html.count("<tr>") == 1 + len(references.names)
    assert html.startswith(f"<p>{counts}</p>")
    assert "no cohort has this code" in html
    assert KEY not in html + repr(vars(references))


def test_an_empty_workspace(server: FakeService) -> None:
    """Without cohorts there are no references, and nothing is fetched."""
    server.script += [answer(200, []), answer(200, {"items": []})]
    references = WORKSPACE.references()
    assert (codes_of(references.unused()), references.broken()) == ([], {})
    assert len(references.to_pd_dataframe().columns) == 7
    assert len(server.received) == 2


def test_errors_are_not_swallowed(server: FakeService) -> None:
    """If the cohorts or the imports cannot be listed, the call raises."""
    for path in (COHORTS, IMPORTS):
        serve(server, {path: answer(500, {})})
        with pytest.raises(PermutiveServerError):
            WORKSPACE.references()


def test_with_the_sandbox(sandbox: Sandbox) -> None:
    """In a workspace with a child, every cohort except lookalikes can be read, and a new reference is found."""
    used = Cohort.list(sandbox.api_key)[3]
    assert used.code
    Cohort("User", query=has_exited(used.code)).create(sandbox.api_key)
    workspace = Workspace.from_json(sandbox.credentials()[0])
    references = workspace.references()
    assert [cohort.name for cohort in references.used_by(used)] == ["User"]
    assert {cohort.query for cohort in references.unknown} == {None}
    assert len(references.unused()) == len(references.cohorts) - 1 == 42
