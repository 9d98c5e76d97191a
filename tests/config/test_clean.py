import pytest
from django.core.exceptions import ValidationError
from pytest_django.asserts import assertNumQueries

from companies.models import Location
from config.clean import clean_changes, constrained_fields
from tests.factories import make_location

pytestmark = pytest.mark.django_db


def test_no_constraint_is_asked_that_the_change_does_not_touch():
    # given
    location = make_location()

    # when
    location.city = "Köln"

    # then
    with assertNumQueries(1):  # by Location.clean(), about its company
        clean_changes(location, {"city"})


def test_the_changed_fields_are_cleaned():
    # given
    location = make_location()

    # when
    location.country = "XX"
    location.name = "  Main   gate "

    # then
    with pytest.raises(ValidationError) as refused:
        clean_changes(location, {"country", "name"})
    assert list(refused.value.error_dict) == ["country"]
    assert location.name == "Main gate"


def test_a_constraint_over_a_changed_and_an_unchanged_field_is_asked():
    # given
    first = make_location(code="gate")
    second = make_location(company=first.company)

    # when
    second.code = "GATE"

    # then
    with pytest.raises(ValidationError) as refused:
        clean_changes(second, {"code"})
    (errors,) = refused.value.error_dict.values()
    assert [error.code for error in errors] == ["duplicate_code"]


def test_a_constraint_names_all_its_fields():
    found = {
        constraint.name: constrained_fields(constraint)
        for constraint in Location._meta.constraints
    }

    assert found["companies_location_unique_code"] == {"code", "company"}
    assert found["companies_location_one_default_billing"] == {
        "company",
        "is_default_billing",
    }
