"""Sessions, API and refresh tokens, failed sign-ins, and the append-only audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER audit_keeps_on_update BEFORE UPDATE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'The audit log can only grow.'); END",
        "CREATE TRIGGER audit_keeps_on_delete BEFORE DELETE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'The audit log can only grow.'); END",
        # REPLACE removes a row without asking the trigger of DELETE.
        "CREATE TRIGGER audit_keeps_on_insert BEFORE INSERT ON audit "
        "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
        "BEGIN SELECT RAISE(ABORT, 'The audit log can only grow.'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_keeps() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE EXCEPTION 'The audit log can only grow.'; END $$",
        "CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_keeps()",
    ),
}


def upgrade() -> None:
    """Make the tables, and what keeps the audit log as it was written."""
    _sessions()
    _tokens()
    _login_failures()
    _audit()
    for statement in TRIGGERS.get(op.get_bind().dialect.name, ()):
        op.execute(statement)


def _of_user() -> "sa.Column[str]":
    return sa.Column("user_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False)


def _time(name: str, *, needed: bool = True) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not needed)


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.String(64), primary_key=True),
        _of_user(),
        sa.Column("epoch", sa.Integer, nullable=False),
        _time("created_at"),
        _time("seen_at"),
        _time("expires_at"),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.Column("device", sa.String(80), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def _tokens() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(32), primary_key=True),
        _of_user(),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("scope", sa.String(10), nullable=False),
        _time("created_at"),
        _time("expires_at", needed=False),
        _time("used_at", needed=False),
        _time("revoked_at", needed=False),
    )
    op.create_index("ix_api_tokens_user_id", "api_tokens", ["user_id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("family", sa.String(32), nullable=False),
        _of_user(),
        sa.Column("epoch", sa.Integer, nullable=False),
        _time("created_at"),
        _time("expires_at"),
        _time("used_at", needed=False),
        _time("revoked_at", needed=False),
    )
    for column in ("family", "user_id", "expires_at"):
        op.create_index(f"ix_refresh_tokens_{column}", "refresh_tokens", [column])


def _login_failures() -> None:
    op.create_table(
        "login_failures",
        sa.Column("id", sa.Integer, primary_key=True),
        _time("at"),
        sa.Column("user_key", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
    )
    op.create_index("ix_login_failures_at", "login_failures", ["at"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        _time("at"),
        sa.Column("actor_id", sa.String(32)),
        sa.Column("actor", sa.String(254)),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(300)),
        sa.Column("address", sa.String(64)),
        sa.Column("request_id", sa.String(32)),
        sa.Column("details", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    for column in ("at", "actor_id"):
        op.create_index(f"ix_audit_{column}", "audit", [column])
