"""From executions with parents to the five levels of a release: every one becomes exactly one row, or is counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from dashboard.domain.entities import Entity
from dashboard.domain.ids import EntityType, MalformedId, parse_entity_id
from dashboard.domain.phases import Phase
from dashboard.domain.problems import Problem, ProblemCode

LEVELS = tuple(EntityType)
_DEPTH = {entity_type: depth for depth, entity_type in enumerate(LEVELS)}
APP_DEPTH = _DEPTH[EntityType.APP]


@dataclass(frozen=True, slots=True)
class Node:
    """One execution below a release: its workflow id, its parent's, and its row without children.

    `known` is false where nothing tells what the row is an entity of; its place among the others then decides.
    """

    id: str
    parent: str | None
    row: Entity
    known: bool = True


@dataclass(slots=True)
class _Branch:
    """A row that is being built."""

    row: Entity
    depth: int
    children: "list[_Branch]" = field(default_factory=list)
    stand_in: "_Branch | None" = None

    def blame(self, code: ProblemCode, message: str) -> None:
        """Say what is wrong with this row, unless something has been said already."""
        if self.row.problem is None:
            self.row = replace(self.row, problem=Problem(code, message))


# The branches that stand above a row, one for each level at most.
_Line = tuple[_Branch, ...]


def grow(root: Entity, root_id: str, nodes: Sequence[Node], *, limit: int, more: int = 0) -> Entity:
    """The release with these executions below it, in their order.

    Whatever the parents say, the tree is finite and each node stands in it once: of several nodes with one id, the
    first. Past `limit` nodes there is a row that says how many are left out, together with `more` that were not read.
    """
    kept, repeats = _unique(root_id, nodes)
    left_out = max(len(kept) - limit, 0) + more
    kept = kept[:limit]
    top = _Branch(root, 0)
    lines: dict[str, _Line] = {root_id: (top,)}
    ids: set[str] = set()
    for node, parent, problem in _parents_first(root_id, kept):
        branch = _plant(node, lines[parent], problem or repeats.get(node.id), ids)
        lines[node.id] = (*(above for above in lines[parent] if above.depth < branch.depth), branch)
    _part_bundles(top, ids)
    if left_out:
        top.children.append(_Branch(_left_out(len(kept), left_out), 1))
    return _built(top)


def _unique(root_id: str, nodes: Sequence[Node]) -> tuple[list[Node], dict[str, Problem]]:
    """The first node of each id, and what is wrong with those that others contradict."""
    first: dict[str, Node] = {}
    problems: dict[str, Problem] = {}
    for node in nodes:
        if node.id == root_id:
            continue
        kept = first.setdefault(node.id, node)
        if kept.parent != node.parent:
            text = "Temporal has runs of this workflow under two parents; it stands under that of the newest run."
            problems[node.id] = Problem(ProblemCode.TWO_PARENTS, text)
    return list(first.values()), problems


def _parents_first(root_id: str, nodes: Sequence[Node]) -> list[tuple[Node, str, Problem | None]]:
    """The nodes in an order in which a parent comes before its children; what has no way to the root hangs there."""
    by_id = {node.id: node for node in nodes}
    children: dict[str, list[Node]] = {}
    loose: list[Node] = []
    for node in nodes:
        if node.parent == root_id or node.parent in by_id:
            children.setdefault(node.parent, []).append(node)
        else:
            loose.append(node)
    placed: set[str] = set()
    order: list[tuple[Node, str, Problem | None]] = []

    def place(first: Sequence[Node], problem: Problem | None) -> None:
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
        place([node], Problem(ProblemCode.CYCLE, "This workflow is, by its parents, below itself."))
    return order


def _plant(node: Node, line: _Line, problem: Problem | None, ids: set[str]) -> _Branch:
    """Put a node's row where its level belongs, below the nearest row that may hold it."""
    parent = line[-1]
    row = node.row if node.known else _typed_by_place(node.row, parent)
    branch = _Branch(row, _DEPTH[row.type])
    if problem:
        branch.blame(problem.code, problem.message)
    if row.id in ids:
        branch.blame(ProblemCode.MALFORMED, f"Another row of this release has the same id as this {row.type}.")
    ids.add(row.id)
    place = next(above for above in reversed(line) if above.depth < branch.depth)
    if place is not parent:
        text = f"Temporal shows this {row.type} under {parent.row.id or parent.row.name}, where none belongs."
        branch.blame(ProblemCode.MISPLACED, text)
    while place.depth < branch.depth - 1:
        place = _stand_in(place, branch, ids)
    place.children.append(branch)
    return branch


def _typed_by_place(row: Entity, parent: _Branch) -> Entity:
    """A row of unknown type, as what would stand below its parent."""
    entity_type = LEVELS[min(parent.depth + 1, APP_DEPTH)]
    entity_id, name = row.id, row.name
    if not _proper(entity_id):
        entity_id = f"{entity_type}:{row.name}"
        name = row.name
    entity_id = entity_id if _proper(entity_id) else ""
    text = "Nothing tells what kind of entity this workflow is; it is shown by its place."
    return replace(row, id=entity_id, type=entity_type, name=name, problem=Problem(ProblemCode.UNKNOWN_TYPE, text))


def _proper(text: str) -> bool:
    try:
        parse_entity_id(text)
    except MalformedId:
        return False
    return True


def _stand_in(place: _Branch, below: _Branch, ids: set[str]) -> _Branch:
    """The row that fills a missing level below `place`: one for all that need it, but each bundle has its cluster."""
    needed = LEVELS[place.depth + 1]
    if needed is EntityType.BUNDLE and place.children:
        return place.children[0]
    alone = needed is EntityType.CLUSTER and below.row.type is EntityType.BUNDLE
    if place.stand_in and not alone:
        return place.stand_in
    above = place.row.type
    text = f"No {needed}: Temporal shows this {below.row.type} directly under the {above}."
    branch = _made_up(needed, below.row.id if alone else place.row.id, f"no {needed}", text, ids)
    place.children.append(branch)
    if not alone:
        place.stand_in = branch
    return branch


def _made_up(
    entity_type: EntityType, source: str, name: str, text: str, ids: set[str], code: ProblemCode = ProblemCode.NO_LEVEL
) -> _Branch:
    """A row that no execution stands for. Its id has a link that works, and stays the same from look to look."""
    entity_id = f"{entity_type}:(none):{source}"
    if not _proper(entity_id) or entity_id in ids:
        entity_id = f"{entity_type}:(none):{_hash(source)}-{len(ids)}"
    ids.add(entity_id)
    row = Entity(entity_id, entity_type, "", Phase.UNKNOWN, name, problem=Problem(code, text))
    return _Branch(row, _DEPTH[entity_type])


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()


def _part_bundles(top: _Branch, ids: set[str]) -> None:
    """A cluster holds one bundle; each further one gets a cluster of its own beside it, which says so."""
    for wave in top.children:
        parted: list[_Branch] = []
        for cluster in wave.children:
            parted.append(cluster)
            others = cluster.children[1:]
            cluster.children = cluster.children[:1]
            for bundle in others:
                text = f"Temporal shows more than one bundle under {cluster.row.id}; this is another of them."
                name = f"{cluster.row.name}, more"
                beside = _made_up(EntityType.CLUSTER, bundle.row.id, name, text, ids, ProblemCode.MISPLACED)
                beside.children = [bundle]
                parted.append(beside)
        wave.children = parted


def _left_out(shown: int, left_out: int) -> Entity:
    text = f"{left_out:,} more workflows of this release are left out here: it shows {shown:,}."
    return Entity(
        "wave:(left-out)",
        EntityType.WAVE,
        "",
        Phase.UNKNOWN,
        f"{left_out:,} left out",
        problem=Problem(ProblemCode.TRUNCATED, text),
    )


def _built(branch: _Branch) -> Entity:
    # As deep as a release has levels, and no deeper.
    if not branch.children:
        return branch.row
    children = tuple(_built(child) for child in branch.children)
    return replace(branch.row, children=children, child_ids=tuple(child.id for child in children))
