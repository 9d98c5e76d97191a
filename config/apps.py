"""Django's admin, with our site in the place of its own."""

from django.contrib.admin.apps import AdminConfig


class KonzernAdminConfig(AdminConfig):
    default_site = "integrations.staff.site.StaffSite"
