"""Keys by which possible duplicates are found, for what is stored already, too."""

from importlib import import_module
from itertools import batched

import config.fields
from companies.names import address_key, registration_key, sketch
from django.db import migrations, models

BATCH = 1_000


def make_keys(apps, schema_editor):
    company = apps.get_model("companies", "Company")
    location = apps.get_model("companies", "Location")
    for rows in batched(company._base_manager.iterator(chunk_size=BATCH), BATCH):
        for row in rows:
            row.name_sketch = sketch(row.name)
            row.legal_sketch = sketch(row.legal_name)
            row.registration_key = registration_key(row.country, row.registration_id)
        keys = ["name_sketch", "legal_sketch", "registration_key"]
        company._base_manager.bulk_update(rows, keys)
    for rows in batched(location._base_manager.iterator(chunk_size=BATCH), BATCH):
        for row in rows:
            row.address_key = address_key(row.address_line1, row.postcode, row.city)
        location._base_manager.bulk_update(rows, ["address_key"])


def guard_again(apps, schema_editor):
    """SQLite has made the table anew, without its trigger."""
    if schema_editor.connection.vendor == "sqlite":
        guards = import_module("companies.migrations.0003_tree_guards_and_search")
        guards.run({"sqlite": guards.SQLITE})(apps, schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('companies', '0003_tree_guards_and_search'),
    ]

    operations = [
        # Undone last: on the way back, too, the table has been made anew.
        migrations.RunPython(migrations.RunPython.noop, guard_again),
        migrations.RemoveIndex(
            model_name='company',
            name='companies_company_registration',
        ),
        migrations.AddField(
            model_name='company',
            name='legal_sketch',
            field=config.fields.KeyField(db_default='', default='', editable=False, max_length=100),
        ),
        migrations.AddField(
            model_name='company',
            name='name_sketch',
            field=config.fields.KeyField(db_default='', default='', editable=False, max_length=100),
        ),
        migrations.AddField(
            model_name='company',
            name='registration_key',
            field=config.fields.KeyField(db_default='', default='', editable=False, max_length=100),
        ),
        migrations.AddField(
            model_name='location',
            name='address_key',
            field=config.fields.KeyField(db_default='', default='', editable=False, max_length=100),
        ),
        migrations.AddIndex(
            model_name='company',
            index=models.Index(fields=['name_sketch'], name='companies_company_name_sketch'),
        ),
        migrations.AddIndex(
            model_name='company',
            index=models.Index(fields=['legal_sketch'], name='companies_company_legal_sketch'),
        ),
        migrations.AddIndex(
            model_name='company',
            index=models.Index(fields=['registration_key'], name='companies_company_registration'),
        ),
        migrations.AddIndex(
            model_name='company',
            index=models.Index(fields=['duns'], name='companies_company_duns'),
        ),
        migrations.AddIndex(
            model_name='location',
            index=models.Index(fields=['address_key'], name='companies_location_address'),
        ),
        migrations.RunPython(guard_again, migrations.RunPython.noop),
        migrations.RunPython(make_keys, migrations.RunPython.noop),
    ]
