"""The methods that make a condition of a property: one for each operator of the grammar.

Source: the cohort grammar of clients that use the live service. Permutive itself documents only
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
    """A value that a condition can test, with one method for each operator of the grammar.

    Instead of one value, most methods take a list, which means any of its values. For a negative
    operator it means none of them; Permutive has not confirmed this.
    """

    # It names no event, so a cohort refuses it as its query.
    _stands_alone = False

    def _tested(self, operation: Operation) -> Condition:
        raise NotImplementedError

    def _test(self, operator: str, value: Any) -> Condition:
        return self._tested(make_operation(operator, value))

    def equal_to(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Require that the property is this value.

        >>> print(prop("type").equal_to("article"))
        type is "article"
        """
        return self._test("equal_to", value)

    def not_equal_to(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Require that the property is another value.

        >>> print(prop("type").not_equal_to("article"))
        type is not "article"
        """
        return self._test("not_equal_to", value)

    def contains(self, text: OneOrMore[str]) -> Condition:
        """Require that the text contains this text.

        >>> print(prop("title").contains(["Sport", "Football"]))
        title contains "Sport" or "Football"
        """
        return self._test("contains", text)

    def does_not_contain(self, text: OneOrMore[str]) -> Condition:
        """Require that the text does not contain this text.

        >>> print(prop("title").does_not_contain("Sport"))
        title does not contain "Sport"
        """
        return self._test("does_not_contain", text)

    def list_contains(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Require that the list contains this value.

        >>> print(prop("tags").list_contains("sport"))
        tags lists "sport"
        """
        return self._test("list_contains", value)

    def list_does_not_contain(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Require that the list does not contain this value.

        >>> print(prop("tags").list_does_not_contain("sport"))
        tags does not list "sport"
        """
        return self._test("list_does_not_contain", value)

    def list_contains_integer(self, number: OneOrMore[int]) -> Condition:
        """Require that the list contains this whole number.

        >>> print(prop("codes").list_contains_integer(7))
        codes lists the number 7
        """
        return self._test("list_contains_integer", number)

    def greater_than(self, value: float | str | date) -> Condition:
        """Require that the property is above this number or after this time.

        >>> print(prop("price").greater_than(10))
        price is more than 10
        """
        return self._test("greater_than", value)

    def greater_than_or_equal_to(self, value: float | str | date) -> Condition:
        """Require that the property is this number or time, or above it.

        >>> print(prop("price").greater_than_or_equal_to(10))
        price is at least 10
        """
        return self._test("greater_than_or_equal_to", value)

    def less_than(self, value: float | str | date) -> Condition:
        """Require that the property is below this number or before this time.

        >>> print(prop("price").less_than(10))
        price is less than 10
        """
        return self._test("less_than", value)

    def less_than_or_equal_to(self, value: float | str | date) -> Condition:
        """Require that the property is this number or time, or below it.

        >>> print(prop("price").less_than_or_equal_to(10))
        price is at most 10
        """
        return self._test("less_than_or_equal_to", value)

    def boolean_equal_to(self, value: bool) -> Condition:
        """Require that the property is true, or that it is false.

        >>> print(prop("subscribed").boolean_equal_to(True))
        subscribed is true
        """
        return self._test("boolean_equal_to", value)

    def float_equal_to(self, number: OneOrMore[float]) -> Condition:
        """Require that the floating-point number is this one.

        >>> print(prop("price").float_equal_to(9.5))
        price is 9.5
        """
        return self._test("float_equal_to", number)

    def float_between(self, start: float, end: float) -> Condition:
        """Require that the floating-point number is between these two, both included.

        >>> print(prop("price").float_between(9.5, 10))
        price is between 9.5 and 10
        """
        return self._test("float_between", span(start, end))

    def date_equal_to(self, day: OneOrMore[str | date]) -> Condition:
        """Require that the date is this one.

        >>> print(prop("published").date_equal_to("2025-07-01"))
        published is the date "2025-07-01"
        """
        return self._test("date_equal_to", day)

    def date_between(self, start: str | date, end: str | date) -> Condition:
        """Require that the date is between these two, both included.

        >>> print(prop("published").date_between("2025-07-01", "2025-07-31"))
        published is between the dates "2025-07-01" and "2025-07-31"
        """
        return self._test("date_between", span(start, end))

    def between(self, start: float | str | date, end: float | str | date) -> Condition:
        """Require that the property is between these two, both included.

        >>> print(prop("price").between(9, 10))
        price is between 9 and 10
        """
        return self._test("between", span(start, end))
