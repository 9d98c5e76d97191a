"""A custom group can go over to another company, when two companies are merged.

Automatic groups keep their company, and every group its kind, as before.
"""

from importlib import import_module

from django.db import migrations

guards = import_module("groups.migrations.0002_guards")
TABLE = guards.TABLE
FIXED = """(OLD.kind <> NEW.kind
    OR OLD.kind <> 'CUSTOM' AND OLD.company_id {differs} NEW.company_id)"""

POSTGRESQL = [
    f"DROP TRIGGER {TABLE}_fixed ON {TABLE}",
    f"""
    CREATE TRIGGER {TABLE}_fixed
    BEFORE UPDATE OF kind, company_id ON {TABLE} FOR EACH ROW
    WHEN {FIXED.format(differs="IS DISTINCT FROM")}
    EXECUTE FUNCTION groups_refuse_change()
    """,
]
SQLITE = [
    f"DROP TRIGGER {TABLE}_fixed",
    f"""
    CREATE TRIGGER {TABLE}_fixed
    BEFORE UPDATE OF kind, company_id ON {TABLE} FOR EACH ROW
    WHEN {FIXED.format(differs="IS NOT")}
    BEGIN SELECT RAISE(ABORT, '{TABLE}_fixed'); END
    """,
]


def before(statements, vendor):
    """The trigger as the migration before this one made it."""
    drop = next(iter(statements))
    made = [one for one in getattr(guards, vendor) if f"CREATE TRIGGER {TABLE}_fixed" in one]
    return [drop, *made]


class Migration(migrations.Migration):
    dependencies = [("groups", "0002_guards")]

    operations = [
        migrations.RunPython(
            guards.run({"postgresql": POSTGRESQL, "sqlite": SQLITE}),
            guards.run(
                {
                    "postgresql": before(POSTGRESQL, "POSTGRESQL"),
                    "sqlite": before(SQLITE, "SQLITE"),
                }
            ),
        ),
    ]
