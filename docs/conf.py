"""How Sphinx builds these pages: ``sphinx-build -W --keep-going -b html docs docs/_build/html``.

It needs no network. A warning is an error, and so is a link to a class or method that does not exist.
"""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import Any

project = "PermutiveAPI"
author = "The PermutiveAPI maintainers"
copyright = "The PermutiveAPI maintainers"
release = version = version_of("PermutiveAPI")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
# The docstrings say what a table may be.
autodoc_type_aliases = {"Table": "Table", "tables.Table": "Table"}
python_maximum_signature_line_length = 88
python_display_short_literal_types = True
add_module_names = False
toc_object_entries_show_parents = "hide"

nitpicky = True
# No page here describes types of the standard library, requests and pandas, or words such as "optional".
nitpick_ignore_regex = [
    ("py:(class|data|exc|obj|func|attr)", r"(?!PermutiveAPI).*"),
    ("py:class", r"PermutiveAPI\..*\.([A-Z]|Value)"),  # Type variables.
    ("py:class", r"PermutiveAPI\.cohort_tables\.HasWorkspaceId"),  # Its only use says what it is.
    ("py:meth", r"JSONSerializable\.to_json"),
]

html_theme = "furo"
html_title = f"PermutiveAPI {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"

# Defaults that are not code: the words for the default key, and ``<...>`` for "made anew" or "required".
_NO_CODE = re.compile(r"the default workspace's key|<\w+>")


def _readable(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """Write defaults that are not code as dots, so that Sphinx can read the signature."""
    return (_NO_CODE.sub("...", signature), returned) if signature else None


def _without_a_type(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Keep napoleon from reading the words before a colon as the type of a property."""
    if what == "property":
        lines[:0] = ["..", ""]  # An empty comment.


def setup(app: Any) -> None:
    """Connect what Sphinx calls."""
    app.connect("autodoc-process-signature", _readable)
    app.connect("autodoc-process-docstring", _without_a_type, priority=400)
