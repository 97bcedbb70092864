"""The scripted rollout, under the name by which scripts outside this suite import it."""

from tests.support.scripted_rollout import ScriptedRelease, ScriptedTree, TellingPart, stumble

__all__ = ["ScriptedRelease", "ScriptedTree", "TellingPart", "stumble"]
