"""The sandbox's Taxonomy API."""

import base64
import json
import re
import uuid

import pytest

UNKNOWN_ID = "5ad6a51f-3d1e-4bbd-8dd1-2a0f2f0f7c11"

IMPORTS = "/audience-api/v1/imports"


def pages(call, path):
    """Follow the pages of an import and return them."""
    found, params = [], {}
    while True:
        page = call("GET", path, params=params).json()
        found.append(page)
        if "next_token" not in page["pagination"]:
            return found
        params = {"pagination_token": page["pagination"]["next_token"]}


def add(call, path, **fields):
    """Create a segment and return it."""
    answer = call("POST", path, json={"name": "Seg", **fields})
    assert answer.status_code == 200
    return answer.json()


def test_imports(call, child):
    """Both keys see the two imports; the child sees where they are inherited from."""
    own, inherited = call.imports(), child.imports()
    assert [i["id"] for i in own] == [i["id"] for i in inherited] and len(own) == 2
    for seen, below in zip(own, inherited, strict=True):
        assert {"id", "name", "code", "relation", "identifiers", "source"} <= set(seen)
        assert {"id", "state", "type"} <= set(seen["source"])
        assert "inheritance" not in seen
        assert below["inheritance"]["relation"] == "ancestor"
        assert call("GET", f"{IMPORTS}/{seen['id']}").json() == seen
        assert child("GET", f"{IMPORTS}/{seen['id']}").json() == below


def test_sources(call):
    """Sources have the documented form: lists of principals, UUIDs, no empty lists."""
    uploaded, live_ramp = (each["source"] for each in call.imports())
    assert live_ramp["type"] == "live_ramp_3p"
    assert uuid.UUID(live_ramp["organization_id"]).version == 4
    assert isinstance(uploaded["bucket"], str) and uploaded["phase"]
    assert set(uploaded["permissions"]) == {"read", "write", "sync"}
    for principals in uploaded["permissions"].values():
        assert principals and all(isinstance(each["id"], str) for each in principals)
    for source in (uploaded, live_ramp):
        assert uuid.UUID(source["id"]).version == 4
        assert source["state"] == {"type": "active"}
        assert "errors" not in source  # Documented as never empty, and only for failures.


def test_prices(call):
    """Third-party segments have prices, segments of own data do not."""
    own, bought = (call("GET", call.segments_path(n)).json() for n in (0, 1))
    assert [each["cpm"] for each in bought["elements"][:3]] == [0.5, 0.75, 1.0]
    assert not any("cpm" in each for each in own["elements"])


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_times(call):
    """The times of seeded, created and changed segments have microseconds."""
    path = call.segments_path()
    segments = call("GET", path).json()["elements"]
    made = add(call, path, code="new")
    changed = call("PATCH", f"{path}/code/new", json={"name": "m"}).json()
    for segment in (*segments, made, changed):
        assert TIME.fullmatch(segment["updated_at"])
    assert made["updated_at"] < changed["updated_at"]


@pytest.mark.parametrize("number, total, sizes", [(0, 25, [20, 5]), (1, 60, [20] * 3)])
def test_pages(call, number, total, sizes):
    """Pages contain every segment once; only the last page has no token; tokens are base64."""
    found = pages(call, call.segments_path(number))
    assert [len(page["elements"]) for page in found] == sizes
    assert {page["pagination"]["total_count"] for page in found} == {total}
    segments = [segment for page in found for segment in page["elements"]]
    assert len({segment["id"] for segment in segments}) == total
    assert len({segment["code"] for segment in segments}) == total
    for segment in segments:
        assert segment["code"].isalnum()
        assert not {"created_at", "query"} & set(segment)
        assert segment["import_id"] == call.imports()[number]["id"]
    for page in found[:-1]:
        base64.b64decode(page["pagination"]["next_token"], validate=True)


def test_page_size(call, sandbox):
    """The page size can be set, also while the sandbox runs."""
    sandbox.page_size = 100
    assert len(pages(call, call.segments_path(1))) == 1
    sandbox.page_size = 7
    assert len(pages(call, call.segments_path(1))) == 9


def test_pages_stay_steady(call):
    """If a segment is deleted between two pages, no other segment is missing or repeated."""
    path = call.segments_path(0)
    first = call("GET", path).json()
    call("DELETE", f"{path}/{first['elements'][3]['id']}")
    token = {"pagination_token": first["pagination"]["next_token"]}
    second = call("GET", path, params=token).json()
    ids = [s["id"] for s in first["elements"] + second["elements"]]
    assert len(ids) == len(set(ids)) == 25


@pytest.mark.parametrize("code", ["demo_25_34", "intent_auto", "_", "0001", "aB9_"])
def test_codes_with_underscores(call, code):
    """A code consists of letters, digits and underscores, in a single call and in a batch."""
    path, other = call.segments_path(0), call.segments_path(1)
    assert add(call, path, code=code)["code"] == code
    assert call("GET", f"{path}/code/{code}").json()["code"] == code
    body = {"operations": [operation("Create", code, name="n")]}
    assert call("PATCH", other, json=body).json()["items"][0]["code"] == code


@pytest.mark.parametrize("by", ["id", "code"])
def test_segment_life(call, by):
    """A segment can be read, changed and deleted by its id and by its code."""
    path = call.segments_path()
    made = add(call, path, code="New1", description="d", cpm=2, categories=["c"], x=1)
    assert made.pop("updated_at") < "9"
    identifier = str(uuid.UUID(made.pop("id")))
    assert made == {
        "code": "New1",
        "name": "Seg",
        "import_id": path.split("/")[4],
        "description": "d",
        "cpm": 2,
        "categories": ["c"],
    }
    one = f"{path}/code/New1" if by == "code" else f"{path}/{identifier}"
    changed = call("PATCH", one, json={"name": "M", "code": "Other", "cpm": 0.0})
    assert changed.status_code == 200
    expected = {**made, "name": "M", "cpm": 0.0}
    assert {name: changed.json()[name] for name in expected} == expected
    assert call("GET", one).json() == changed.json()
    deleted = call("DELETE", one)
    assert (deleted.status_code, deleted.json()) == (200, changed.json())
    assert call("GET", one).status_code == 404


def test_duplicate_code(call):
    """A code that exists in the import is 409 with code 4000; another import may use it."""
    body = {"name": "n", "code": "Twice"}
    add(call, call.segments_path(0), **body)
    answer = call("POST", call.segments_path(0), json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, 4000)
    add(call, call.segments_path(1), **body)


@pytest.mark.parametrize("name, code", [("Frequent Flyers", "FrequentFlyers"), ("é ü", "segment")])
def test_missing_code(call, sandbox, name, code):
    """A segment without a code gets one from its name, or 400 if the sandbox is set so."""
    path = call.segments_path()
    made = [add(call, path, name=name)["code"] for _ in range(3)]
    assert made == [code, f"{code}2", f"{code}3"]
    sandbox.create_missing_segment_codes = False
    answer = call("POST", path, json={"name": name})
    assert (answer.status_code, answer.text) == (400, "Invalid value for: body")
    assert add(call, path, name=name, code="own")["code"] == "own"


MALFORMED = [
    ("GET", "/nope", {}, "path parameter importId"),
    ("GET", "/nope/segments", {}, "path parameter importId"),
    ("GET", "/{id}/segments/nope", {}, "path parameter segmentId"),
    *(
        (
            "GET",
            "/{id}/segments",
            {"params": {"pagination_token": token}},
            "query parameter pagination_token",
        )
        for token in ("", "!", "YWJj", "é")
    ),
    *(
        ("POST", "/{id}/segments", {"data": json.dumps(body)}, "body")
        for body in (
            {},
            [],
            {"name": "n", "code": "a b"},
            {"name": "n", "code": "a-b"},
            {"name": "n", "code": "é"},
            {"name": "n", "code": ""},
            {"name": "n", "code": "a\n"},
            {"name": "n", "code": 5},
            {"name": "n", "code": "n", "cpm": "2"},
            {"name": "n", "code": "n", "cpm": True},
        )
    ),
    ("POST", "/{id}/segments", {}, "body"),
    ("POST", "/{id}/segments", {"data": "{"}, "body"),
    ("PATCH", "/{id}/segments", {"json": {"operations": [{}]}}, "body"),
    ("PATCH", "/{id}/segments", {"json": {"operations": []}}, "body"),
    ("PATCH", "/{id}/segments/code/700100", {"json": {"name": ""}}, "body"),
]


def test_malformed(call):
    """Malformed input is 400 in plain text that names the part."""
    import_id = call.imports()[1]["id"]
    for method, path, options, part in MALFORMED:
        answer = call(method, IMPORTS + path.format(id=import_id), **options)
        found = (answer.status_code, answer.headers["content-type"][:10], answer.text)
        assert found == (400, "text/plain", f"Invalid value for: {part}"), (path, options)


def test_unknown(call):
    """An unknown import or segment is 404 with code 3000, in JSON."""
    segments = call.segments_path()
    for path in (
        f"{IMPORTS}/{UNKNOWN_ID}",
        f"{IMPORTS}/{UNKNOWN_ID}/segments",
        f"{segments}/code/none",
        f"{segments}/{UNKNOWN_ID}",
        f"{segments}/code/a%2Fb",
    ):
        answer = call("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, 3000), path


def operation(kind, code, **data):
    """Return one operation of a batch."""
    if kind == "Create":
        return {"operation": kind, "data": {"code": code, **data}}
    return {"operation": kind, "code": code, "data": data}


def test_batch(call):
    """A batch creates, updates and deletes, and returns the segments."""
    path = call.segments_path(1)
    operations = [
        operation("Create", "B1", name="n", cpm=1),
        operation("Update", "700100", name="m"),
        operation("Delete", "700101"),
    ]
    answer = call("PATCH", path, json={"operations": operations})
    assert answer.status_code == 200
    codes = [item["code"] for item in answer.json()["items"]]
    assert codes == ["B1", "700100", "700101"]
    assert call("GET", f"{path}/code/B1").json()["cpm"] == 1
    assert call("GET", f"{path}/code/700100").json()["name"] == "m"
    assert call("GET", f"{path}/code/700101").status_code == 404


@pytest.mark.parametrize(
    "operations, status",
    [
        ([operation("Create", "700102", name="n")], 409),
        ([operation("Update", "none", name="n")], 404),
        ([operation("Delete", "none")], 404),
        ([operation("Create", "B2")], 400),
        ([{"operation": "Create"}], 400),
        ([operation("Delete", "700102")] * 5001, 400),
    ],
)
def test_failed_batch(call, operations, status):
    """If one operation of a batch fails, the batch changes nothing."""
    path = call.segments_path(1)
    before = pages(call, path)
    operations = [operation("Create", "B1", name="n"), *operations]
    answer = call("PATCH", path, json={"operations": operations})
    assert answer.status_code == status
    assert pages(call, path) == before


@pytest.mark.parametrize(
    "refused, status",
    [
        (operation("Create", "700102", name="n"), 409),
        (operation("Update", "none", name="n"), 404),
        (operation("Create", "a-b", name="n"), 400),
    ],
)
def test_partly_failed_batch(call, sandbox, refused, status):
    """With the switch, the operations before the refused one are carried out, and those after it are not."""
    sandbox.refused_bulk_is_partial = True
    path = call.segments_path(1)
    operations = [
        operation("Create", "B1", name="n"),
        operation("Update", "700100", name="m"),
        refused,
        operation("Delete", "700101"),
    ]
    assert call("PATCH", path, json={"operations": operations}).status_code == status
    assert call("GET", f"{path}/code/B1").status_code == 200
    assert call("GET", f"{path}/code/700100").json()["name"] == "m"
    assert call("GET", f"{path}/code/700101").status_code == 200


def test_child_writes(child):
    """The child's key may write in every import that it lists."""
    assert add(child, child.segments_path(), code="FromBelow")["code"] == "FromBelow"
