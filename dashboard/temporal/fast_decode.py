"""Fast decoder for responses exactly in the contract's form, almost four times as fast as `decode`.

Returns None for anything else: unknown fields, gaps, unusual or duplicate IDs, escapes, non-ASCII texts, or invalid
times; these are left to `decode`.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, MsgspecError, Raw, Struct
from msgspec.json import Decoder

from dashboard.domain.entities import NO_DETAILS, Entity
from dashboard.domain.ids import MAX_IDENTIFIER_LENGTH, EntityType, release_name
from dashboard.domain.phases import Phase, phase_of
from dashboard.temporal.reported_times import is_unset

_State = Annotated[str, Meta(min_length=1)]
_Ids = tuple[str, ...] | None


class _Row(Struct, forbid_unknown_fields=True, gc=False):
    id: str
    state: _State
    name: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    error_message: str | None = None


class _App(_Row, forbid_unknown_fields=True, gc=False):
    bundle_id: str | None = None
    version: str | None = None


class _Bundle(_Row, forbid_unknown_fields=True, gc=False):
    cluster_id: str | None = None
    app_ids: _Ids = None
    apps: tuple[_App, ...] | None = None


class _Cluster(_Row, forbid_unknown_fields=True, gc=False):
    wave_id: str | None = None
    bundle_id: str | None = None
    bundle: _Bundle | None = None


class _Wave(_Row, forbid_unknown_fields=True, gc=False):
    release_id: str | None = None
    sequence: int | None = None
    cluster_ids: _Ids = None
    clusters: tuple[_Cluster, ...] | None = None


class _Release(_Row, forbid_unknown_fields=True, gc=False):
    workflow_id: str | None = None
    wave_ids: _Ids = None
    # Read one by one: what a wave is read into fits the processor's cache, and is free again for the next.
    waves: tuple[Raw, ...] | None = None


_RELEASES, _WAVES = Decoder(_Release), Decoder(_Wave)
# In a text that is known to be ASCII without control characters.
_ID = {kind: re.compile(rf"{kind}:[!-~]{{1,{MAX_IDENTIFIER_LENGTH}}}").fullmatch for kind in EntityType}


class _OddError(ValueError):
    """The response is not in the exact form."""


def fast_decode_release(encoding: str, content: bytes, release_id: str) -> Entity | None:
    """Decode a release like `decode_release`."""
    if not _is_plain(encoding, content):
        return None
    try:
        return _Reading().release(_RELEASES.decode(content), release_id)
    except (MsgspecError, _OddError):
        return None


def fast_decode_wave(encoding: str, content: bytes) -> Entity | None:
    """Decode a wave like `decode_wave`."""
    if not _is_plain(encoding, content):
        return None
    try:
        return _Reading().wave(_WAVES.decode(content))
    except (MsgspecError, _OddError):
        return None


def _is_plain(encoding: str, content: bytes) -> bool:
    """Return whether all texts can be shown unchanged. JSON allows only DEL of the control characters unescaped."""
    return encoding == "json/plain" and content.isascii() and b"\\" not in content and b"\x7f" not in content


class _Times(dict[str | None, datetime | None]):
    """Cache of parsed times: many rows share the same time."""

    def __missing__(self, text: str) -> datetime | None:
        if is_unset(text):
            self[text] = None
            return None
        try:
            time = datetime.fromisoformat(text)
        except ValueError as exc:
            raise _OddError from exc
        if time.tzinfo is not UTC:
            raise _OddError
        self[text] = time
        return time


class _Phases(dict[str, Phase]):
    """Cache of phases by state for one entity type."""

    def __init__(self, kind: EntityType) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, word: str) -> Phase:
        phase = self[word] = phase_of(self._kind, word)
        return phase


class _Reading:
    """The decoding of one response. Raises _OddError for anything unusual."""

    def __init__(self) -> None:
        self._times = _Times({None: None})
        self._phases = {kind: _Phases(kind) for kind in EntityType}
        self._seen: set[str] = set()

    def release(self, row: _Release, release_id: str) -> Entity:
        """Decode the release. Its ID is the workflow ID."""
        row.id = release_id
        row.name = row.name or release_name(release_id)
        self._seen.add(release_id)
        waves = [self._wave(_WAVES.decode(wave)) for wave in row.waves or ()]
        self._meet(EntityType.WAVE, [wave.id for wave in waves])
        if all(wave.sequence is not None for wave in waves):
            waves.sort(key=lambda wave: wave.sequence or 0)
        return self._entity(EntityType.RELEASE, row, row.workflow_id, row.wave_ids, waves)

    def wave(self, row: _Wave) -> Entity:
        """Return one wave."""
        self._meet(EntityType.WAVE, [row.id])
        return self._wave(row)

    def _wave(self, row: _Wave) -> Entity:
        clusters = [self._cluster(cluster) for cluster in row.clusters or ()]
        self._meet(EntityType.CLUSTER, [cluster.id for cluster in clusters])
        return self._entity(EntityType.WAVE, row, row.release_id, row.cluster_ids, clusters, row.sequence)

    def _cluster(self, row: _Cluster) -> Entity:
        bundles = [self._bundle(row.bundle)] if row.bundle else []
        self._meet(EntityType.BUNDLE, [bundle.id for bundle in bundles])
        listed = None if row.bundle_id is None else (row.bundle_id,)
        return self._entity(EntityType.CLUSTER, row, row.wave_id, listed, bundles)

    def _bundle(self, row: _Bundle) -> Entity:
        apps = self._apps(row.apps or ())
        self._meet(EntityType.APP, [app.id for app in apps])
        return self._entity(EntityType.BUNDLE, row, row.cluster_id, row.app_ids, apps)

    def _apps(self, rows: Sequence[_App]) -> list[Entity]:
        # Most of all rows. Values in the order of the fields: to name them takes as long again.
        times, phases, kind = self._times, self._phases[EntityType.APP], EntityType.APP
        return [
            Entity(
                row.id,
                kind,
                row.state,
                phases[row.state],
                row.name or row.id.partition(":")[2],
                row.version or None,
                None,
                times[row.created_at],
                times[row.updated_at],
                row.error_message or None,
                None,
                False,
                None,
                None,
                NO_DETAILS,
                row.bundle_id or "",
            )
            for row in rows
        ]

    def _entity(
        self,
        kind: EntityType,
        row: _Row,
        parent_id: str | None,
        listed: _Ids,
        children: list[Entity],
        sequence: int | None = None,
    ) -> Entity:
        described = tuple([child.id for child in children])
        if listed is None or listed == described:
            listed = described
        elif not set(listed) <= set(described):
            raise _OddError
        return Entity(
            id=row.id,
            type=kind,
            state=row.state,
            phase=self._phases[kind][row.state],
            name=row.name or row.id.partition(":")[2],
            sequence=sequence,
            created_at=self._times[row.created_at],
            updated_at=self._times[row.updated_at],
            error=row.error_message or None,
            parent_id=parent_id or "",
            child_ids=listed or described,
            children=tuple(children),
        )

    def _meet(self, kind: EntityType, ids: list[str]) -> None:
        """Check that IDs are valid and unique."""
        before = len(self._seen)
        self._seen.update(ids)
        if len(self._seen) != before + len(ids) or not all(map(_ID[kind], ids)):
            raise _OddError
