"""How a recipe is written: YAML, read without what would be lost in silence or swell beyond memory."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["read_yaml", "write_yaml"]

MOST = 100_000
"""Values that a recipe may hold; a few aliases of aliases stand for more than memory holds."""


class _Loader(yaml.SafeLoader):
    """Refuses aliases that swell, and a key given twice, of which the first would be lost; reads the keys `off`, `on`, `yes` and `no` as text, not as truth."""

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _size(node, {}) > MOST:
            raise yaml.MarkedYAMLError(problem=f"its aliases stand for more than {MOST:,} values", problem_mark=node.start_mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((k for k in keys if keys.count(k) > 1), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(problem=f"the key {twice!r} stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """A whole number as YAML has it; beyond 64 bits no part of a recipe can be."""
        value: int = self.construct_yaml_int(node)
        if abs(value) >> 63:
            raise yaml.MarkedYAMLError(problem="a whole number beyond 64 bits", problem_mark=node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole)


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Values of a node, those of an alias each time; of one within itself endless."""
    if id(node) not in known:
        known[id(node)] = MOST + 1
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + (0 if isinstance(node, yaml.ScalarNode) else sum(_size(part, known) for part in parts))
    return known[id(node)]


def read_yaml(text: str) -> Any:
    """What a text says. Raises yaml.YAMLError, ValueError or RecursionError where it is not YAML, says a key twice, or stands for more than 100,000 values."""
    return yaml.load(text, _Loader)


class _Dumper(yaml.SafeDumper):
    """PyYAML folds the line separators of Unicode (U+0085, U+2028) into spaces unless the text stands in double quotes."""


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'))


def write_yaml(value: Any) -> str:
    """A value as YAML that reads back as the same."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
