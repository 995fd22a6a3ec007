"""Imports, the segments they hold, and their sources."""

# The contract's name for it, private though the modules beside import it.
_API_ENDPOINT = "https://api.permutive.app/audience-api/v1/imports"
