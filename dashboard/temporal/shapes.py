"""Finds the way in which a release can be read whole."""

from dashboard.domain.entities import Entity
from dashboard.domain.problems import Problem
from dashboard.temporal.budget import Budget
from dashboard.temporal.client import Client, Handle
from dashboard.temporal.query_shape import HIERARCHY, ask_release


async def ask_tree(
    _client: Client, handle: Handle, budget: Budget, task_queue: str = ""
) -> tuple[Entity, str] | Problem:
    """The release with everything below it, and a digest of what was told; else why it is not known."""
    return await ask_release(handle, HIERARCHY, budget, task_queue)
