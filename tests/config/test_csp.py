"""Every answer says its content security policy."""

import pytest


def policy_of(answer) -> dict[str, str]:
    given = answer["Content-Security-Policy"]
    return dict(rule.split(" ", 1) for rule in given.split("; "))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/nothing", "/api/docs/"])
def test_pages_load_from_us_only(client, path):
    # when
    policy = policy_of(client.get(path))

    # then
    assert policy["default-src"] == policy["form-action"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "'unsafe-inline'" not in policy["script-src"]
    assert ("'unsafe-eval'" in policy["script-src"]) is (path != "/api/docs/")
    assert "http" not in str(policy)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/api/v1/", "/api/v1/companies/", "/api/nothing/", "/oauth/token/"]
)
def test_what_machines_are_answered_does_nothing_as_a_page(client, path):
    answer = client.get(path)

    assert policy_of(answer) == {"default-src": "'none'", "frame-ancestors": "'none'"}
