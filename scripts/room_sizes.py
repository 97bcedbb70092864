"""Count files and lines by folder, and names that occur twice: `python -m scripts.room_sizes`."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dashboard"
# What is counted: folders, and the names of the files in them.
PARTS = {"dashboard": "*.py", "styleguide": "*.py", "templates": "*.html", "static/js": "*.js", "static/css": "*.css"}
PARTS |= {"tests": "*.py", "bench": "*.py", "scripts": "*.py"}
LONGEST = 250


def lines(path: Path) -> int:
    """How many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def show_folders(folder: Path, pattern: str) -> None:
    """Print files and lines of each folder, then of all together."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for path in folder.rglob(pattern):
        sizes[path.parent.relative_to(ROOT).as_posix()].append(lines(path))
    for name, counts in sorted(sizes.items()):
        print(f"{name:44} {len(counts):5} files {sum(counts):7,} lines")
    every = [count for counts in sizes.values() for count in counts]
    if len(sizes) > 1:
        print(f"{folder.relative_to(ROOT).as_posix() + ', all':44} {len(every):5} files {sum(every):7,} lines")
    print()


def class_names(path: Path) -> list[str]:
    """The names of the classes that a module has at its top."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


def repeated(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The names that stand in more than one place, with the places."""
    places: dict[str, set[str]] = defaultdict(set)
    for name, place in pairs:
        places[name].add(place)
    return {name: sorted(found) for name, found in sorted(places.items()) if len(found) > 1}


def show(title: str, found: dict[str, list[str]]) -> None:
    """Print a list of names and where they stand."""
    print(f"{title}: {len(found)}")
    for name, places in found.items():
        print(f"  {name:28} {', '.join(places)}")
    print()


def main() -> None:
    """Print the tables."""
    for folder, pattern in PARTS.items():
        if (ROOT / folder).is_dir():
            show_folders(ROOT / folder, pattern)
    print(f"README.md: {lines(ROOT / 'README.md')} lines\n")
    modules = {path.relative_to(PACKAGE): path for path in sorted(PACKAGE.rglob("*.py"))}
    classes = [(name, where.as_posix()) for where, path in modules.items() for name in class_names(path)]
    show("Class names in more than one module", repeated(classes))
    stems = [(where.stem, where.parent.as_posix()) for where in modules if where.stem != "__init__"]
    show("File stems in more than one folder", repeated(stems))
    long = {where.as_posix(): [str(count)] for where, path in modules.items() if (count := lines(path)) > LONGEST}
    show(f"Modules over {LONGEST} lines", long)


if __name__ == "__main__":
    main()
