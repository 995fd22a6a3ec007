"""What errors say in the command instead of the library's arguments."""

from __future__ import annotations

import ast
from typing import Dict, Set

from PermutiveAPI._Utils.resources import table_rows
from PermutiveAPI._Utils.resources.phrases import Phrase
from PermutiveAPI.cli import wording
from PermutiveAPI.Tables import phrases
from tests.meta.sources import modules


def phrases_of(module: object) -> Dict[str, Phrase]:
    """Return the phrases of a module by name."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Phrase)}


def test_the_shell_has_words_for_every_phrase() -> None:
    """No error that names an argument is forgotten."""
    found = {*phrases_of(phrases), *phrases_of(table_rows)}
    tree = ast.parse(modules()["cli.wording"].read_text(encoding="utf-8"))
    named = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
    assert len(found) == 14 and found <= named


def test_every_phrase_is_in_one_of_these_modules() -> None:
    """The test above sees all phrases."""

    def makes_phrases(name: str) -> bool:
        text = modules()[name].read_text(encoding="utf-8")
        tree = ast.parse(text if "Phrase(" in text else "")
        calls = (each.func for each in ast.walk(tree) if isinstance(each, ast.Call))
        return any(isinstance(each, ast.Name) and each.id == "Phrase" for each in calls)

    found: Set[str] = {name for name in modules() if makes_phrases(name)}
    assert found == {"Tables.phrases", "_Utils.resources.table_rows"}


def test_words_of_the_shell_are_whole() -> None:
    """Each can be filled in with the values of its phrase."""
    with wording.in_words_of_the_shell(), wording.without_rows():
        with wording.naming_owned_options(["--owned-prefix '{x}'", "--owned-category 'y'"]):
            said = {
                name: phrase(number=1, count="1 bad row", separator=";", owned="Owned()")
                for name, phrase in {**phrases_of(phrases), **phrases_of(table_rows)}.items()
            }
    assert said["OWNED"] == "--owned-prefix '{x}' or --owned-category 'y'"
    assert said["ROW"] == ""
    assert said["MAPPING_OF_CODES"] == "--map CODE_HERE=CODE_THERE"
