"""Classes whose annotations are evaluated when they are defined, except quoted ones."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Optional

from PermutiveAPI import Alias
from PermutiveAPI._Utils.json import JSONSerializable


@dataclass
class Plain(JSONSerializable[Dict[str, Any]]):
    """Every form of annotation, evaluated."""

    one: Alias
    many: List[Alias]
    maybe: Optional[Alias] = None
    either: "Alias | None" = None
    quoted: "Optional[Alias]" = None
    inner: Optional["Alias"] = None
    builtin: "list[Alias] | None" = None
    named: Dict[str, Alias] = field(default_factory=dict)
    bare_list: List = field(default_factory=list)
    bare_dict: Optional[Dict] = None
    builtin_list: Optional[list] = None
    builtin_dict: Optional[dict] = None
    when: Optional[datetime] = None
    later: "Later | None" = None


@dataclass
class Later(JSONSerializable[Dict[str, Any]]):
    """A class that is defined after the class that names it."""

    when: Optional[datetime] = None
