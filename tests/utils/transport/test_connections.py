"""Pools: a new one is empty, and it keeps as many idle connections as it may."""

from __future__ import annotations

import weakref
from typing import Any, List

import pytest
import requests

from PermutiveAPI._Utils.transport.adapter import Adapter
from PermutiveAPI._Utils.transport.connections import POOL_CLASSES


@pytest.mark.parametrize("scheme", POOL_CLASSES)
def test_a_pool_keeps_idle_connections(scheme: str) -> None:
    """A new pool has no place-holders. A connection that comes back is used again, if there was room for it."""
    pool = POOL_CLASSES[scheme]("127.0.0.1", maxsize=1)
    assert pool.pool.qsize() == 0
    first, second = pool._get_conn(), pool._get_conn()
    assert first is not second
    pool._put_conn(first)
    pool._put_conn(second)
    assert pool.pool.qsize() == 1
    assert pool._get_conn() is first
    pool.close()


def test_connections_of_forgotten_origins() -> None:
    """Only the origins used last keep connections: those of the others are closed, since nothing refers to them."""
    adapter = Adapter(pool_connections=2)
    pools: List[Any] = []
    for number in range(4):
        request = requests.Request("GET", f"http://host-{number}/").prepare()
        pools.append(weakref.ref(adapter.get_connection_with_tls_context(request, True)))
    assert [pool() is None for pool in pools] == [True, True, False, False]
