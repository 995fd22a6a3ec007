"""Imports, the segments they hold, and their sources."""

_API_ENDPOINT = "https://api.permutive.app/audience-api/v1/imports"
