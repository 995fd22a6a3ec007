"""A rewritten query names other cohorts, and is otherwise the same, whatever the query."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from PermutiveAPI.Query import event, has_entered, has_exited, in_segment, in_third_party_segment
from PermutiveAPI.Tables.queries import Named, names_in, rewritten

codes = st.integers(1, 4)
naming = st.one_of(
    codes.map(in_segment),
    codes.map(str).map(in_segment),
    codes.map(has_entered),
    codes.map(lambda code: ~has_exited(str(code))),
    codes.map(lambda code: in_third_party_segment(code)),
    st.just(event("Pageview").at_least(2)),
)
queries = st.lists(st.lists(naming, min_size=1, max_size=3), min_size=1, max_size=3).map(
    lambda eithers: {"and": [{"or": [clause.to_json() for clause in either]} for either in eithers]}
)
foreign = queries.map(lambda query: {"all": [query, {"strange": 1}]})


@given(queries | foreign, st.dictionaries(codes.map(str), st.integers(100, 104)))
def test_a_rewritten_query_names_the_new_codes(query: Any, new: dict[str, int]) -> None:
    """A rewritten query names the new code wherever the old one was named, and nothing else changes."""

    def mapped(named: Named) -> Named:
        code = str(new.get(named.code, named.code))
        return named._replace(code=code) if named.kind == "cohort" else named

    def known(given: Any) -> list[Named]:
        return [each for each in names_in(given) if each.kind != "unknown"]

    assert known(rewritten(query, new)) == [*dict.fromkeys(map(mapped, known(query)))]
    assert rewritten(query, {}) == query
