"""Bundle our scripts: a page requests one file, which compresses far better than its modules do one by one."""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import (?:(\{[^}]*\}) from )?"\./([\w-]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|function|async function) (\w+))", re.MULTILINE)


def bundle(entry: Path) -> str:
    """Return a script with all it imports, dependencies first, each module in a scope of its own."""
    modules: dict[str, str] = {}

    def add(name: str) -> None:
        source = (entry.parent / f"{name}.js").read_text()
        for _, imported in _IMPORT.findall(source):
            if imported not in modules:
                add(imported)
        modules[name] = _scoped(name, source)

    add(entry.stem)
    return "const modules = {};\n" + "".join(modules.values())


def _scoped(name: str, source: str) -> str:
    exports = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(_as_constants, source))
    return f'modules["{name}"] = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();\n'


def _as_constants(statement: re.Match[str]) -> str:
    names, module = statement.groups()
    return f'const {names} = modules["{module}"];\n' if names else ""
