"""How a path is matched to its route."""

import re
from collections.abc import Callable
from typing import Any

from werkzeug.routing import BaseConverter, IntegerConverter, Map, MapAdapter, Rule

ID = "[1-9][0-9]{0,17}"
IDS = re.compile(rf"(?<=/)({ID})(?=/|\Z)")
ARGUMENTS = re.compile("<(id:)?([^>]+)>")


class IdConverter(IntegerConverter):
    """A positive id in canonical decimal: no 19th digit, which could pass int64, is ever needed."""

    regex = ID


class AnythingConverter(BaseConverter):
    """A client's own key: any text, slashes too (they come percent-encoded)."""

    regex = "(?s:.+)"
    part_isolating = False


class MatchedRule(Rule):
    """A rule that views are found by. It compiles what builds its address if that is asked for.

    Werkzeug would compile two functions for each rule at start, and nothing here calls `url_for`.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def build(rule: Rule, /, **values: Any) -> tuple[str, str]:
            compiled = Rule._compile_builder(rule, append_unknown)
            return compiled(rule, **values)

        return build


class RememberingMap(Map):
    """Remembers the rule of a path by what stands around its ids.

    Werkzeug tries a path part by part. Where all arguments of a rule are ids, every path that is
    the same around them has that rule, so there are as few to remember as rules.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.found: dict[tuple[str, ...], tuple[Rule, list[str]]] = {}


class Routes(MapAdapter):
    """Finds the rule of one request in a RememberingMap."""

    map: RememberingMap

    def match(self, *args: Any, **options: Any) -> Any:
        """As werkzeug's own, which answers whoever asks otherwise than Flask does."""
        if args or options != {"return_rule": True}:
            return super().match(*args, **options)
        parts = IDS.split(self.path_info)
        around = (self.default_method, *parts[::2])
        known = self.map.found.get(around)
        if known is not None:
            rule, names = known
            return rule, dict(zip(names, map(int, parts[1::2]), strict=True))
        rule, values = super().match(*args, **options)
        arguments = ARGUMENTS.findall(rule.rule)
        if not rule.defaults and all(is_id for is_id, _ in arguments):
            self.map.found[around] = rule, [name for _, name in arguments]
        return rule, values
