"""The decorator `like`: it gives a batch helper the arguments of another one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from .. import batch

Model = TypeVar("Model")
Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")

# Reading a signature takes long. Several helpers have the arguments of one, and all take the options.
_signature_of = cache(inspect.signature)


def like(
    first: Callable[Concatenate[type[Model], Arguments], Any],
) -> Callable[[Callable[..., Returned]], classmethod[Model, Arguments, Returned]]:
    """Declare a batch helper that takes the arguments of another one.

    The decorated function is called with the class, the items, the :class:`BatchOptions`, and by name
    with the other arguments. Callers and type checkers see a class method with the first helper's
    arguments, and with the name, docstring and return type of the decorated function.

    Parameters
    ----------
    first : classmethod
        The helper that spells its arguments out, in the same class body.

    Examples
    --------
    >>> class Planet:
    ...     @classmethod
    ...     def batch_create(cls, planets, *, api_key="k", max_workers=None):
    ...         ...
    ...     @like(batch_create)
    ...     def batch_delete(cls, planets, options):
    ...         return planets, options.max_workers
    >>> Planet.batch_delete(planets=["Mars"], max_workers=8)
    (['Mars'], 8)
    >>> inspect.signature(Planet.batch_delete)
    <Signature (planets, *, api_key='k', max_workers=None)>
    """
    spelt_out = cast("classmethod[Any, ..., Any]", first).__func__
    arguments = _signature_of(spelt_out)

    def declare(function: Callable[..., Returned]) -> classmethod[Model, Arguments, Returned]:
        name = function.__qualname__

        @wraps(function)
        def helper(*positional: Any, **named: Any) -> Returned:
            call: dict[str, Any] = {}
            problem = ""
            try:
                bound = arguments.bind(*positional, **named)
            except TypeError as error:
                problem = f"{name}() {error}"
            else:
                bound.apply_defaults()
                call = bound.arguments
                del bound
            # They may hold the key, and tracebacks may show local variables. Some tools fail if one is deleted.
            positional, named = (), {}
            if problem:
                raise TypeError(problem)
            known = _signature_of(batch.BatchOptions).parameters.keys()
            options = batch.BatchOptions(name, **{each: call.pop(each) for each in known & call})
            cls, items = (call.pop(each) for each in [*call][:2])
            return function(cls, items, options, **call)

        own = function.__annotations__.get("return", inspect.Signature.empty)
        cast("Any", helper).__signature__ = arguments.replace(return_annotation=own)
        helper.__annotations__ = {**spelt_out.__annotations__, "return": own}
        return cast("classmethod[Model, Arguments, Returned]", classmethod(helper))

    return declare
