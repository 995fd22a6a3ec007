"""Users' code: typical use of every public call, as users write it, annotate it and have it checked.

The tests beside it run it, and have both type checkers read it in their strictest modes.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any, Literal

import PermutiveAPI
from PermutiveAPI import (
    Alias,
    AttemptRecord,
    BatchRequest,
    BatchResult,
    Cohort,
    CohortList,
    ContextSegment,
    Event,
    Identity,
    Import,
    ImportList,
    KnownAlias,
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConflictError,
    PermutiveConnectionError,
    PermutiveCredentialsError,
    PermutiveInvalidRequestError,
    PermutiveInvalidResponseError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    PermutiveTimeoutError,
    Progress,
    RetryConfig,
    Segment,
    Segmentation,
    SegmentList,
    Source,
    TrackedEvent,
    Workspace,
    WorkspaceList,
    options,
    progress_bar,
    stream_batch,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.file import check_filepath, split_filepath
from PermutiveAPI._Utils.json import (
    JSONSerializable,
    customJSONEncoder,
    json_default,
    load_json_list,
)
from PermutiveAPI._Utils.list import chunk_list, compare_list, convert_list, merge_list
from PermutiveAPI.answers import (
    Classifications,
    ClassifiedCategory,
    ClassifiedKeyword,
    ContextAnswer,
    ContextualData,
    NamedCohort,
    SegmentationAnswer,
    SegmentationState,
    StatelessAnswer,
    TrackedEventAnswer,
)
from PermutiveAPI.Query import (
    Condition,
    Query,
    QueryError,
    at_least,
    at_most,
    engaged_completion,
    engaged_time,
    engaged_views,
    event,
    exactly,
    fewer_than,
    from_json,
    has_entered,
    has_exited,
    in_connections_import_segment,
    in_second_party_segment,
    in_segment,
    in_third_party_segment,
    more_than,
    prop,
)
from PermutiveAPI.rehearsal import Changes, Rehearsal
from PermutiveAPI.sandbox import Behaviour, RecordedRequest, Sandbox
from PermutiveAPI.snapshots import Saved, Snapshot
from PermutiveAPI.Tables import (
    Owned,
    Plan,
    PlanOutdatedError,
    PlanRefusedError,
    Plans,
    References,
    Report,
    Reports,
    identities_from_table,
)
from PermutiveAPI.testing import vcr_config

logger = logging.getLogger("exports")
USER = "0b8d4c1c-6a35-4d5a-9c53-1c6c5e6a0f7e"


# --- Cohorts -------------------------------------------------------------------------------------


def edit_cohorts(api_key: str) -> None:
    """Create a cohort, find it again, change it, and delete it."""
    cohort = Cohort(name="Football fans", query={"in_segment": 12345}, tags=["sport"])
    cohort.create(api_key=api_key)
    if cohort.id is None or cohort.code is None:
        raise ValueError("The service gave no id.")
    by_name = Cohort.get_by_name("Football fans", api_key=api_key)
    by_code = Cohort.get_by_code(cohort.code, api_key)
    if by_name is None or by_code is None:
        raise LookupError(cohort.name)
    fetched = Cohort.get_by_id(cohort.id, api_key)
    fetched.description = f"{fetched.name}, {fetched.live_audience_size or 0} users"
    fetched.tags = [*(fetched.tags or []), "football"]
    fetched.update(api_key)
    wanted: Literal["Enabled", "Disabled"] = "Disabled"
    if fetched.state == "Enabled":
        fetched.disable(api_key)
    if fetched.state != wanted:
        fetched.state = wanted
    fetched.enable(api_key=api_key)
    copy = fetched.copy(name="Football fans, second version", state="Disabled")
    copy.create(api_key)
    for each in (cohort, copy):
        each.delete(api_key)
    age = datetime.now(timezone.utc) - (cohort.created_at or datetime.now(timezone.utc))
    logger.info("%s was %d seconds old", cohort.name, age.total_seconds())


def enabled(cohorts: Iterable[Cohort], tag: str) -> CohortList:
    """Return the enabled cohorts with a tag."""
    found = [each for each in cohorts if each.state == "Enabled"]
    return CohortList(found).tag_dictionary[tag]


def list_cohorts(api_key: str) -> dict[str, int]:
    """Use the list of cohorts in many ways; return how many cohorts each tag has."""
    cohorts = Cohort.list(api_key, include_child_workspaces=True, include_details=True)
    first: Cohort = cohorts[0]
    few: CohortList = cohorts[:5]
    both: CohortList = few + cohorts[-2:] + [Cohort("One more", code="12")]
    both += [Cohort("Another one")]
    both.append(first)
    both.extend(few.copy())
    both.insert(0, Cohort("At the front", segment_type="real_time", workspace_id="w"))
    both[1] = both.pop()
    both[2:3] = [first]
    both.remove(first)
    del both[-1]
    both.sort(key=lambda cohort: cohort.name)
    both.reverse()
    largest = max(cohorts, key=lambda cohort: cohort.live_audience_size or 0)
    names = sorted(cohort.name for cohort in 2 * both)
    by_code: Cohort | None = both.code_dictionary.get("12")
    ids: set[str] = set(cohorts.id_dictionary)
    kinds: dict[str, CohortList] = both.segment_type_dictionary
    if by_code is not None and largest in cohorts and kinds["real_time"]:
        logger.info("%s of %s, %d ids", by_code.name, names, len(ids))
    first.tags = ["news"]
    both.refresh()
    tagged = both.tag_dictionary["news"]
    logger.info("%s", tagged.name_dictionary[first.name].query)
    workspaces = {id: len(each) for id, each in both.workspace_dictionary.items()}
    sporty: CohortList = cohorts.filter(tag="sport", state="Enabled", workspace=first.workspace_id)
    sporty = sporty.filter(workspace=Workspace.from_env())
    logger.info("%s, %d about football", sporty.find("football").find(12345), len(sporty))
    logger.info("%s, %d enabled", workspaces, len(enabled(cohorts, "news")))
    return {tag: len(group) for tag, group in cohorts.tag_dictionary.items()}


def save_cohorts(cohorts: CohortList, folder: Path) -> CohortList:
    """Write cohorts as JSON and as a table, and read them back."""
    path = folder / "exports" / "cohorts.json"
    cohorts.to_json_file(path)
    again = CohortList.from_json_file(str(path))
    rows: list[Any] = again.to_json()
    text = json.dumps([CohortList.from_json(rows)[0].to_json()], cls=customJSONEncoder)
    one: Cohort = Cohort.from_json(json.loads(text)[0])
    frame = cohorts.to_pd_dataframe()
    frame[["name", "state"]].to_csv(folder / "cohorts.csv", index=False)
    cohorts.to_pd_dataframe(flat=True).to_parquet(folder / "cohorts.parquet")
    logger.info("%s in %d rows", one, len(frame))
    return again


def read_tables(api_key: str, folder: Path) -> list[Identity]:
    """Read cohorts, segments and users from tables of every kind."""
    cohorts: CohortList = CohortList.from_table(folder / "cohorts.csv")
    frame = cohorts.to_pd_dataframe(flat=True)
    again = CohortList.from_table(frame) + CohortList.from_table(frame.to_dict("records"))
    rows = [{"code": "new", "name": "New", "cpm": "1.5"}]
    segments: SegmentList = SegmentList.from_table(rows, import_id="i")
    segments += SegmentList.from_table(segments.to_pd_dataframe())
    logger.info("%d cohorts, %d segments", len(again), len(segments))
    path = folder / "users.csv"
    path.write_text("user_id,email,crm\nu-1,ada@example.com,4711\n")
    users = identities_from_table(str(path), aliases={"email": 1, "crm": 2})
    results = Identity.stream_identify(users, api_key=api_key)
    made = identities_from_table(iter([{"id": 1, "crm": 2}]), user_id="id", aliases={"crm": 0})
    return [*made, *(result.value for result in results if result.value is not None)]


# --- Queries -------------------------------------------------------------------------------------


def write_queries(sections: Iterable[str]) -> Query:
    """Write a query of every kind, and join them."""
    url = prop("properties.client.url")
    condition: Condition = url.contains("football") & ~prop("a").is_empty()
    condition = condition | prop("b").is_not_empty() | url.does_not_contain(["x", "y"])
    anywhere: Query = event("Pageview").where(condition).at_least(2)
    for section in sections:
        anywhere = anywhere | event("Pageview").where(url.contains(section))
    football = event("Pageview").where(condition & url.contains("football"))
    either: Query = football | in_third_party_segment(5) & engaged_time(at_least(3))
    nested: Query = (football & in_segment(12345) | either) & (either | has_exited(1))
    opposite: Query = ~(has_entered(1) & in_third_party_segment("s1", provider="brand"))
    clauses: list[Query] = [
        nested,
        opposite,
        (~has_entered(3)).in_the_last(months=3),
        event("A").more_than(1).in_the_last(days=30),
        event("B").exactly(2).in_this_session(),
        event("C").at_most(3) & event("D").fewer_than(4),
        engaged_time(at_least(30)).where(condition).in_the_last(weeks=1),
        engaged_time(at_most(30)) | engaged_time(fewer_than(3)),
        engaged_completion(more_than(0.5)).where(url.equal_to("x")),
        engaged_views(at_least(10), exactly(2)).in_the_last(minutes=10),
        engaged_views(completion=at_least(0.5), times=at_least(2)).in_this_session(),
        ~has_entered(12345) & has_exited("12346").in_the_last(hours=1),
        in_segment(12347),
        in_second_party_segment("brand", "s1"),
        in_connections_import_segment("crm"),
    ]
    for clause in clauses:
        anywhere = anywhere & clause
    logger.info("%s: %s", anywhere.describe(), anywhere.to_json())
    return from_json({"and": [clause.to_json() for clause in clauses]})


def conditions() -> list[Condition]:
    """Test properties with every operator and function."""
    number, day, items = prop("number"), prop("day"), prop("items")
    nothing = number.is_empty()
    logger.info("%s: %s", nothing.describe(), nothing.to_json())
    return [
        number.equal_to(1) & number.not_equal_to([2, 3]),
        number.greater_than(1) & number.greater_than_or_equal_to(2),
        number.less_than(9) & number.less_than_or_equal_to(8) & number.between(1, 9),
        number.float_equal_to(0.5) | number.float_between(0.1, 0.9),
        number.boolean_equal_to(True),
        day.date_equal_to("2025-07-01") | day.date_between(date(2025, 1, 1), "2025-02-01"),
        items.list_contains("a") & items.list_does_not_contain("b"),
        items.list_contains_integer(1),
        items.any("price").greater_than(1) & items.all("price").greater_than(1),
        items.sum("price").where(prop("kind").equal_to("x")).greater_than(9),
        items.product("price").less_than(5) | items.count("price").equal_to(2),
        items.mean("price").between(1, 2),
    ]


# --- Imports and segments ------------------------------------------------------------------------


def describe_imports(api_key: str) -> dict[str, list[str]]:
    """List the imports with their segments, and describe where each one comes from."""
    imports: ImportList = Import.list(api_key=api_key, include_details=True)
    for each in imports:
        source: Source = each.source
        owner = (each.inheritance or {}).get("workspace_id", "this workspace")
        logger.info("%s: %s of %s, %s", each.name, source.type, owner, source.state)
        segments: SegmentList = each.segments or SegmentList()
        logger.info("%s", [segment.cpm or 0.0 for segment in segments[:10]])
    found, failures = Import.batch_get_by_id(imports.id_dictionary, api_key=api_key)
    one = Import.get_by_id(imports[0].id, api_key, include_details=True)
    by_code = imports.code_dictionary[one.code]
    assert imports.name_dictionary[one.name] is by_code, failures
    assert by_code.source == found[one.id].source
    same_kind: ImportList = imports.identifier_dictionary[one.identifiers[0]]
    logger.info("%d rows", len(same_kind.to_pd_dataframe()))
    return {id: each.identifiers for id, each in imports.id_dictionary.items()}


def edit_segments(api_key: str, import_id: str, names: dict[str, str]) -> SegmentList:
    """Keep an import's segments equal to a table of names by code."""
    new = Segment("users_code", "By hand", import_id, cpm=1.5, categories=["a"])
    new.create(api_key)
    new.name = "By hand, too"
    new.update(api_key)
    by_code = Segment.get_by_code(import_id, "users_code", api_key=api_key)
    by_code.description = "Known by its code"
    by_code.update_by_code(api_key)
    by_id = Segment.get_by_id(import_id, by_code.id or "", api_key)
    by_id.delete(api_key)
    known = Segment.list(import_id, api_key=api_key)
    wanted = [Segment(code=code, name=name, import_id=import_id) for code, name in names.items()]
    segments, bulk_failures = Segment.bulk(
        import_id,
        creates=[each for each in wanted if each.code not in known.code_dictionary],
        updates=(each for each in wanted if each.code in known.code_dictionary),
        deletes=[known[0], known[1].code or ""],
        api_key=api_key,
    )
    for operations, error in bulk_failures:
        logger.warning("%s: %s", [each["operation"] for each in operations], error)
    logger.info("%s", segments.id_dictionary.keys() & segments.name_dictionary.keys())
    frame = segments.to_pd_dataframe()
    again = [Segment.from_json(each.to_json()) for each in segments]
    logger.info("%s of %d", frame["cpm"].sum(), len(again))
    wanted[0].delete_by_code(api_key)
    batch = [Segment(name=f"N {n}", import_id=import_id, code=f"n{n}") for n in (1, 2)]
    Segment.batch_create(batch, api_key=api_key)
    Segment.batch_update(batch, api_key=api_key, max_workers=2)
    responses, failures = Segment.batch_delete(batch, api_key=api_key)
    logger.info("%d deleted, %d not", len(responses), len(failures))
    return segments


def mirror_segments(import_id: str, folder: Path) -> list[str]:
    """Keep an import equal to a table, and take it back."""
    mine: Owned = Owned.prefix("news_") | Owned.category("news")
    logger.info("%s %s", mine.owns("news_sport", ["x"]), Owned.everything)
    rows = [{"code": "news_sport", "name": "Sport", "comment": "new"}]
    plan: Plan = Segment.plan(import_id, rows, "mirror", owned=mine, clear_empty=True)
    (folder / "plan.json").write_text(json.dumps(plan.to_json()))
    kept: Plan = Plan.from_json(folder / "plan.json")
    logger.info("%s\n%s\n%s", kept.summary, kept.to_markdown(), kept.to_pd_dataframe().shape)
    logger.info("%d of them are mine", max(kept.owned_count, kept.owned))
    names = [change.name for change in (*kept.creates, *kept.updates, *kept.deletes)]
    try:
        report: Report = kept.apply(
            progress_callback=on_progress, max_update_share=0.5, max_delete_share=0.2
        )
    except PlanOutdatedError as error:
        return [difference.reason for difference in error.differences]
    statuses = [str(row["status"]) for row in report.rows]
    errors = [outcome.error for outcome in (*report.failures, *report.deleted)]
    logger.info("%s %s %s", report.summary, report.to_pd_dataframe().shape, errors)
    segments: SegmentList = Segment.list(import_id)
    back: Plan = segments.plan_to(segments[:2], clear_empty=True)
    logger.info("%d to undo, %d in all", len(report.inverse()), len(back))
    return [*names, *statuses, f"{report.counts.get('created', 0)} created"]


# --- Users ---------------------------------------------------------------------------------------


def identify(api_key: str, email: str) -> list[KnownAlias]:
    """Give a new user an alias, and return the aliases of the user that it names."""
    identity = Identity(Identity.create_user(api_key), [Alias(email, "email", 0)])
    identity.identify(api_key=api_key)
    user_id: str = identity.resolve(api_key)
    return Identity.list_aliases(user_id, api_key=api_key)


def codes_of(answer: SegmentationAnswer) -> set[int]:
    """Return the codes of a user's cohorts as numbers, including the activated ones."""
    activated = answer.get("activations", {}).get("gam", [])
    return {int(code) for code in [*answer["cohorts"], *activated]}


def segment_user(api_key: str, count: int) -> SegmentationState | None:
    """Ask which cohorts a user belongs to, with a state of the service and with our own state."""
    now = datetime.now(timezone.utc).isoformat()
    history = Segmentation(
        [Event("Pageview", now, {"number": n}, session_id="s") for n in range(count)],
        user_id=USER,
        activations=True,
    )
    codes: set[int] = set()
    for part in history.split():
        answer = part.send(api_key, activations=True, timeout=5)
        codes |= codes_of(answer)
        named: list[NamedCohort] = answer.get("segments", [])
        if "segments" in answer:
            logger.info("%s", [cohort["name"] for cohort in answer["segments"]])
        logger.info("%s of %s", len(named), part.to_json()["user_id"])
    state = None
    for part in history.split():
        state = part.send_stateless(api_key, state=state)["state"]
    stateless: StatelessAnswer = history.split()[0].send_stateless(api_key)
    logger.info("%s, %s", stateless["user_id"], stateless["state"]["cohorts"])
    by_alias = Segmentation([], alias=Alias("a@example.com", "email", 0))
    answers, failures = Segmentation.batch_send([by_alias], api_key=api_key)
    logger.info("%s %s", [codes_of(each) for each in answers], failures)
    results = Segmentation.stream_send(history.split(), api_key=api_key)
    for result in results:
        value: SegmentationAnswer | None = result.value
        logger.info("%s", value["user_id"] if value is not None else result.error)
    return state


def track(api_key: str) -> str:
    """Track events, one and many."""
    signup = TrackedEvent("Signup", user_id=USER, properties={"newsletter": "sport"})
    assert TrackedEvent.from_json(signup.to_json()) == signup
    answer: TrackedEventAnswer = signup.track(api_key, enrich=True)
    logger.info("%s at %s", answer.get("properties"), answer["time"])
    many = [TrackedEvent("Click", aliases=[Alias(f"c{n}", "crm", 0)]) for n in (1, 2)]
    answers, failures = TrackedEvent.batch_track(many, api_key=api_key, enrich=False)
    times = [each["time"] for each in answers]
    for result in TrackedEvent.stream_track(iter(many), api_key=api_key):
        if result.value is not None:
            times.append(result.value["time"])
    return max(times, default=str(failures))


def subject_of(data: ContextualData) -> str:
    """Return what a page is about: its best category, or else its keywords."""
    found: Classifications = data["classifications"]
    categories = sorted(found["categories"], key=lambda each: each["confidence"])
    if categories:
        best: ClassifiedCategory = categories[-1]
        return best["value"]
    keywords: list[ClassifiedKeyword] = found["keywords"]
    return " ".join(each["value"] for each in keywords)


def segment_pages(api_key: str, urls: Iterable[str]) -> dict[str, list[str]]:
    """Return the cohorts that fit each page."""
    pages = [ContextSegment(url, {"client": {"title": "Cup final"}}) for url in urls]
    one: ContextAnswer = pages[0].send(api_key, timeout=None)
    logger.info("%s", subject_of(one["contextual_data"]))
    answers, _ = ContextSegment.batch_send(pages, api_key=api_key)
    return {page.url: each["cohorts"] for page, each in zip(pages, answers, strict=True)}


# --- Batches and streams -------------------------------------------------------------------------


def on_progress(progress: Progress) -> None:
    """Show how far a batch has come."""
    per_thousand = progress.average_per_thousand_seconds
    pace = f"{per_thousand:.2f}s" if per_thousand is not None else "n/a"
    left = progress.remaining_seconds or 0.0
    logger.info(
        "%s/%s, %d errors, %d skipped, %s, %s a second, %.0f s left, %s",
        progress.completed,
        progress.total,
        progress.errors,
        progress.skipped,
        pace,
        progress.requests_per_second,
        left,
        progress.batch_request.url,
    )


def change_many(api_key: str, journal: Path) -> list[Cohort]:
    """Create, change and delete cohorts in batches, and return those that were not deleted."""
    cohorts = [Cohort(f"Section {n}", query=in_segment(n)) for n in range(3)]
    responses, failures = Cohort.batch_create(
        cohorts, api_key=api_key, max_workers=2, progress_callback=on_progress
    )
    logger.info("%s", [response.status_code for response in responses])
    again: list[Cohort] = []
    for request, error in failures:
        if not isinstance(error, PermutiveConnectionError):
            again.append(request.item)
    ids = [each.id for each in cohorts if each.id is not None]
    found, failures = Cohort.batch_get_by_id(ids, api_key=api_key)
    for cohort in found.values():
        cohort.description = "Made in a batch"
    Cohort.batch_update(found.values(), api_key=api_key, journal=journal)
    Cohort.batch_disable(found.values(), api_key=api_key, journal=f"{journal}.second")
    with ThreadPoolExecutor(2) as executor:
        Cohort.batch_enable(found.values(), api_key=api_key, executor=executor)
    bar = progress_bar("Deleting")
    _, failures = Cohort.batch_delete(cohorts, api_key=api_key, progress_callback=bar)
    bar.close()
    return again + [request.item for request, _ in failures]


def slowest(api_key: str, cohorts: list[Cohort]) -> float:
    """Create cohorts with settings of their own, and return how long the slowest attempt took."""
    records: list[AttemptRecord] = []
    with options(api_key=api_key, timeout=(3.05, 30), key_location="header"):
        with options(retry=RetryConfig(max_retries=5), on_response=records.append):
            Cohort.batch_create(cohorts, max_workers=2)
        for cohort in cohorts:
            cohort.delete()
    refused = [each for each in records if each.status in (None, 429, 503)]
    assert all(each.wait_seconds is not None for each in refused), refused
    return max(each.seconds for each in records)


def identities(count: int) -> Iterator[Identity]:
    """Make identities one by one, as from a file."""
    for number in range(count):
        yield Identity(f"user-{number}", [Alias(f"crm-{number}", "crm", 0)])


def send_many(api_key: str) -> dict[str, str]:
    """Send identities in batches and streams; return the users that the aliases name."""
    Identity.batch_identify(identities(3), api_key=api_key)
    sent: list[Identity] = []
    for result in Identity.stream_identify(identities(3), api_key=api_key):
        if result.error is None and result.value is not None:
            sent.append(result.value)
    resolved, failures = Identity.batch_resolve(sent, api_key=api_key)
    users = {identity.user_id: user_id for identity, user_id in resolved}
    for each in Identity.stream_resolve(identities(3), api_key=api_key):
        if each.value is not None:
            identity, user_id = each.value
            users[identity.user_id] = user_id
        elif each.error is not None:
            failures.append((each.batch_request, each.error))
    return users


def send_requests(api_key: str) -> list[int]:
    """Send requests of any kind, with callbacks and a policy of their own."""
    url = "https://api.permutive.app/audience-api/v1/imports"
    seen: list[int] = []
    request = BatchRequest(
        "GET",
        url,
        params={"page": "1"},
        timeout=5.0,
        retry=RetryConfig(max_retries=2, backoff_factor=1.5, initial_delay=0.01),
        callback=lambda response: seen.append(response.status_code),
        error_callback=lambda error: logger.warning("%s", error),
    )
    responses, errors = http.process_batch([request], api_key=api_key)
    logger.info("%s %s", [each.json() for each in responses], errors)
    for result in stream_batch([request] * 2, api_key=api_key, max_workers=1):
        note(result)
    answers = [
        http.get(api_key, url, params={"a": 1}),
        http.request("GET", api_key, url, headers={"X-Request": "1"}, timeout=None),
        http.post(api_key, "https://api.permutive.app/v2.0/users", None),
    ]
    cohorts = "https://api.permutive.app/cohorts-api/v2/cohorts/"
    made = http.post(api_key, cohorts, {"name": "N", "query": {"type": "users"}})
    http.patch(api_key, f"{cohorts}{made.json()['id']}", {"name": "M"})
    http.delete(api_key, f"{cohorts}{made.json()['id']}")
    return seen + [each.status_code for each in answers]


def note(result: BatchResult[Any]) -> None:
    """Log the result of a request of any stream."""
    status = None if result.response is None else result.response.status_code
    request = result.batch_request
    logger.info("%d %s %s %s", result.index, request.method, status, result.item)


# --- Errors --------------------------------------------------------------------------------------


def reason(error: Exception) -> str:
    """Return in a few words what went wrong."""
    kinds: dict[type[PermutiveAPIError], str] = {
        PermutiveTimeoutError: "slow",
        PermutiveConnectionError: "unreachable",
        PermutiveCredentialsError: "without a key",
        PermutiveAuthenticationError: "forbidden",
        PermutiveInvalidRequestError: "not sent",
        PermutiveBadRequestError: "wrong",
        PermutiveConflictError: "there already",
        PermutiveInvalidResponseError: "unreadable",
        PermutiveRateLimitError: "too fast",
        PermutiveResourceNotFoundError: "gone",
        PermutiveServerError: "broken",
    }
    words = [word for kind, word in kinds.items() if isinstance(error, kind)]
    if isinstance(error, PermutiveAPIError):
        words += [error.message, str(error.status), error.url or "", str(error.code)]
        if error.response is not None and error.request_id:
            words.append(http.redact_url(error.response.url))
    return ", ".join(words) or http.redact_message(str(error))


def fail(api_key: str) -> list[str]:
    """Make calls that fail, and return the reasons."""
    reasons: list[str] = []
    try:
        Cohort.get_by_id("no-such-cohort", api_key=api_key)
    except PermutiveResourceNotFoundError as error:
        reasons.append(reason(error))
    try:
        from_json({"event": "Pageview", "frequency": {"greater_then": 2}})
    except QueryError as error:
        reasons.append(str(error))
    try:
        http.raise_for_status(ValueError("no answer"), None)
    except PermutiveAPIError as error:
        reasons.append(reason(error))
    return reasons


# --- Workspaces ----------------------------------------------------------------------------------


def all_workspaces() -> dict[str, int]:
    """Count the cohorts and imports of every workspace of the credentials file."""
    workspaces = WorkspaceList.from_env()
    top: Workspace = workspaces.master_workspace
    assert top.is_top_level and top == Workspace.from_env()
    counts: dict[str, int] = {}
    for workspace, cohort in workspaces.cohorts(force_refresh=True):
        counts[f"{workspace.name}: {cohort.state}"] = len(cohort.tags or [])
    for workspace, found in workspaces.imports():
        counts[found.name] = len(workspace.segments(found.id))
    child = workspaces.name_dictionary[workspaces[-1].name]
    assert workspaces.id_dictionary[child.workspace_id] is child
    counts[child.name] = len(child.cohorts()) + len(top.imports(include_details=True))
    again = Workspace.from_json(top.to_json())
    assert WorkspaceList.from_json([again.to_json()]) == [top]
    return counts


def unused_segments(workspace: Workspace, import_id: str) -> SegmentList:
    """Return the segments that no cohort uses, and log what the cohorts use."""
    references: References = workspace.references(max_workers=4, progress_callback=progress_bar())
    for cohort, named in references.names:
        logger.info("%s uses %s %s of %s", cohort.name, named.kind, named.code, named.provider)
    for code, cohorts in references.broken().items():
        logger.warning("%s: %s", code, sorted(cohort.name for cohort in cohorts))
    segments: SegmentList = workspace.segments(import_id)
    users: CohortList = references.used_by(segments[0]) + references.used_by(references.cohorts[0])
    lonely: CohortList = references.unused()
    few: list[Segment] = references.unused([segments[0]])
    logger.info("%s %s %s %s", users, lonely, few, references.to_pd_dataframe().shape)
    kinds = {row["kind"] for row in references.rows}
    logger.info("%s", kinds)
    logger.info("%d unknown, %d imports", len(references.unknown), len(references.imports))
    return references.unused(segments.find("a"))


def plan_cohorts(folder: Path, import_id: str) -> Report:
    """Change cohorts as a sheet says, give each segment a cohort, copy some, and undo what was changed."""
    cohorts: CohortList = Cohort.list(include_details=True)
    sheet = folder / "sheet.csv"
    cohorts.to_pd_dataframe(flat=True).to_csv(sheet, index=False)
    plan: Plan = Cohort.plan(sheet, clear_empty=True)
    made: Plan = Cohort.plan_from_segments(import_id, name="{name}, {code}", tags=["import"])
    logger.info("%s %s", plan, len(made))
    group, brand = WorkspaceList.from_env()
    copies: Plan = group.plan_copy(cohorts[:1], to=brand, mapping={12345: 12345})
    copied = copies.apply(api_key=brand.api_key)
    now = Cohort.list(brand.api_key, include_details=True)
    logger.info("%s %s", copied, now.plan_to(now[:], workspace_id=brand.workspace_id))
    undone: Report = copied.inverse().apply(api_key=brand.api_key, allow_used=True)
    return undone


# --- Snapshots -----------------------------------------------------------------------------------


def restore(folder: Path) -> Reports:
    """Save a workspace, change it, look at what has changed, and restore it."""
    workspace = Workspace.from_env()
    saved: Saved = workspace.snapshot(
        folder, max_workers=4, progress_callback=progress_bar("Reading")
    )
    logger.info("%d written, %d unchanged, %d removed", *saved)
    Cohort("Added later", query={"in_segment": 1}).create()
    before: Snapshot = Snapshot.read(folder)
    now = Snapshot.of(workspace, max_workers=4)
    again: Saved = before.write(folder)
    logger.info("%d %s %s", again.written, saved.unchanged, again.removed)
    drift: Plans = before.plans_to(now)
    names = [each.name for each in (*now.cohorts, *now.inherited, *now.imports)]
    logger.info("%s: %s, %s %d", now.workspace_id, names, drift.summary, len(drift.changes))
    logger.info("%s %s", drift.to_markdown(), drift.to_pd_dataframe().shape)
    kept: Plans = Plans.from_json(before.restoring(now).to_json())
    logger.info("%s %s", kept.notes, [str(plan.target) for plan in kept.plans])
    try:
        reports: Reports = kept.apply(api_key=workspace.api_key, max_delete_share=0.5)
    except PlanRefusedError as error:
        logger.warning("%s", error)
        raise
    logger.info("%s: %s %s", reports.summary, reports.counts, reports.failures)
    logger.info("%d %d", len(reports.outcomes), len(reports.reports))
    logger.info("%s", reports.inverse())
    return reports


# --- Helpers -------------------------------------------------------------------------------------


@dataclass
class Export(JSONSerializable[dict[str, Any]]):
    """A user's own model."""

    name: str
    when: datetime
    cohorts: CohortList | None = None


def use_helpers(folder: Path) -> Export:
    """Use the names of _Utils that code of earlier releases imports."""
    chunks: list[list[int]] = chunk_list([1, 2, 3], 2)
    merged = merge_list(convert_list("[1, 2]"), 3)
    assert compare_list(merged, [3, 2, 1]) and len(chunks) == 2
    path = folder / "new" / "export.json"
    check_filepath(path)
    where, name, extension = split_filepath(path)
    export = Export(name + extension, datetime.now(timezone.utc), CohortList())
    export.to_json_file(path)
    read: Export = Export.from_json_file(path)
    text = json.dumps({"export": export}, default=json_default)
    rows = load_json_list("[1]", "Rows")
    value = Export.unserialize_value(Export.serialize_value(export), Export)
    payload: dict[str, Any] = http.to_payload(export, ["name"])
    logger.info("%s %s %s %s %s", where, text, rows, value, payload)
    return Export.from_json(read.to_json())


# --- The sandbox ---------------------------------------------------------------------------------


def try_offline() -> list[RecordedRequest]:
    """Try a job against a sandbox that is slow and limited, and that fails."""
    behaviour = Behaviour(page_size=5)
    with Sandbox(check_queries=True, page_size=behaviour.page_size) as sandbox:
        sandbox.latency_seconds = 0.001
        sandbox.fail_next(status=503, times=1, method="GET", retry_after="0")
        names = [each.name for each in Cohort.list(api_key=sandbox.api_key)]
        child = Cohort.list(api_key=sandbox.child_api_key)
        child.extend(Cohort.list(api_key=sandbox.read_only_api_key))
        arrived = sandbox.requests
        logger.info("%s: %s, %s", sandbox.base_url, names, child.name_dictionary.keys())
        logger.info("%s, %s", sandbox.aliases, sandbox.credentials()[0]["name"])
        sandbox.clear_requests()
        added = sandbox.seed(cohorts=[{"name": "Chess players"}], imports=[{"name": "CRM"}])
        sandbox.seed(segments=[{"name": "Gold", "import_id": added["imports"][0]["id"]}])
        sandbox.reset()
    return [each for each in arrived if each.status == 200 and each.method == "GET"]


def rehearse(workspaces: WorkspaceList) -> Changes:
    """Try a job on a copy of the workspaces, and make its changes in one of them."""
    with Rehearsal(workspaces) as rehearsal:
        Cohort("Tried", query={"in_segment": 12345}).create()
        copies: WorkspaceList = rehearsal.workspaces
        sent: list[RecordedRequest] = rehearsal.sandbox.requests
        credentials: list[dict[str, str]] = rehearsal.credentials()
        logger.info("%s %s %s", rehearsal.base_url, copies, sent)
        logger.info("%s", [each["name"] for each in credentials])
        so_far: Changes = rehearsal.changes()
    plans: list[Plan] = [*so_far.plans]
    counts: dict[str, int] = {**so_far.other_writes, "refused": so_far.unknown_keys}
    logger.info("%s %s %s %s", so_far.summary, plans, counts, so_far.notes)
    logger.info("%s %s", so_far.to_markdown(), so_far.remarks)
    kept: Changes = Changes.from_json(json.dumps(so_far.to_json()))
    workspace = workspaces.master_workspace
    if kept.of(workspace):
        kept.of(workspace).apply(api_key=workspace.api_key)
    return rehearsal.changes()


def recorder_settings() -> dict[str, Any]:
    """Return the settings of a recorder, as a fixture of a test suite does."""
    return {**vcr_config(), "record_mode": "none"}


def main(api_key: str, folder: Path) -> None:
    """Do all of it, with the key of a sandbox and a folder for files."""
    logger.info("%s on Python %s", PermutiveAPI.__version__, sys.version)
    edit_cohorts(api_key)
    logger.info("%s", list_cohorts(api_key))
    save_cohorts(Cohort.list(api_key), folder)
    logger.info("%s", read_tables(api_key, folder))
    logger.info("%s %s", write_queries(["a", "b"]), conditions())
    import_id = min(describe_imports(api_key))
    edit_segments(api_key, import_id, {"new_1": "New", "new_2": "Newer"})
    logger.info("%s", mirror_segments(import_id, folder))
    logger.info("%s", [alias.permutive_id for alias in identify(api_key, "a@b.c")])
    state = segment_user(api_key, 12)
    logger.info("%s", state["cohorts"] if state is not None else [])
    logger.info("%s %s", track(api_key), segment_pages(api_key, ["https://a.b/c"]))
    logger.info("%s", change_many(api_key, folder / "journal"))
    more = [Cohort(f"Topic {n}", query={"in_segment": n}) for n in range(3)]
    logger.info("%.3f s", slowest(api_key, more))
    logger.info("%s %s", send_many(api_key), send_requests(api_key))
    logger.info("%s %s", fail(api_key), all_workspaces())
    logger.info("%s", unused_segments(Workspace.from_env(), import_id))
    logger.info("%s", plan_cohorts(folder, import_id))
    logger.info("%s", restore(folder / "snapshot"))
    logger.info("%s %s", use_helpers(folder), try_offline())
    logger.info("%s", rehearse(WorkspaceList.from_env()))
    logger.info("%s", recorder_settings())
