"""Database guards of the tree, and the index that finds parts of words.

A cycle of parents is refused by the database itself, whoever writes (also raw SQL): the
trigger walks up and stops at 1,000 steps. PostgreSQL finds parts of words by trigrams;
SQLite reads all rows, which is right but slower.
"""

from django.db import migrations

TABLE = "companies_company"

POSTGRESQL = [
    f"""
    CREATE FUNCTION companies_refuse_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            WITH RECURSIVE upwards(id, steps) AS (
                SELECT NEW.parent_id, 1
                UNION ALL
                SELECT c.parent_id, upwards.steps + 1
                FROM {TABLE} c JOIN upwards ON c.id = upwards.id
                WHERE c.parent_id IS NOT NULL AND upwards.steps < 1000
                AND upwards.id <> NEW.id
            )
            SELECT 1 FROM upwards WHERE id = NEW.id OR steps >= 1000
        ) THEN
            RAISE EXCEPTION 'company % would be below itself', NEW.id
                USING ERRCODE = 'check_violation',
                CONSTRAINT = 'companies_company_no_cycle', TABLE = '{TABLE}';
        END IF;
        RETURN NEW;
    END $$
    """,
    f"""
    CREATE TRIGGER companies_company_no_cycle
    BEFORE UPDATE OF parent_id ON {TABLE} FOR EACH ROW
    WHEN (NEW.parent_id IS NOT NULL AND NEW.parent_id IS DISTINCT FROM OLD.parent_id)
    EXECUTE FUNCTION companies_refuse_cycle()
    """,
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    f"""
    CREATE INDEX companies_company_search ON {TABLE}
    USING gin (search_text gin_trgm_ops)
    """,
    """
    CREATE INDEX companies_contact_search ON companies_contact
    USING gin (search_text gin_trgm_ops)
    """,
    # Each shift of the tree rewrites rows: vacuum at 2 % instead of 20 % of the table.
    f"""
    ALTER TABLE {TABLE} SET (
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
    )
    """,
]
POSTGRESQL_BACK = [
    f"ALTER TABLE {TABLE} RESET "
    "(autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor)",
    "DROP INDEX companies_contact_search",
    "DROP INDEX companies_company_search",
    f"DROP TRIGGER companies_company_no_cycle ON {TABLE}",
    "DROP FUNCTION companies_refuse_cycle()",
]
SQLITE = [
    f"""
    CREATE TRIGGER companies_company_no_cycle
    BEFORE UPDATE OF parent_id ON {TABLE} FOR EACH ROW
    WHEN NEW.parent_id IS NOT NULL AND NEW.parent_id IS NOT OLD.parent_id
    BEGIN
        SELECT RAISE(ABORT, 'companies_company_no_cycle')
        WHERE EXISTS (
            WITH RECURSIVE upwards(id, steps) AS (
                SELECT NEW.parent_id, 1
                UNION ALL
                SELECT c.parent_id, upwards.steps + 1
                FROM {TABLE} c JOIN upwards ON c.id = upwards.id
                WHERE c.parent_id IS NOT NULL AND upwards.steps < 1000
                AND upwards.id <> NEW.id
            )
            SELECT 1 FROM upwards WHERE id = NEW.id OR steps >= 1000
        );
    END
    """,
]
SQLITE_BACK = ["DROP TRIGGER companies_company_no_cycle"]


def run(statements_by_vendor):
    def work(apps, schema_editor):
        connection = schema_editor.connection
        with connection.cursor() as cursor:
            for statement in statements_by_vendor[connection.vendor]:
                cursor.execute(statement)

    return work


class Migration(migrations.Migration):
    dependencies = [("companies", "0002_initial")]

    operations = [
        migrations.RunPython(
            run({"postgresql": POSTGRESQL, "sqlite": SQLITE}),
            run({"postgresql": POSTGRESQL_BACK, "sqlite": SQLITE_BACK}),
        ),
    ]
