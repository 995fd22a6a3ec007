"""Users' mistakes: both type checkers report every line that ends with a comment "mistake", and no other line.

Nothing here is ever run.
"""

# A line must be reported for its mistake, not because something is unused or unknown.
# pyright: strict, reportUnusedExpression=false, reportUnusedImport=false, reportUnusedVariable=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime

import PermutiveAPI
from PermutiveAPI import Kohort  # mistake
from PermutiveAPI import (
    Alias,
    BatchRequest,
    Cohort,
    CohortList,
    ContextSegment,
    Event,
    Identity,
    Import,
    Progress,
    RetryConfig,
    Segment,
    Segmentation,
    SegmentList,
    Source,
    TrackedEvent,
    Workspace,
    WorkspaceList,
    progress_bar,
    stream_batch,
)
from PermutiveAPI._Utils import http
from PermutiveAPI.answers import SegmentationAnswers  # mistake
from PermutiveAPI.Query import property  # mistake
from PermutiveAPI.Query import (
    Condition,
    at_least,
    engaged_time,
    engaged_views,
    event,
    in_segment,
    in_third_party_segment,
    prop,
)
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import identities_from_table

PermutiveAPI.Cohorts  # mistake
PermutiveAPI.__versoin__  # mistake


# --- Cohorts -------------------------------------------------------------------------------------

CohortList.from_table(5)  # mistake
Cohort()  # mistake
Cohort(5)  # mistake
Cohort(nmae="Readers")  # mistake
Cohort("Readers", tags="news")  # mistake
Cohort("Readers", state="enabled")  # mistake
Cohort("Readers", created_at="2025-07-01")  # mistake
cohort = Cohort("Readers", state="Enabled")
cohort.state = "Paused"  # mistake
cohort.state == cohort.stat  # mistake
cohort.tags.append("news")  # mistake
cohort.save()  # mistake
cohort.create("key", "another")  # mistake
Cohort.get_by_id(5)  # mistake
Cohort.get_by_name("Readers").name  # mistake
Cohort.get_by_code(12345).query  # mistake
Cohort.list(include_children=True)  # mistake
wrong_list: list[Segment] = Cohort.list()  # mistake

cohort.create(api_key=None)  # mistake
cohort.update(None)  # mistake
Cohort.list(os.environ.get("PERMUTIVE_KEY"))  # mistake
Cohort.batch_create([cohort], api_key=None)  # mistake
http.get(None, "https://api.permutive.app")  # mistake
http.process_batch([])  # mistake


# --- Lists ---------------------------------------------------------------------------------------

cohorts = Cohort.list()
segments = SegmentList()
cohorts.fliter("news")  # mistake
cohorts.tags_dictionary  # mistake
cohorts.tag_dictionary["news"].nmae  # mistake
cohorts.code_dictionary[12345]  # mistake
cohorts.id_dictionary.get("1").name  # mistake
cohorts["news"]  # mistake
cohorts[0] = Segment("c", "n", "i")  # mistake
cohorts.append("Readers")  # mistake
cohorts.extend(segments)  # mistake
cohorts.sort(key=lambda each: each.nmae)  # mistake
cohorts + segments  # mistake
cohorts * "2"  # mistake
cohorts.to_pd_datframe()  # mistake
cohorts.to_pd_dataframe("csv")  # mistake
cohorts.to_pd_dataframe(flat="csv")  # mistake
CohortList([Segment("c", "n", "i")])  # mistake
CohortList(5)  # mistake
CohortList.from_jsn([])  # mistake
WorkspaceList().to_pd_dataframe()  # mistake
for each in cohorts[:5]:
    each.nmae  # mistake
for workspace, found in WorkspaceList().cohorts():
    workspace.organization_id  # mistake
    found.nmae  # mistake


# --- Imports and segments ------------------------------------------------------------------------

Segment("code")  # mistake
Segment(name="Name", code="code")  # mistake
Segment(code="code", import_id="i")  # mistake
Segment("code", "Name", "i", cpm="free")  # mistake
Segment.list("i", "key", 5)  # mistake
Segment.bulk("i", [Segment("c", "n", "i")])  # mistake
Segment.bulk("i", deletes=[5])  # mistake
segment = Segment.get_by_code("i", 1234)  # mistake
Source("s", "active", "type")  # mistake
imports = Import.list(import_id="i")  # mistake
Import.get_by_id("i").source.stat  # mistake
Import.get_by_id("i").inheritance["workspace_id"]  # mistake
Import.get_by_id("i").segments[0]  # mistake
Import.get_by_id("i").create()  # mistake
Import.batch_get_by_id([Import.get_by_id("i")])  # mistake
Workspace("n", "o", "w")  # mistake
Workspace("n", "o", "w", None)  # mistake
Workspace.from_env().cohorts(include_detail=True)  # mistake
Workspace.from_env().is_top_level()  # mistake


# --- Users ---------------------------------------------------------------------------------------

Alias("a@example.com", "email", "0")  # mistake
Identity("u", [{"id": "a@example.com", "tag": "email"}])  # mistake
Identity("u")  # mistake
identities_from_table("users.csv", aliases=["email"])  # mistake
user_number: int = Identity("u", []).resolve()  # mistake
Event("Pageview", datetime.now())  # mistake
Event("Pageview", "2025-07-01T15:39:11Z", "football")  # mistake
Segmentation([], user="u")  # mistake
Segmentation(["Pageview"], "u")  # mistake
TrackedEvent("Signup", aliases="a@example.com")  # mistake
ContextSegment({"url": "https://example.com"})  # mistake
question = Segmentation([], "u")
question.send(activation=True)  # mistake
question.send(timeout="5")  # mistake
question.send_stateless(state="text")  # mistake


# --- Answers -------------------------------------------------------------------------------------

answer = question.send()
answer["cohorst"]  # mistake
answer["Cohorts"]  # mistake
answer.cohorts  # mistake
answer["cohorts"].keys()  # mistake
answer["cohorts"].append(12345)  # mistake
answer.get("activations").get("gam")  # mistake
number_of_cohorts: int = answer["cohorts"]  # mistake
question.send_stateless()["cohorts"]  # mistake
question.send_stateless()["state"]["cohort"]  # mistake
TrackedEvent("Signup", "u").track()["timestamp"]  # mistake
ContextSegment("https://example.com").send()["segments"]  # mistake
ContextSegment("https://example.com").send()["contextual_data"]["keywords"]  # mistake
Segmentation.batch_send([question])[0][0]["cohorst"]  # mistake
for result in Segmentation.stream_send([question]):
    result.value["cohorts"]  # mistake
    result.vlaue  # mistake
    if result.value is not None:
        result.value["cohorst"]  # mistake


# --- Batches -------------------------------------------------------------------------------------


def on_cohort(cohort: Cohort) -> None:
    """Take a cohort instead of the progress."""


def on_progress(progress: Progress) -> None:
    """Misspell a field of the progress."""
    progress.complete  # mistake
    progress.remaining_seconds + 1  # mistake


def create(cohorts: Iterable[Cohort]) -> None:
    """Give wrong arguments to a batch."""
    Cohort.batch_create(segments)  # mistake
    Cohort.batch_create(cohort)  # mistake
    Cohort.batch_create(cohorts, "key")  # mistake
    Cohort.batch_create(cohorts, max_workers="4")  # mistake
    Cohort.batch_create(cohorts, progress_callback=on_cohort)  # mistake
    Cohort.batch_create(cohorts, callback=on_progress)  # mistake
    Cohort.batch_create(cohorts, journal=5)  # mistake
    Cohort.batch_create(cohorts, executor=4)  # mistake
    responses, failures = Cohort.batch_create(cohorts)
    responses.failures  # mistake
    failures[0].error  # mistake
    for request, error in failures:
        request.itme  # mistake
        error.status  # mistake


BatchRequest("GET")  # mistake
BatchRequest("GET", "https://api.permutive.app", retry=3)  # mistake
RetryConfig(retries=3)  # mistake
stream_batch([cohort])  # mistake
progress_bar(5)  # mistake
Cohort.from_json_file(5)  # mistake
cohort.to_json_file(None)  # mistake
with Sandbox(page_sizes=5) as sandbox:  # mistake
    sandbox.fail_next(503)  # mistake
    sandbox.requests[0].stats  # mistake
    sandbox.key  # mistake
    sandbox.seed(cohort=[])  # mistake
    sandbox.seed(cohorts=[5])  # mistake


# --- What calls return ---------------------------------------------------------------------------

cohort.copy().nmae  # mistake
Cohort.from_json({"name": "Readers"}).nmae  # mistake
Cohort.from_json_file("cohort.json").nmae  # mistake
CohortList.from_json([]).fliter()  # mistake
CohortList.from_json_file("cohorts.json")[0].nmae  # mistake
cohorts.copy().fliter()  # mistake
cohorts.filter(tags="sport")  # mistake
cohorts.filter(state="enabled")  # mistake
cohorts.find(5.0)  # mistake
cohorts.find("a").fliter()  # mistake
Segment.list("i").find("a").tag_dictionary  # mistake
Workspace.from_env().references().used_by("12345")  # mistake
Workspace.from_env().references().unused().fliter()  # mistake
Workspace.from_env().references().unused(Segment.list("i")).tag_dictionary  # mistake
(2 * cohorts).fliter()  # mistake
sorted(cohorts, key=lambda each: each.name)[0].nmae  # mistake
max(cohorts, key=lambda each: each.name).nmae  # mistake
cohorts.workspace_dictionary["w"].fliter()  # mistake
Import.list().identifier_dictionary["email"].fliter()  # mistake
Workspace.from_env().imports().fliter()  # mistake
Workspace.from_env().segments("i").code_dictionary["c"].nmae  # mistake
WorkspaceList.from_env().master_workspace.nmae  # mistake
Cohort.batch_get_by_id(["c"])[0]["c"].nmae  # mistake
Import.batch_get_by_id(["i"])[0]["i"].nmae  # mistake
Segment.list("i")[0].nmae  # mistake
Segment.bulk("i")[0].fliter()  # mistake
Segment.bulk("i")[1][0][0].operations  # mistake
Identity.create_user().id  # mistake
Identity.list_aliases("u")[0].priority  # mistake
Identity.batch_resolve([])[0][0][1].user_id  # mistake
question.split()[0].nmae  # mistake
progress_bar().open()  # mistake
for sent in Identity.stream_identify([]):
    sent.value.user_id  # mistake
for plain in stream_batch([]):
    plain.batch_request.nmae  # mistake


# --- Queries -------------------------------------------------------------------------------------

football = event("Pageview").where(prop("url").contains("football"))
condition = prop("a").is_empty() | prop("b").contains("x")
(event("a") & event("b")).at_least(3)  # mistake
(event("a") | event("b")).where(condition)  # mistake
(football & in_segment(1)).in_the_last(days=2)  # mistake
football & condition  # mistake
condition | football  # mistake
football & prop("a")  # mistake
prop("a") & prop("b")  # mistake
football & {"in_segment": 1}  # mistake
football.where(football)  # mistake
in_segment(1).at_least(2)  # mistake
in_third_party_segment("brand", "s1")  # mistake
event("a").at_last(2)  # mistake
event("a").in_the_last(day=2)  # mistake
event("a").at_least("2")  # mistake
prop("a").contain("x")  # mistake
prop("a").contains(5)  # mistake
engaged_time(30)  # mistake
engaged_views(at_least(30), completion=at_least(0.5))  # mistake
engaged_views(times=at_least(2))  # mistake
wrong: Condition = football & in_segment(1)  # mistake
