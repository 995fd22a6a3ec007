"""Imports, the segments they hold, and their sources."""

# Code of release 5.4.4 imports these names.
_API_VERSION = "v1"
_API_ENDPOINT = "https://api.permutive.app/audience-api/v1/imports"
