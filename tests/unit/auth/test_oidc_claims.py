import pytest

from dashboard.auth.oidc.claims import role_from_claims
from dashboard.database.models import Role
from dashboard.settings.oidc import OidcSettings

ROLES = {"read": "viewer", "run": "operator", "root": "admin"}


def role(claims: dict[str, object], claim: str = "groups", default: str | None = None) -> Role | None:
    return role_from_claims(
        claims,
        OidcSettings.model_validate({"oidc_roles": ROLES, "oidc_role_claim": claim, "oidc_default_role": default}),
    )


@pytest.mark.parametrize("order", [["read", "run", "root"], ["root", "run", "read"], ["x", "root", "read"]])
def test_the_highest_role_counts_in_whatever_order(order: list[str]):
    assert role({"groups": order}) is Role.admin


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"groups": None},
        {"groups": []},
        {"groups": ["Root", " root", "roo"]},
        {"groups": {"root": True}},
        {"groups": [["root"], 7, None, {"root": 1}]},
        {"groups": 7},
        {"groups": "read root"},
    ],
    ids=str,
)
def test_what_is_no_value_of_the_mapping_gives_no_role(claims: dict[str, object]):
    assert role(claims) is None
    assert role(claims, default="viewer") is Role.viewer


def test_one_value_need_not_be_a_list():
    assert role({"groups": "run"}) is Role.operator


def test_a_claim_may_stand_deep_or_have_dots_in_its_name():
    deep = {"resource_access": {"dashboard": {"roles": ["run"]}}}
    assert role(deep, "resource_access.dashboard.roles") is Role.operator
    assert role({"https://example.com/roles": ["root"]}, "https://example.com/roles") is Role.admin
    assert role({"resource_access": ["dashboard"]}, "resource_access.dashboard.roles") is None
    assert role({"a": {"b": ["root"]}, "a.b": ["read"]}, "a.b") is Role.viewer


def test_a_match_comes_before_the_default():
    assert role({"groups": ["read"]}, default="admin") is Role.viewer
