"""The start of a rehearsal's test: a live service."""

from __future__ import annotations

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.rehearsal.live import Live
from tests.support.small_workspaces import leave_few_cohorts


@pytest.fixture
def sandbox(fresh_sandbox: Sandbox) -> Sandbox:
    """A sandbox, which the library talks to inside the test."""
    return fresh_sandbox


@pytest.fixture
def live(sandbox: Sandbox) -> Live:
    """A live service, which the library talks to outside of rehearsals."""
    sandbox.page_size = 1_000
    leave_few_cohorts(sandbox)
    return Live(sandbox)
