from django.db import migrations


def unlogged(kind):
    def change(apps, schema_editor):
        # SQLite has no such tables.
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"ALTER TABLE integrations_callcount SET {kind}")

    return change


class Migration(migrations.Migration):
    dependencies = [("integrations", "0004_api_client_access")]

    operations = [
        # Counting calls then waits for no disk; a crash empties the table.
        migrations.RunPython(unlogged("UNLOGGED"), unlogged("LOGGED")),
    ]
