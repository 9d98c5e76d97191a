"""The index that finds parts of what a place is called, and of where it is.

Of upper case, as the search asks for. SQLite reads all rows, which is right but slower.
"""

from django.db import migrations

MAKE = """
CREATE INDEX companies_location_search ON companies_location USING gin (
    upper(name) gin_trgm_ops, upper(code) gin_trgm_ops,
    upper(city) gin_trgm_ops, upper(postcode) gin_trgm_ops
)
"""


def on_postgresql(statement):
    def work(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(statement)

    return work


class Migration(migrations.Migration):
    dependencies = [("companies", "0009_key_accounts")]

    operations = [
        migrations.RunPython(
            on_postgresql(MAKE), on_postgresql("DROP INDEX companies_location_search")
        ),
    ]
