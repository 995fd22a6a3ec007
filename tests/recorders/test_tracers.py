"""OpenTelemetry and Sentry: spans and events show no key, and spans of a batch have their parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List

import pytest
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from PermutiveAPI import Cohort
from tests.recorders.work import WORK, step
from tests.support.calls import KEY
from tests.support.fake_service import FakeService
from tests.support.platforms import needs_posix

ROOT = Path(__file__).resolve().parents[2]


class Spans:
    """The spans that were recorded, and a tracer to make more."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer(__name__)

    def finished(self) -> List[ReadableSpan]:
        """Return what was recorded so far."""
        return list(self._exporter.get_finished_spans())

    def text(self) -> str:
        """Return everything that the spans contain."""
        return "\n".join(span.to_json() for span in self.finished())


@pytest.fixture(params=[RequestsInstrumentor, URLLib3Instrumentor])
def spans(request: pytest.FixtureRequest) -> Iterator[Spans]:
    """Record spans with one of the two instrumentations."""
    recorded = Spans()
    instrumentor = request.param()
    instrumentor.instrument(tracer_provider=recorded.provider)
    yield recorded
    instrumentor.uninstrument()


@pytest.mark.parametrize("location", ["query", "header"])
@pytest.mark.parametrize("name", WORK)
def test_no_span_shows_the_key(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, spans: Spans, location: str, name: str
) -> None:
    """Spans of successes and failures, of any kind of call, contain URLs but no key."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", location)
    server.default = step
    WORK[name]()
    assert len(spans.finished()) == len(server.received)
    text = spans.text()
    assert "/v2" in text and KEY not in text
    sent = {"query": "k", "header": "x-api-key"}[location]
    for seen in server.received:  # The service has got the key.
        assert KEY in (seen.query.get("k", []) if location == "query" else seen.headers[sent])


@pytest.mark.parametrize(
    "work",
    [
        lambda: Cohort.batch_get_by_id(["1", "2", "3"], api_key=KEY),
        lambda: Cohort.list(KEY, include_details=True),
    ],
    ids=["batch", "details"],
)
def test_spans_of_a_batch_have_their_parent(server: FakeService, spans: Spans, work: Any) -> None:
    """Each request of a batch, and of a list's details, is a child of the caller's span."""
    server.default = step
    with spans.tracer.start_as_current_span("nightly job"):
        work()
    *children, job = spans.finished()
    assert job.name == "nightly job" and len(children) >= 3
    assert job.context is not None
    assert {child.parent and child.parent.span_id for child in children} == {job.context.span_id}


@needs_posix
@pytest.mark.parametrize("location", ["query", "header"])
def test_no_event_of_sentry_shows_the_key(server: FakeService, location: str) -> None:
    """Breadcrumbs, spans, and the frames of errors with their local variables contain no key."""
    server.default = step
    done = subprocess.run(
        [sys.executable, "-m", "tests.recorders.sentry_script"],
        cwd=ROOT,
        env={
            **os.environ,
            "PERMUTIVE_API_BASE_URL": server.url,
            "PERMUTIVE_API_KEY_LOCATION": location,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [event for event in events if "exception" in event]
    assert [each["exception"]["values"][-1]["type"] for each in errors] == [
        "PermutiveBadRequestError",
        "PermutiveBadRequestError",
        "PermutiveServerError",
        "PermutiveConnectionError",
        *["TimeIsUp"] * 3,  # Raised during a call.
        *["PermutiveCredentialsError"] * 3,
        "TypeError",
        "PermutiveInvalidRequestError",
    ]
    for error in errors:
        frames = error["exception"]["values"][-1]["stacktrace"]["frames"]
        assert any("PermutiveAPI" in frame["module"] and frame["vars"] for frame in frames)
    crumbs = [crumb for event in errors for crumb in event["breadcrumbs"]["values"]]
    assert any("/cohorts-api/v2/cohorts/refused" in str(crumb) for crumb in crumbs)
    assert [event["spans"] for event in events if event.get("type") == "transaction"]
    assert KEY not in done.stdout
