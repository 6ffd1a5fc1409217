"""Public docstrings of an installed package, read from its syntax trees: nothing of it is imported, so nothing of it runs.

A name is public where one path to it has no leading underscore: `numpy/_core/fromnumeric.py` defines `sum` and `numpy/__init__.py` binds it, so it is
`numpy.sum`. Paths are those that `import` statements give; names made at run time (assignments, `__getattr__`) are not seen.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, PackagePath
from typing import Literal

__all__ = ["Docstring", "Kind", "public_docstrings"]

Kind = Literal["function", "method", "property", "class"]

FOREIGN = frozenset({"_vendor", "_vendored", "benchmarks", "conftest.py", "externals", "test", "testing", "tests", "third_party", "vendor", "vendored"})
"""Folders and files that hold tests or other people's code."""

_DEPRECATED = re.compile(r"^(\.\. |\*\*|\[)?deprecated\b", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Docstring:
    """What one public name says about itself.

    name: qualified, `package.Class.method`. parameters: as written without annotations ("axis=None"), self left out; those of `__init__` for a class.
    text: the docstring without its indentation. file: path below the folder of installed packages. line: of the definition, from 1.
    """

    name: str
    kind: Kind
    parameters: tuple[str, ...]
    text: str
    file: str
    line: int
    deprecated: bool


@dataclass(frozen=True)
class _Module:
    """One source file. bound: local name → the qualified name it stands for. stars: modules it star-imports. exports: its `__all__` where that is a literal."""

    package: bool
    docstrings: tuple[Docstring, ...]
    bound: Mapping[str, str]
    stars: tuple[str, ...]
    exports: frozenset[str] | None


def public_docstrings(distribution: Distribution) -> list[Docstring]:
    """The docstrings of all public functions, methods, properties and classes of an installed distribution, one a name, sorted by name.

    Files that this Python cannot parse are passed over, as are tests and vendored code (`FOREIGN`).
    """
    modules = {}
    for file in sorted(distribution.files or (), key=str):
        parts = file.with_suffix("").parts
        if file.suffix == ".py" and all(part.isidentifier() for part in parts) and not FOREIGN.intersection(file.parts):
            package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if package else parts)
            try:
                with warnings.catch_warnings(action="ignore"):  # other people's invalid escapes
                    modules[name] = _read(ast.parse(file.read_binary()), name, file)
            except SyntaxError:
                continue
    aliases, packages = _aliases(modules), {name for name, module in modules.items() if module.package}
    found: dict[str, Docstring] = {}
    for name, module in modules.items():
        for one in module.docstrings:
            top, _, below = one.name.partition(".")
            path = _public_path(f"{name}.{top}", aliases, packages)
            if path is not None and not re.search(r"(^|\.)_", below):
                qualified = f"{path}.{below}" if below else path
                found.setdefault(qualified, replace(one, name=qualified))
    return [found[name] for name in sorted(found)]


def _read(tree: ast.Module, name: str, file: PackagePath) -> _Module:
    package = file.name == "__init__.py"
    bound: dict[str, str] = {}
    stars: list[str] = []
    exports: frozenset[str] | None = None
    for node in _statements(tree.body):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound[node.name] = f"{name}.{node.name}"
            case ast.ImportFrom(names=names):
                source = _source(node, name, package)
                stars += [source for one in names if one.name == "*"]
                for one in names:
                    bound.setdefault(one.asname or one.name, f"{source}.{one.name}")
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=items) | ast.Tuple(elts=items)):
                exports = frozenset(item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str))
    bound.pop("*", None)
    return _Module(package, tuple(_docstrings(tree.body, "", str(file))), bound, tuple(stars), exports)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, and those under its `if`, `try` and `with`."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, part, []))


def _source(node: ast.ImportFrom, module: str, package: bool) -> str:
    """The module that an import statement names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    above = module.split(".")
    above = above[: len(above) - node.level + package]
    return ".".join([*above, node.module] if node.module else above)


def _docstrings(body: Iterable[ast.stmt], path: str, file: str) -> Iterator[Docstring]:
    for node in _statements(body):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        in_class = path != ""
        decorators = [ast.unparse(one.func if isinstance(one, ast.Call) else one).rpartition(".")[2] for one in node.decorator_list]
        text = ast.get_docstring(node)
        if text:
            deprecated = "deprecated" in decorators or _DEPRECATED.search(text) is not None
            yield Docstring(path + node.name, _kind(node, decorators, in_class), _parameters(node, in_class, decorators), text, file, node.lineno, deprecated)
        if isinstance(node, ast.ClassDef):
            yield from _docstrings(node.body, f"{path}{node.name}.", file)


def _kind(node: ast.stmt, decorators: list[str], in_class: bool) -> Kind:
    if isinstance(node, ast.ClassDef):
        return "class"
    if not in_class:
        return "function"
    return "property" if {"property", "cached_property", "setter"}.intersection(decorators) else "method"


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, in_class: bool, decorators: list[str]) -> tuple[str, ...]:
    if isinstance(node, ast.ClassDef):
        makers = (one for one in _statements(node.body) if isinstance(one, ast.FunctionDef) and one.name == "__init__")
        maker = next(makers, None)
        return _parameters(maker, True, []) if maker else ()
    args = node.args
    positional = args.posonlyargs + args.args
    defaults = [None] * (len(positional) - len(args.defaults)) + args.defaults
    out = [_parameter(one.arg, default) for one, default in zip(positional, defaults, strict=True)]
    out = out[1:] if in_class and "staticmethod" not in decorators else out
    out += [f"*{args.vararg.arg}"] if args.vararg else ["*"] if args.kwonlyargs else []
    out += [_parameter(one.arg, default) for one, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return (*out, f"**{args.kwarg.arg}") if args.kwarg else tuple(out)


def _parameter(name: str, default: ast.expr | None) -> str:
    if default is None:
        return name
    value = ast.unparse(default)
    return f"{name}={value if len(value) <= 24 else '…'}"


def _aliases(modules: Mapping[str, _Module]) -> Mapping[str, list[str]]:
    """Qualified name → the names one import further that stand for it."""
    known: dict[str, dict[str, str]] = {}
    aliases: defaultdict[str, list[str]] = defaultdict(list)
    for name in modules:
        for local, target in _bindings(name, modules, known).items():
            if target != f"{name}.{local}":
                aliases[target].append(f"{name}.{local}")
    return aliases


def _bindings(name: str, modules: Mapping[str, _Module], known: dict[str, dict[str, str]]) -> dict[str, str]:
    """All that a module binds, star imports resolved. known: what was found already; a circular import sees what is bound by then, as at run time."""
    if name not in known and name in modules:
        known[name] = dict(modules[name].bound)
        for source in modules[name].stars:
            exports = modules[source].exports if source in modules else None
            for local in _bindings(source, modules, known):
                if local in exports if exports is not None else not local.startswith("_"):
                    known[name].setdefault(local, f"{source}.{local}")
    return known.get(name, {})


def _public_path(name: str, aliases: Mapping[str, list[str]], packages: Set[str]) -> str | None:
    """The shortest path without an underscore to a definition: its own, or one that a package's `__init__.py` gives it. None where it has none."""
    found = [name]
    for one in found:  # grows while it is walked
        found += [alias for alias in aliases.get(one, ()) if alias not in found]
    public = [one for one in found if not re.search(r"(^|\.)_", one) and (one == name or one.rpartition(".")[0] in packages)]
    return min(public, key=lambda one: (one.count("."), len(one), one), default=None)
