"""The way to the network: pooled connections, bounded in time and memory, that show no key."""

from .connections import keep_classes
from .session import network_variables, requests_is_replaced, send

__all__ = ["keep_classes", "network_variables", "requests_is_replaced", "send"]
