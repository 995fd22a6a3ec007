"""All resources are declared in the same way."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import typing
from typing import Any, Callable, Dict, List, cast

import PermutiveAPI
from PermutiveAPI._Utils.json import JSONSerializable
from PermutiveAPI._Utils.resources.base import Resource
from PermutiveAPI._Utils.resources.lists import Index, ResourceList, TabularList
from tests.meta.sources import modules, tree_of
from tests.support.rows import for_each

PUBLIC = [
    each
    for each in (getattr(PermutiveAPI, name) for name in PermutiveAPI.__all__)
    if isinstance(each, type)
]
MODELS: List[Any] = [
    each for each in PUBLIC if issubclass(each, JSONSerializable) and not issubclass(each, list)
]
LISTS: List[Any] = [each for each in PUBLIC if issubclass(each, ResourceList)]
RESOURCES: List[Any] = [each for each in MODELS if issubclass(each, Resource)]

CALLS: Dict[str, Callable[..., Any]] = {
    f"{resource.__name__}.{name}": getattr(resource, name)
    for resource in RESOURCES
    for name in vars(resource)
    if not name.startswith("_")
    and "api_key" in getattr(getattr(resource, name), "__annotations__", {})
}


@for_each("model", MODELS)
def test_models_are_dataclasses(model: Any) -> None:
    """Every model is a dataclass with the JSON mixin, and its docstring names each field."""
    assert dataclasses.is_dataclass(model)
    documented = inspect.getdoc(model) or ""
    for each in dataclasses.fields(model):
        assert each.name in documented, each.name


@for_each("model", RESOURCES)
def test_resources_go_through_one_helper(model: Any) -> None:
    """Every resource that reaches the network uses the common request helper."""
    assert issubclass(model, Resource)
    assert "_request_helper" not in vars(model)
    names = [each.name for each in dataclasses.fields(cast(Any, model))]
    assert set(model._timestamps) <= set(names)
    assert len(model._timestamps) in (0, 2)


@for_each("name", list(CALLS))
def test_key_may_be_left_out(name: str) -> None:
    """Every call that reaches the network takes api_key, and help() says what its default is."""
    parameter = inspect.signature(CALLS[name]).parameters["api_key"]
    assert str(parameter) == "api_key: 'str' = the default workspace's key"
    assert type(parameter.default).__bases__ == (str,)


@for_each("name", [each for each in CALLS if ".batch_" in each or ".stream_" in each])
def test_batches_are_alike(name: str) -> None:
    """Every batch is a classmethod with the same keyword-only arguments."""
    owner, _, method = name.partition(".")
    assert isinstance(vars(getattr(PermutiveAPI, owner))[method], classmethod)
    parameters = list(inspect.signature(CALLS[name]).parameters.values())
    assert parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    keywords = [each.name for each in parameters[1:]]
    assert keywords[:3] == ["api_key", "max_workers", "progress_callback"]
    assert {each.kind for each in parameters[1:]} == {inspect.Parameter.KEYWORD_ONLY}
    assert {each.default for each in parameters[2:4]} == {None}


@for_each("name", [each for each in CALLS if each.split(".")[1].startswith(("get_", "list"))])
def test_getters_are_static(name: str) -> None:
    """Every method that fetches is a static method."""
    owner, _, method = name.partition(".")
    assert isinstance(vars(getattr(PermutiveAPI, owner))[method], staticmethod)


@for_each("cls", LISTS)
def test_lists_are_declarations(cls: Any) -> None:
    """Every list only declares the type of its items and its dictionaries."""
    assert cls._item_type.__name__ + "List" == cls.__name__
    fields = {each.name for each in dataclasses.fields(cls._item_type)}
    for name, value in vars(cls).items():
        if isinstance(value, Index):
            assert name.endswith("_dictionary")
            assert value._attribute in fields
    inherited = {"append", "extend", "from_json", "to_json", "to_pd_dataframe", "__getitem__"}
    assert not inherited & set(vars(cls))
    assert issubclass(cls, TabularList) is (cls.__name__ != "WorkspaceList")


@for_each("cls", LISTS)
def test_dictionaries_are_annotated(cls: Any) -> None:
    """Every dictionary declares the type of its values."""
    annotations = typing.cast("dict[str, Any]", cls.__annotations__)
    declared = {name for name, value in vars(cls).items() if isinstance(value, Index)}
    assert declared <= set(annotations)


@for_each("model", RESOURCES)
def test_endpoint_and_payload_stand_at_the_top(model: Any) -> None:
    """A resource's constants stand before its first class."""
    names: List[str] = []
    for node in tree_of(model.__module__.partition(".")[2]).body:
        if isinstance(node, ast.ClassDef):
            break
        if isinstance(node, ast.Assign):
            names += [ast.unparse(target) for target in node.targets]
        if isinstance(node, ast.ImportFrom):
            names += [alias.name for alias in node.names]
    assert "_API_ENDPOINT" in names or model is PermutiveAPI.Segment  # Audience.urls has it.
    assert "_API_PAYLOAD" in names or model is PermutiveAPI.Import


def test_resources_know_no_verbs_of_http() -> None:
    """No resource opens connections, retries, sleeps or reads a status by itself."""
    for model in MODELS:
        source = inspect.getsource(sys.modules[model.__module__])
        for word in ("status_code", "sleep(", "requests.get", "requests.post", "Thread"):
            assert word not in source, (model, word)
    assert len(modules()) > 20
