"""Build the tree of a release from executions with parents. Every execution becomes one row, or is counted.

A row is placed where Temporal has it, whichever levels a team uses. Only a row that cannot be in its parent, such as a
wave below an app, is placed further up with a note.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType, MalformedId, parse_entity_id
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode

ENTITY_LEVELS = tuple(EntityType)
_DEPTH = {entity_type: depth for depth, entity_type in enumerate(ENTITY_LEVELS)}
# Rows deeper than this hang beside one another at this depth: no chain of executions is to be deeper than any page.
MAX_TREE_DEPTH = 12


@dataclass(frozen=True, slots=True)
class ExecutionNode:
    """An execution below a release: its workflow ID, its parent's, and its row without children.

    `known` is false if its entity is unknown: then it counts as an app.
    """

    id: str
    parent: str | None
    row: Entity
    known: bool = True


@dataclass(slots=True)
class _Branch:
    """A row under construction."""

    row: Entity
    level: int
    depth: int
    children: "list[_Branch]" = field(default_factory=list)

    def blame(self, code: ProblemCode, message: str) -> None:
        """Set the problem of this row unless it has one."""
        if self.row.problem is None:
            self.row = replace(self.row, problem=Problem(code, message))


# The branches that stand above a row, from the top down.
_Line = tuple[_Branch, ...]


def build_tree(root: Entity, root_id: str, nodes: Sequence[ExecutionNode], *, limit: int, more: int = 0) -> Entity:
    """Return the release with these executions below it, in their order.

    Whatever the parents say, the tree is finite and each node stands in it once: of several nodes with one id, the
    first. Past `limit` nodes there is a row that says how many are left out, together with `more` that were not read.
    """
    kept, repeats = _unique(root_id, nodes)
    left_out = max(len(kept) - limit, 0) + more
    kept = kept[:limit]
    top = _Branch(root, 0, 0)
    lines: dict[str, _Line] = {root_id: (top,)}
    ids: set[str] = set()
    for node, parent, problem in _parents_first(root_id, kept):
        lines[node.id] = _plant(node, lines[parent], problem or repeats.get(node.id), ids)
    _part_bundles(top, ids)
    if left_out:
        top.children.append(_left_out(top, len(kept), left_out))
    return _built(top)


def _unique(root_id: str, nodes: Sequence[ExecutionNode]) -> tuple[list[ExecutionNode], dict[str, Problem]]:
    """Return the first node of each ID, marking contradicting duplicates."""
    first: dict[str, ExecutionNode] = {}
    problems: dict[str, Problem] = {}
    for node in nodes:
        if node.id == root_id:
            continue
        kept = first.setdefault(node.id, node)
        if kept.parent != node.parent:
            text = "This workflow has runs under two parents; it is shown under the parent of the newest run."
            problems[node.id] = Problem(ProblemCode.TWO_PARENTS, text)
    return list(first.values()), problems


def _parents_first(root_id: str, nodes: Sequence[ExecutionNode]) -> list[tuple[ExecutionNode, str, Problem | None]]:
    """Return the nodes with parents before children, attaching unreachable ones to the root."""
    by_id = {node.id: node for node in nodes}
    children: dict[str, list[ExecutionNode]] = {}
    loose: list[ExecutionNode] = []
    for node in nodes:
        if node.parent == root_id or node.parent in by_id:
            children.setdefault(node.parent, []).append(node)
        else:
            loose.append(node)
    placed: set[str] = set()
    order: list[tuple[ExecutionNode, str, Problem | None]] = []

    def place(first: Sequence[ExecutionNode], problem: Problem | None) -> None:
        waiting = [(node, root_id, problem) for node in reversed(first)]
        while waiting:
            node, parent, why = waiting.pop()
            if node.id not in placed:
                placed.add(node.id)
                order.append((node, parent, why))
                waiting += [(child, node.id, None) for child in reversed(children.get(node.id, ()))]

    place(children.get(root_id, ()), None)
    place(loose, Problem(ProblemCode.ORPHAN, "Temporal does not list the parent of this workflow."))
    for node in nodes:
        # What is left hangs together in circles: cut open at the first of each.
        place([node], Problem(ProblemCode.CYCLE, "This workflow is its own ancestor."))
    return order


def _plant(node: ExecutionNode, line: _Line, problem: Problem | None, ids: set[str]) -> _Line:
    """Place a row below its parent or the nearest ancestor that can contain it; return the path."""
    row = node.row if node.known else with_unknown_type(node.row)
    # What nothing tells the kind of may hold all that its parent may.
    level = _DEPTH[row.type] if node.known else line[-1].level
    kept = _holding(line, level)
    parent, place = line[-1], kept[-1]
    branch = _Branch(row, level, place.depth + 1)
    if problem:
        branch.blame(problem.code, problem.message)
    if row.id in ids:
        branch.blame(ProblemCode.MALFORMED, f"Another row of this release has the same ID as this {row.type}.")
    ids.add(row.id)
    if place is not parent:
        text = f"Unexpected parent for a {row.type}: {parent.row.id or parent.row.name}."
        branch.blame(ProblemCode.MISPLACED, text)
    place.children.append(branch)
    return (*kept, branch)


def _holding(line: _Line, level: int) -> _Line:
    """Return the path to the nearest row that can contain this level."""
    parent = line[-1]
    if parent.level <= level and parent.depth < MAX_TREE_DEPTH:
        return line
    responses = (at for at in range(len(line) - 1, 0, -1) if line[at].level < level and line[at].depth < MAX_TREE_DEPTH)
    return line[: next(responses, 0) + 1]


def with_unknown_type(row: Entity) -> Entity:
    """Return a row of unknown type as a unit of work, with a detail that says so."""
    entity_id = row.id if _proper(row.id) else f"{EntityType.APP}:{row.name}"
    if not _proper(entity_id):
        entity_id = f"{EntityType.APP}:{_hash(row.name)}"
    return replace(row, id=entity_id, type=EntityType.APP, details={**row.details, "kind": "unknown"})


def _proper(text: str) -> bool:
    try:
        parse_entity_id(text)
    except MalformedId:
        return False
    return True


def _made_up(source: str, name: str, text: str, ids: set[str], depth: int) -> _Branch:
    """Return a synthetic cluster with a stable, linkable ID."""
    entity_id = f"{EntityType.CLUSTER}:(none):{source}"
    if not _proper(entity_id) or entity_id in ids:
        entity_id = f"{EntityType.CLUSTER}:(none):{_hash(source)}-{len(ids)}"
    ids.add(entity_id)
    row = Entity(entity_id, EntityType.CLUSTER, "", Phase.UNKNOWN, name, problem=Problem(ProblemCode.MISPLACED, text))
    return _Branch(row, _DEPTH[EntityType.CLUSTER], depth)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()


def _part_bundles(branch: _Branch, ids: set[str]) -> None:
    """Move additional bundles of a cluster into synthetic clusters."""
    parted: list[_Branch] = []
    for child in branch.children:
        parted.append(child)
        if child.row.type is EntityType.BUNDLE or not child.children:
            continue
        _part_bundles(child, ids)
        if child.row.type is EntityType.CLUSTER:
            parted += _further_bundles(child, ids)
    branch.children = parted


def _further_bundles(cluster: _Branch, ids: set[str]) -> Iterator[_Branch]:
    """Return a synthetic cluster for each bundle after the first."""
    bundles = [child for child in cluster.children if child.row.type is EntityType.BUNDLE]
    for bundle in bundles[1:]:
        cluster.children.remove(bundle)
        text = f"{cluster.row.id} has more than one bundle; this is an additional one."
        beside = _made_up(bundle.row.id, f"{cluster.row.name}, more", text, ids, cluster.depth)
        beside.children = [bundle]
        yield beside


def _left_out(top: _Branch, shown: int, left_out: int) -> _Branch:
    """Return a row that represents everything not shown."""
    kind = top.children[-1].row.type if top.children else EntityType.APP
    text = f"{left_out:,} more workflows of this release are not shown: the limit is {shown:,}."
    problem = Problem(ProblemCode.TRUNCATED, text)
    row = Entity(f"{kind}:(left-out)", kind, "", Phase.UNKNOWN, f"{left_out:,} not shown", problem=problem)
    return _Branch(row, _DEPTH[kind], 1)


def _built(branch: _Branch) -> Entity:
    # No deeper than MAX_TREE_DEPTH.
    if not branch.children:
        return branch.row
    children = tuple(_built(child) for child in branch.children)
    return replace(branch.row, children=children, child_ids=tuple(child.id for child in children))
