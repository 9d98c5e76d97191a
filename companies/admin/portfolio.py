"""Which hierarchies a member of staff looks after: a tab on the page of the person."""

from companies.models import KeyAccount, StaffSight
from config.admin import KonzernForm, KonzernTabularInline, extend, sight_by


class CompanyFixed(KonzernForm):
    fixed = ("company",)


class KeyAccountInline(KonzernTabularInline):
    model = KeyAccount
    form = CompanyFixed
    autocomplete_fields = ["company"]
    fields = ["company"]
    list_select_related = ["company"]
    order = 20


sight_by(StaffSight)
extend("auth.User", KeyAccountInline)
