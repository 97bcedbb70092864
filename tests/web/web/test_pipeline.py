"""What runs before and after views, in order, and that nothing else does."""

import ast
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import dashboard
from dashboard.auth.permissions import FOR_ADMINS, PERSONAL
from dashboard.database.models import Role
from tests.web.conftest import EMAIL, PASSWORD

BEFORE = [
    "assign_request_id",
    "refuse_malformed_target",
    "refuse_other_hosts",
    "refuse_large_bodies",
    "refuse_control_characters",
    "refuse_other_sites",
    "answer_preflight",
    "note_read_only",
    "require_login",
    "require_admin",
]
AFTER = [
    "no_store",
    "add_etag",
    "compress",
    "record_views",
    "compress_file",
    "let_browsers_keep",
    "note_activity",
    "verify_admissions",
    "mark_read_only",
    "add_headers",
    "add_request_id",
]
# Flask-Login's own, which it adds by itself.
LAST = ["_update_remember_cookie"]

# The ways in which Flask takes hooks.
HOOKS = {
    f"{when}{app}_request" for when, app in (("before", ""), ("after", ""), ("before", "_app"), ("after", "_app"))
} | {"teardown_request", "teardown_app_request", "teardown_appcontext", "before_request_funcs", "after_request_funcs"}


def test_hooks_run_in_the_order_in_which_they_are_listed(app: Flask):
    ran = []

    def noting(hook: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(hook)
        def noted(*args: Any) -> Any:
            ran.append(hook.__name__)
            return hook(*args)

        return noted

    for hooks in (app.before_request_funcs, app.after_request_funcs):
        hooks[None] = list(map(noting, hooks[None]))
    assert app.test_client().get("/login").status_code == 200
    assert ran == BEFORE + AFTER + LAST


def test_no_blueprint_has_hooks_of_its_own_and_nothing_is_torn_down(app: Flask):
    assert {*app.before_request_funcs, *app.after_request_funcs} == {None}
    assert not any(app.teardown_request_funcs.values())
    assert app.teardown_appcontext_funcs == []


def test_nobody_but_the_pipeline_adds_hooks():
    package = Path(dashboard.__file__).parent
    adding = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in HOOKS
    }
    assert adding == {"web/pipeline.py"}


def test_what_is_for_admins_or_personal_is_named_as_its_blueprint_is(sign_on_app: Callable[..., Flask]):
    assert set(sign_on_app().blueprints) >= FOR_ADMINS | PERSONAL


@pytest.mark.parametrize("path", ["/profile", "/api/profile", "/users", "/api/users", "/users/none", "/api/auth/me"])
def test_personal_answers_are_in_no_cache(app: Flask, accounts, path: str):
    accounts.add(EMAIL, PASSWORD, role=Role.admin)
    browser = app.test_client()
    assert browser.post("/login", data={"username": EMAIL, "password": PASSWORD}).headers["Cache-Control"] == "no-store"
    assert browser.get(path).headers["Cache-Control"] == "no-store"
