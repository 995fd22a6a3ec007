"""Imports, the segments they hold, and their sources."""

import typing

from .._Utils import lazy_names

# Code of release 5.4.4 imports these names.
_API_VERSION = "v1"
_API_ENDPOINT = "https://api.permutive.app/audience-api/v1/imports"

if not typing.TYPE_CHECKING:  # For a type checker, modules that are not imported are not there.
    __getattr__ = lazy_names.lazy_names(__name__, {"Import": None, "Segment": None, "Source": None})
