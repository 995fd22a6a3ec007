"""The initial data of a sandbox: the same at every start.

A publisher group with one brand below it, its cohorts, and two imports with segments. Names, tags and
numbers are invented. Assumptions: the words for the type and the phase of a source with a bucket, and
for the types in its permissions; a LiveRamp source has an advertiser; the type of lookalike cohorts is
"offline".
"""

from __future__ import annotations

import hashlib
import pickle
import uuid
from collections.abc import Iterator
from functools import cache
from itertools import product

from .shapes import JSONObject
from .state import Codes, State, StoredImport, Workspace, timestamp

_FIRST_MOMENT = 1_663_861_469_513_211_710
_STEP_NANOSECONDS = 86_411_000_002_960
_FIRST_CODE = 12_345

_EVENT_COUNTS = {"Pageview": 3, "VideoView": 2, "ArticleRead": 2, "NewsletterSignup": 1}

# name | tags | event | part of the event's URL. A cohort without an event is a lookalike.
_GROUP_COHORTS = """
Football Fans | sport, editorial | Pageview | /sport/football
Premier League Followers | sport, editorial | Pageview | /premier-league
Formula 1 Enthusiasts | sport, motoring | Pageview | /sport/formula1
Running and Fitness | sport, lifestyle | ArticleRead | /running
Business Decision Makers | business, premium | ArticleRead | /business
Personal Investors | business, finance | Pageview | /money/investing
First-Time Home Buyers | finance, in-market | Pageview | /property/first-home
Mortgage Researchers | finance, in-market | Pageview | /money/mortgages
Electric Car Intenders | motoring, in-market | Pageview | /cars/electric
Luxury Car Intenders | motoring, in-market, premium | Pageview | /cars/luxury
Family Holiday Planners | travel, in-market | Pageview | /travel/family
City Break Travellers | travel, in-market | Pageview | /travel/city-breaks
Winter Sports Travellers | travel, sport | Pageview | /travel/ski
Home Cooks | food, lifestyle | ArticleRead | /recipes
Vegan Food Readers | food, lifestyle | ArticleRead | /recipes/vegan
Wine and Dining | food, premium | Pageview | /food/restaurants
Parents of Toddlers | family, lifestyle | ArticleRead | /parenting/toddlers
Back to School Shoppers | family, in-market | Pageview | /shopping/school
Gadget Early Adopters | technology, in-market | Pageview | /technology/reviews
Gamers | technology, entertainment | VideoView | /games
Box Set Viewers | entertainment | VideoView | /tv
Cinema Goers | entertainment | Pageview | /film
Fashion Followers | lifestyle, premium | Pageview | /fashion
Beauty Shoppers | lifestyle, in-market | Pageview | /beauty
Loyal Daily Readers | engagement | Pageview | /
Newsletter Subscribers | engagement, editorial | NewsletterSignup | /newsletters
Lapsed Readers Lookalike | engagement, lookalike
High-Value Customers Lookalike | premium, lookalike
"""

_BRAND_COHORTS = """
Local News Readers | editorial | Pageview | /local
Commuters | editorial, travel | Pageview | /transport
Weekend Event Seekers | entertainment | Pageview | /whats-on
Rugby Supporters | sport, editorial | Pageview | /sport/rugby
Cricket Supporters | sport, editorial | Pageview | /sport/cricket
Gardeners | lifestyle | ArticleRead | /gardening
Property Browsers | finance, in-market | Pageview | /property
Job Seekers | business, in-market | Pageview | /jobs
Used Car Shoppers | motoring, in-market | Pageview | /cars/used
Health and Wellbeing | lifestyle | ArticleRead | /health
Pet Owners | family, lifestyle | ArticleRead | /pets
Video Highlights Viewers | sport, entertainment | VideoView | /sport/video
Registered Readers | engagement | Pageview | /account
Subscribers Lookalike | premium, lookalike
"""

_PLANS = ("Digital", "Weekend", "Full", "Trial", "Lapsed")
_REGIONS = ("North", "South", "East", "West", "Overseas")
_MARKETS_WATCHED = (
    "Car Buyers",
    "Home Movers",
    "Frequent Flyers",
    "Luxury Shoppers",
    "Grocery Switchers",
    "Broadband Switchers",
    "Credit Card Seekers",
    "New Parents",
    "Students",
    "Small Business Owners",
    "Streaming Subscribers",
    "Charity Donors",
)
_AGES = ("18-24", "25-34", "35-44", "45-54", "55+")


def seeded_state() -> State:
    """Return a service with two workspaces, 42 cohorts and two imports."""
    cohorts, imports = pickle.loads(_pickled_data())
    return State(_workspaces(), Codes(_FIRST_CODE + len(cohorts)), cohorts=cohorts, imports=imports)


@cache
def _workspaces() -> tuple[Workspace, ...]:
    group_id = fixed_uuid("workspace/group")
    return (
        Workspace(
            "Meridian Media Group",
            group_id,
            group_id,
            fixed_uuid("key/group"),
            fixed_uuid("key/group/read-only"),
        ),
        Workspace(
            "Meridian Regional News",
            group_id,
            fixed_uuid("workspace/brand"),
            fixed_uuid("key/brand"),
        ),
    )


@cache
def _pickled_data() -> bytes:
    """Return the cohorts and imports by id. Each sandbox unpickles them, which is faster than making them anew."""
    group, brand = (each.workspace_id for each in _workspaces())
    rows = [
        *((row, group) for row in _GROUP_COHORTS.strip().splitlines()),
        *((row, brand) for row in _BRAND_COHORTS.strip().splitlines()),
    ]
    cohorts = [_cohort(*row, code) for code, row in enumerate(rows, _FIRST_CODE)]
    imports: dict[str, StoredImport] = {}
    for facts, segments in ((_SUBSCRIBERS, _subscriber_segments()), (_MARKETS, _market_segments())):
        found = imports[facts["id"]] = StoredImport(facts, workspace_id=group)
        for number, segment in enumerate(segments):
            found.shelf.add(_segment(segment, facts, number))
    return pickle.dumps(({each["id"]: each for each in cohorts}, imports))


@cache
def fixed_uuid(label: str) -> str:
    """Return a UUID that is always the same for the same label."""
    digest = hashlib.sha256(label.encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _cohort(row: str, workspace_id: str, code: int) -> JSONObject:
    name, tags, *rule = (cell.strip() for cell in row.split("|"))
    moment = _FIRST_MOMENT + (code - _FIRST_CODE) * _STEP_NANOSECONDS
    cohort: JSONObject = {
        "id": fixed_uuid(f"cohort/{code}"),
        "code": code,
        "name": name,
        "description": f"{name}, kept by the audience team.",
        "tags": tags.split(", "),
        "state": "Enabled",
        "segment_type": "real_time" if rule else "offline",
        "subject_entity_level": "user",
        "live_audience_size": 1_000 + code * 7_919 % 250_000,
        "workspace_id": workspace_id,
        "created_at": timestamp(moment),
        "last_updated_at": timestamp(moment + 2_960),
    }
    if rule:
        event, part = rule
        cohort["query"] = {
            "event": event,
            "frequency": {"greater_than_or_equal_to": _EVENT_COUNTS[event]},
            "where": {"property": "properties.client.url", "condition": {"contains": part}},
            "during": {"the_last": {"value": 30, "unit": "days"}},
        }
    return cohort


def _subscriber_segments() -> Iterator[JSONObject]:
    for plan, region in product(_PLANS, _REGIONS):
        yield {
            "code": f"{plan}{region}",
            "name": f"{plan} subscribers, {region}",
            "description": f"Readers with a {plan.lower()} subscription ({region}).",
            "categories": ["subscriptions", region.lower()],
        }


def _market_segments() -> Iterator[JSONObject]:
    for number, (market, ages) in enumerate(product(_MARKETS_WATCHED, _AGES)):
        yield {
            "code": str(700_100 + number),
            "name": f"{market} {ages}",
            "description": f"{market} aged {ages}, from purchase panels.",
            "cpm": 0.5 + number % 6 * 0.25,
            "categories": ["in-market", market.lower()],
        }


def _segment(segment: JSONObject, facts: JSONObject, number: int) -> JSONObject:
    moment = _FIRST_MOMENT + number * _STEP_NANOSECONDS
    return {
        "id": fixed_uuid(f"segment/{facts['code']}/{segment['code']}"),
        "import_id": facts["id"],
        **segment,
        "updated_at": timestamp(moment, digits=6),
    }


_SUBSCRIBERS: JSONObject = {
    "id": fixed_uuid("import/subscribers"),
    "name": "Subscriber CRM",
    "code": "subscribercrm",
    "relation": "2nd",
    "identifiers": ["email_sha256", "internal"],
    "source": {
        "id": fixed_uuid("source/subscribers"),
        "type": "gcs",
        "state": {"type": "active"},
        "bucket": "meridian-subscriber-crm",
        "permissions": {
            "read": [{"type": "group", "id": "crm@meridian.example"}],
            "write": [{"type": "user", "id": "ada@meridian.example"}],
            "sync": [{"type": "service_account", "id": "sync@meridian.example"}],
        },
        "phase": "active",
    },
}
_MARKETS: JSONObject = {
    "id": fixed_uuid("import/markets"),
    "name": "In-Market Shoppers",
    "code": "inmarket",
    "relation": "3rd",
    "identifiers": ["appnexus", "liveramp"],
    "source": {
        "id": fixed_uuid("source/markets"),
        "type": "live_ramp_3p",
        "state": {"type": "active"},
        "advertiser_name": "Meridian Media Group",
        "organization_id": fixed_uuid("organization/markets"),
    },
}
