"""The roles of staff, as groups of rights, one for each kind of business decision.

Permissions are made after all migrations, so this one makes them itself. A group that
is there already is somebody's own, and stays as it is; so does whatever is changed of
these groups later.
"""

from django.contrib.auth.management import create_permissions
from django.db import migrations


def models(app, names, verbs="view"):
    return [f"{app}.{v}_{name}" for name in names.split() for v in verbs.split()]


VIEWER = [
    *models("companies", "company contact contactassignment location companylink"),
    *models("groups", "customergroup groupmember grouppropagation"),
    *models("approvals", "purchaserequest purchaselimit ledgerentry standin"),
    *models("approvals", "approvalgroup approvalgroupmember approvalpolicy"),
    *models("approvals", "approvalrule approvalrulestep"),
    *models("integrations", "event"),
]
KEY_ACCOUNT_MANAGER = [
    *VIEWER,
    "companies.export_data",
    *models("companies", "company contact", "add change"),
    *models(
        "companies", "contactassignment location companylink", "add change delete"
    ),
    *models("companies", "import", "view add"),
    *models("companies", "importmapping", "view delete"),
    *models(
        "groups", "customergroup groupmember grouppropagation", "add change delete"
    ),
]
CREDIT_CONTROLLER = [
    *KEY_ACCOUNT_MANAGER,
    "companies.move_company",
    "companies.change_company_status",
    "companies.merge_company",
    *models("companies", "company contact", "delete"),
    *models("approvals", "purchaselimit standin", "add change delete"),
    *models(
        "approvals", "approvalgroup approvalrule approvalrulestep", "add change delete"
    ),
    *models("approvals", "approvalpolicy", "add change"),
    "approvals.decide_purchaserequest",
    "approvals.order_purchaserequest",
    "approvals.take_over_purchaserequest",
    "approvals.correct_ledger",
    *models("integrations", "webhookendpoint", "view add change delete"),
    *models("integrations", "webhookdelivery"),
]
ADMINISTRATOR = [
    *CREDIT_CONTROLLER,
    *models("integrations", "apiclient", "view add change delete"),
    *models("auth", "user", "view add change"),
    *models("auth", "group"),
    *models("companies", "keyaccount", "view add change delete"),
]
ROLES = {
    "Viewer": VIEWER,
    "Key account manager": KEY_ACCOUNT_MANAGER,
    "Credit controller": CREDIT_CONTROLLER,
    "Administrator": ADMINISTRATOR,
}


def ship_roles(apps, schema_editor):
    using = schema_editor.connection.alias
    for config in apps.get_app_configs():
        config.models_module = True  # else Django passes over it, as one without models
        create_permissions(config, verbosity=0, using=using, apps=apps)
    rights = {
        f"{right.content_type.app_label}.{right.codename}": right
        for right in apps.get_model("auth", "Permission")
        .objects.using(using)
        .select_related("content_type")
    }
    for name, wanted in ROLES.items():
        groups = apps.get_model("auth", "Group").objects.using(using)
        group, is_new = groups.get_or_create(name=name)
        if is_new:
            group.permissions.add(*(rights[right] for right in wanted))


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0003_taken_over"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("companies", "0009_key_accounts"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("groups", "0003_custom_groups_move"),
        ("integrations", "0007_webhooks"),
    ]

    operations = [
        migrations.RunPython(ship_roles, migrations.RunPython.noop, elidable=True),
    ]
