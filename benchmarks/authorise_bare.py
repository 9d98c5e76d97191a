"""The limit of benchmarks/authorise.py: the locks and writes of a submit, and no more.

One transaction through psycopg with prepared statements; no check, no decision.
"""

import json
from decimal import Decimal
from typing import Any

LOCK = "SELECT pg_advisory_xact_lock_shared(%s)"
REQUESTER = "SELECT id FROM companies_contact WHERE id = %s FOR NO KEY UPDATE"
REQUEST = """
    INSERT INTO approvals_purchaserequest (version, created_at, updated_at, company_id,
        requester_id, kind, reference, amount, currency, items, note, status, revision,
        round, snapshot, snapshot_hash, expires_at, submitted_at, decided_at,
        order_number, refunded_amount)
    VALUES (1, now(), now(), %s, %s, 'CART', %s, 0.01, 'EUR', '[]', '', 'APPROVED', 1,
        1, %s, %s, now() + interval '30 days', now(), now(), '', 0)
    RETURNING id
"""
RESERVE = """
    INSERT INTO approvals_limitcounter
        (limit_id, period, period_start, reserved, used, ceiling, alerted)
    VALUES (%s, 'MONTH', date_trunc('month', now())::date, 0.01, 0, 1e9, 0)
    ON CONFLICT (limit_id, period, period_start) DO UPDATE
    SET reserved = approvals_limitcounter.reserved + excluded.reserved
    WHERE approvals_limitcounter.reserved + approvals_limitcounter.used
        + excluded.reserved <= excluded.ceiling
    RETURNING reserved, used
"""
ENTRY = """
    INSERT INTO approvals_ledgerentry (limit_id, period, period_start, kind, request_id,
        revision, company_id, amount, currency, reserved_before, used_before, cap,
        on_exceed, actor, reason, call_id, at)
    VALUES (%s, 'MONTH', date_trunc('month', now())::date, 'RESERVE', %s, 1, %s, 0.01,
        'EUR', %s, %s, 1e9, 'APPROVE', 'client:1', '', '', now())
"""
HISTORY = """
    INSERT INTO approvals_requesthistory
        (request_id, change, status, version, actor, amount, comment, call_id, at)
    VALUES (%s, 'SUBMITTED', 'APPROVED', 1, 'client:1', 0.01, '', '', now())
"""
EVENT = """
    WITH counted AS (
        INSERT INTO integrations_eventcounter (stream, last) VALUES (%s, 1)
        ON CONFLICT (stream) DO UPDATE SET last = integrations_eventcounter.last + 1
        RETURNING stream, last
    )
    INSERT INTO integrations_event (stream, number, type, subject_id, occurred_at)
    SELECT stream, last, 'purchase_request.approved', %s, now() FROM counted
"""
AMOUNT = Decimal("0.01")
LOCK_NAMESPACE = 0x6B7A
# As long as the snapshot of a small purchase.
SNAPSHOT = json.dumps({"decision": "x" * 2000})
HASH = "0" * 64


def submit(connection: Any, place: Any, reference: str) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(LOCK, [LOCK_NAMESPACE << 48 | place.head])
        cursor.execute(REQUESTER, [place.buyer])
        asked = [place.company, place.buyer, reference, SNAPSHOT, HASH]
        (request,) = cursor.execute(REQUEST, asked).fetchone()
        reserved, used = cursor.execute(RESERVE, [place.limit]).fetchone()
        before = [reserved - AMOUNT, used]
        cursor.execute(ENTRY, [place.limit, request, place.company, *before])
        cursor.execute(HISTORY, [request])
        cursor.execute(EVENT, [place.company, request])
