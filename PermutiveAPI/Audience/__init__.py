"""Imports, the segments they hold, and their sources."""

# The contract's names, private though the modules beside import them.
_API_VERSION = "v1"
_API_ENDPOINT = "https://api.permutive.app/audience-api/v1/imports"
