"""Imports, the segments they hold, and their sources."""

import typing

from .._Utils import lazy_names

# Code of release 5.4.4 imports these names.
_API_VERSION = "v1"
_API_ENDPOINT = "https://api.permutive.app/audience-api/v1/imports"

if not typing.TYPE_CHECKING:  # For a type checker, modules that are not imported are not there.
    __all__ = ["Import", "Segment", "Source"]
    __getattr__ = lazy_names.lazy_names(__name__, dict.fromkeys(__all__))

    def __dir__():
        """List the modules, also those that are not imported yet."""
        return __all__
