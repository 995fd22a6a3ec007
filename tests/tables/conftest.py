"""The start of the tests of tables: an import of the sandbox, on few pages."""

from __future__ import annotations

import pytest

from PermutiveAPI import Import
from PermutiveAPI.sandbox import Sandbox
from tests.tables.market import Market


@pytest.fixture
def sandbox(fresh_sandbox: Sandbox) -> Sandbox:
    """A sandbox, which the library talks to inside the test."""
    return fresh_sandbox


@pytest.fixture
def market(sandbox: Sandbox) -> Market:
    """The first import of the sandbox."""
    sandbox.page_size = 100_000
    return Market(sandbox, Import.list(sandbox.api_key)[0].id).without_cohorts()
