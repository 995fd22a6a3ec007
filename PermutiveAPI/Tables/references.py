"""References: which cohorts name which cohorts, segments and imports in their queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .._Utils.arguments import listed, require_filled
from .._Utils.lazy_names import LateModule
from .._Utils.resources.display import html_table
from .._Utils.resources.frames import frame_of_cells
from ..Audience.Import import Import, ImportList
from ..Audience.Segment import Segment, SegmentList
from ..Cohort import Cohort, CohortList
from .queries import Named

if TYPE_CHECKING:
    import pandas
else:
    pandas = LateModule("pandas")

T = TypeVar("T", Cohort, Segment)

COLUMNS = ("cohort_code", "cohort_name", "kind", "code", "provider", "name", "problem")


@dataclass(frozen=True, eq=False, repr=False)
class References:
    """Which cohorts name which cohorts, segments and imports. ``Workspace.references`` returns it.

    Parameters
    ----------
    cohorts : CohortList
        All cohorts that the key can read, with their queries.
    imports : ImportList
        All imports that the key can read.
    names : tuple of (Cohort, Named)
        What each cohort names. The kind of a name is "cohort", "segment", "import" or "unknown".
    missing_segments : frozenset of Named
        The segments that queries name but that do not exist. It is empty unless the segments were checked.

    Examples
    --------
    >>> Cohort("Football or rugby", query={"or": [{"in_segment": 12345}, {"in_segment": 99999}]}).create()
    >>> references = Workspace.from_env().references()
    >>> references
    <References: 43 cohorts, 2 references (1 broken), 3 cohorts unknown>
    >>> references.used_by(Cohort.get_by_code(12345))[0].name
    'Football or rugby'
    """

    cohorts: CohortList
    imports: ImportList
    names: tuple[tuple[Cohort, Named], ...]
    missing_segments: frozenset[Named] = frozenset()

    @property
    def unknown(self) -> CohortList:
        """The cohorts that may name something that could not be read.

        There are three reasons: the cohort could not be fetched, it has no query (such as a lookalike
        cohort), or a part of its query does not follow the grammar. The column ``problem`` of the table
        gives the reason.
        """
        return self._users_of(named for _, named in self.names if named.kind == "unknown")

    def used_by(self, segment_or_cohort: Segment | Cohort) -> CohortList:
        """Return the cohorts whose queries name a segment or a cohort.

        A query also counts if it may include the segment: it names the whole import, or a third-party
        segment with this code but without its import.

        Raises
        ------
        TypeError
            If `segment_or_cohort` is not a segment or a cohort.
        ValueError
            If it has no code, or it is a segment of an import that the key cannot read.

        Examples
        --------
        >>> query = {"in_second_party_segment": {"provider": "subscribercrm", "segment": "DigitalNorth"}}
        >>> Cohort("Northern readers", query=query).create()
        >>> workspace = Workspace.from_env()
        >>> segments = workspace.segments(workspace.imports()[0].id)
        >>> references = workspace.references()
        >>> [cohort.name for cohort in references.used_by(segments.code_dictionary["DigitalNorth"])]
        ['Northern readers']
        """
        return self._users_of(self._names_for("segment_or_cohort", segment_or_cohort))

    @overload
    def unused(self, segments_or_cohorts: SegmentList) -> SegmentList: ...

    @overload
    def unused(self, segments_or_cohorts: CohortList | None = None) -> CohortList: ...

    @overload
    def unused(self, segments_or_cohorts: Iterable[T]) -> list[T]: ...

    def unused(self, segments_or_cohorts: Any = None) -> Any:
        """Return the segments or cohorts that no cohort names, in the queries that this key can read.

        But cohorts in :attr:`unknown` may name them, and activations and other workspaces may use them.

        Parameters
        ----------
        segments_or_cohorts : SegmentList or CohortList or iterable, optional
            The segments or cohorts to check. Without it: all cohorts.

        Returns
        -------
        SegmentList or CohortList or list
            A list of the same type as the argument.

        Raises
        ------
        TypeError, ValueError
            As for :meth:`used_by`.

        Examples
        --------
        >>> workspace = Workspace.from_env()
        >>> segments = workspace.segments(workspace.imports()[0].id)
        >>> references = workspace.references()
        >>> len(references.unused(segments)), len(references.unused())
        (25, 42)
        """
        name = "segments_or_cohorts"
        given: Any = self.cohorts if segments_or_cohorts is None else segments_or_cohorts
        kept = [
            each
            for position, each in enumerate(listed(name, given))
            if self._users.keys().isdisjoint(self._names_for(f"{name}[{position}]", each))
        ]
        return type(given)(kept) if isinstance(given, (CohortList, SegmentList)) else kept

    def broken(self) -> dict[str, CohortList]:
        """Return the codes that queries name but that do not exist, each with the cohorts that name it.

        They are the codes of cohorts. If the segments were checked, there are also texts such as
        ``"subscribercrm/DigitalNorth"``: the code of the import, and that of the segment. A cohort or an
        import that the API key cannot read counts as missing.

        Examples
        --------
        >>> Cohort("Runners", query={"in_segment": 99999}).create()
        >>> broken = Workspace.from_env().references().broken()
        >>> {code: [cohort.name for cohort in cohorts] for code, cohorts in broken.items()}
        {'99999': ['Runners']}
        """
        broken = filter(self._is_broken, self._users)
        return {_key_of(named): self._users_of([named]) for named in broken}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of :meth:`to_pd_dataframe` as JSON data.

        Examples
        --------
        >>> Cohort("Runners", query={"in_segment": 12345}).create()
        >>> [row["kind"] for row in Workspace.from_env().references().rows if row["cohort_name"] == "Runners"]
        ['cohort']
        """
        return [dict(zip(COLUMNS, cells, strict=True)) for cells in self._cells()]

    def to_pd_dataframe(self) -> pandas.DataFrame:
        """Return a table with one row for each reference, the unknown ones last.

        ``cohort_code`` and ``cohort_name`` are those of the cohort with the query. ``kind``, ``code``,
        ``provider`` (the code of a segment's import) and ``name`` say what the query names. ``problem``
        says why a reference is broken or unknown.

        Examples
        --------
        >>> Cohort("Runners", query={"in_segment": 12345}).create()
        >>> table = Workspace.from_env().references().to_pd_dataframe()
        >>> table[table.cohort_name == "Runners"][["kind", "code", "name"]].values.tolist()
        [['cohort', '12345', 'Football Fans']]
        """
        return frame_of_cells(self._cells(), COLUMNS)

    def __repr__(self) -> str:
        """Return the counts."""
        return f"<References: {self._summary}>"

    def _repr_html_(self) -> str:
        """Return the counts and the first rows of the table, for notebooks."""
        table = html_table(COLUMNS, self._cells(), len(self.names))
        return f"<p>{self._summary}</p>\n{table}"

    @property
    def _summary(self) -> str:
        known = [named for _, named in self.names if named.kind != "unknown"]
        broken = sum(map(self._is_broken, known))
        return (
            f"{len(self.cohorts):,} cohorts, {len(known):,} references "
            f"({broken:,} broken), {len(self.unknown):,} cohorts unknown"
        )

    @cached_property
    def _users(self) -> dict[Named, list[int]]:
        """For each name, the positions of the cohorts that name it."""
        places = {id(cohort): place for place, cohort in enumerate(self.cohorts)}
        users: dict[Named, list[int]] = {}
        for cohort, named in self.names:
            users.setdefault(named, []).append(places[id(cohort)])
        return users

    def _users_of(self, names: Iterable[Named]) -> CohortList:
        """Return the cohorts that name one of these, each once, in the order of the cohorts."""
        places = {place for named in names for place in self._users.get(named, ())}
        return CohortList(self.cohorts[place] for place in sorted(places))

    def _names_for(self, argument: str, found: Any) -> list[Named]:
        """Return every name that a query can use for a segment or a cohort."""
        if not isinstance(found, (Segment, Cohort)):
            kind = type(found).__name__
            raise TypeError(f"{argument} must be a Segment or a Cohort, got {kind}.")
        require_filled(f"{argument}.code", found.code)
        code = str(found.code)
        if isinstance(found, Cohort):
            return [Named("cohort", code)]
        source = self.imports.id_dictionary.get(found.import_id)
        if source is None:
            raise ValueError(
                f"{argument} belongs to the import {found.import_id!r}, which the key cannot read."
            )
        whole_import = Named("import", source.code)
        return [Named("segment", code, source.code), Named("segment", code), whole_import]

    def _is_broken(self, named: Named) -> bool:
        is_missing_cohort = (
            named.kind == "cohort" and named.code not in self.cohorts.code_dictionary
        )
        return is_missing_cohort or named in self.missing_segments

    def _problem_of(self, named: Named) -> str | None:
        if not self._is_broken(named):
            return None
        if named.kind == "cohort":
            return "no cohort has this code"
        is_import = named.provider in self.imports.code_dictionary
        return "the import has no such segment" if is_import else "there is no such import"

    def _cells(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the table. The unknown ones come last, because there may be many."""
        for cohort, named in sorted(self.names, key=lambda each: each[1].kind == "unknown"):
            whose = (cohort.code, cohort.name, named.kind)
            if named.kind == "unknown":
                yield (*whose, None, None, None, named.code)
            else:
                name = self._name_of(named)
                yield (*whose, named.code, named.provider, name, self._problem_of(named))

    def _name_of(self, named: Named) -> str | None:
        """Return the name of a cohort or an import. Segments are not fetched."""
        if named.kind == "cohort":
            found: Cohort | Import | None = self.cohorts.code_dictionary.get(named.code)
        else:
            found = self.imports.code_dictionary.get(named.code if named.kind == "import" else "")
        return None if found is None else found.name


def _key_of(named: Named) -> str:
    return named.code if named.kind == "cohort" else f"{named.provider}/{named.code}"
