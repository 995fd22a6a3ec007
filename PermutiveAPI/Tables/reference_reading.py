"""Read which cohorts name which cohorts, segments and imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .. import stream_batch
from .._Utils.batch.types import BatchRequest, ProgressCallback
from .._Utils.errors import PermutiveBadRequestError, PermutiveResourceNotFoundError
from ..Audience.Import import Import, ImportList
from ..Audience.urls import url_of_code
from ..Cohort import Cohort, CohortList
from .queries import Named, names_in
from .references import References


def read_references(
    api_key: str,
    max_workers: int | None,
    progress_callback: ProgressCallback | None,
    *,
    check_segments: bool = False,
) -> References:
    """Read all cohorts with their queries, and the imports; see ``Workspace.references``."""
    everything = Cohort.list(api_key, include_child_workspaces=True)
    fetched, failures = Cohort.batch_get_by_id(
        [cohort.id for cohort in everything if cohort.id],
        api_key=api_key,
        max_workers=max_workers,
        progress_callback=progress_callback,
    )
    errors = {request.item: error for request, error in failures}
    cohorts = CohortList(fetched.get(cohort.id or "", cohort) for cohort in everything)
    names = [(cohort, named) for cohort in cohorts for named in _names_of(cohort, errors)]
    imports = Import.list(api_key)
    segments = {named for _, named in names if named.kind == "segment" and named.provider}
    missing = _missing_of(segments, imports, api_key, max_workers) if check_segments else ()
    return References(cohorts, imports, tuple(names), frozenset(missing))


def _missing_of(
    segments: Iterable[Named], imports: ImportList, api_key: str, max_workers: int | None
) -> Iterator[Named]:
    """Look up segments, and yield those that do not exist."""
    by_url: dict[str, Named] = {}
    for named in segments:
        source = imports.code_dictionary.get(named.provider or "")
        try:
            by_url[url_of_code(source and source.id, named.code)] = named
        except ValueError:  # There is no such import, or no segment can have this code.
            yield named
    requests = [BatchRequest("GET", url) for url in by_url]
    for result in stream_batch(requests, api_key=api_key, max_workers=max_workers):
        # The service answers 400 to a code that no segment can have.
        if isinstance(result.error, (PermutiveResourceNotFoundError, PermutiveBadRequestError)):
            yield by_url[result.batch_request.url]
        elif result.error:
            raise result.error


def _names_of(cohort: Cohort, errors: Mapping[Any, Exception]) -> list[Named]:
    if cohort.id in errors:
        return [Named("unknown", f"the cohort could not be fetched: {errors[cohort.id]}")]
    if not cohort.query:
        return [Named("unknown", "the cohort has no query")]
    return [*map(_explained, names_in(cohort.query))]


def _explained(named: Named) -> Named:
    is_known = named.kind != "unknown"
    return named if is_known else named._replace(code=f"this cannot be read: {named.code}")
