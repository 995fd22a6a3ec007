"""The arguments that errors of plans name. The command ``permutive`` names its options instead."""

from __future__ import annotations

from .._Utils.resources.phrases import Phrase

ALLOW_USED = Phrase("allow_used=True")
MAX_DELETE_SHARE = Phrase("max_delete_share=")
MAX_UPDATE_SHARE = Phrase("max_update_share=")
MAPPING = Phrase("mapping")
MAPPING_OF_CODES = Phrase("mapping={{code here: code there}}")
TO = Phrase("to")
PASS_KEY = Phrase("Pass its api_key")
PASS_WORKSPACE_ID = Phrase("Pass workspace_id=, the id of the key's own workspace")
NAME_WORKSPACE = Phrase(
    "Pass workspace_id=, or name a credentials file in PERMUTIVE_APPLICATION_CREDENTIALS"
)
OWNED = Phrase("{owned}")
ROW = Phrase("row {number}: ")
