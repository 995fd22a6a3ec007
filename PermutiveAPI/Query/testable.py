"""The methods that make a condition of a property: one for each operator of the grammar.

Source: the fuller cohort grammar of clients that use the live service; Permutive itself documents only
``contains`` on a property.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias, TypeVar

from .conditions import Condition
from .operators import Operation, make_operation, span

Value = TypeVar("Value")
OneOrMore: TypeAlias = Value | Sequence[Value]


class Testable:
    """Something that a condition can test, with one method for each operator of the grammar.

    A list in the place of a value means any of its values; for a negative operator it means none of
    them, which Permutive has not confirmed.
    """

    # A cohort refuses it as its query, since it names no event.
    _stands_alone = False

    def _tested(self, operation: Operation) -> Condition:
        raise NotImplementedError

    def _test(self, operator: str, value: Any) -> Condition:
        return self._tested(make_operation(operator, value))

    def equal_to(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Test: it is this value."""
        return self._test("equal_to", value)

    def not_equal_to(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Test: it is another value."""
        return self._test("not_equal_to", value)

    def contains(self, text: OneOrMore[str]) -> Condition:
        """Test: the text holds this text."""
        return self._test("contains", text)

    def does_not_contain(self, text: OneOrMore[str]) -> Condition:
        """Test: the text does not hold this text."""
        return self._test("does_not_contain", text)

    def list_contains(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Test: the list holds this value."""
        return self._test("list_contains", value)

    def list_does_not_contain(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Test: the list does not hold this value."""
        return self._test("list_does_not_contain", value)

    def list_contains_integer(self, number: OneOrMore[int]) -> Condition:
        """Test: the list holds this whole number."""
        return self._test("list_contains_integer", number)

    def greater_than(self, value: float | str | date) -> Condition:
        """Test: it is above this number or after this time."""
        return self._test("greater_than", value)

    def greater_than_or_equal_to(self, value: float | str | date) -> Condition:
        """Test: it is this number or time, or above."""
        return self._test("greater_than_or_equal_to", value)

    def less_than(self, value: float | str | date) -> Condition:
        """Test: it is below this number or before this time."""
        return self._test("less_than", value)

    def less_than_or_equal_to(self, value: float | str | date) -> Condition:
        """Test: it is this number or time, or below."""
        return self._test("less_than_or_equal_to", value)

    def boolean_equal_to(self, value: bool) -> Condition:
        """Test: it is true, or it is false."""
        return self._test("boolean_equal_to", value)

    def float_equal_to(self, number: OneOrMore[float]) -> Condition:
        """Test: the floating-point number equals this one."""
        return self._test("float_equal_to", number)

    def float_between(self, start: float, end: float) -> Condition:
        """Test: the floating-point number is between these, both included."""
        return self._test("float_between", span(start, end))

    def date_equal_to(self, day: OneOrMore[str | date]) -> Condition:
        """Test: the date is this one."""
        return self._test("date_equal_to", day)

    def date_between(self, start: str | date, end: str | date) -> Condition:
        """Test: the date is between these, both included."""
        return self._test("date_between", span(start, end))

    def between(self, start: float | str | date, end: float | str | date) -> Condition:
        """Test: it is between these, both included."""
        return self._test("between", span(start, end))
