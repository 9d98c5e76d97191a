"""`Idempotency-Key`: a POST that is sent again has no second effect.

After the IETF draft "The Idempotency-Key HTTP Header Field". The key, the effect and
the answer commit together; a refusal leaves nothing, so the same key may be tried
again. A twin that comes meanwhile waits for the first, and gets its answer.
"""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.http import Http404
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.etags import etag
from config.api.renderers import encode_json
from config.errors import DomainError
from integrations.models import IdempotencyRecord
from integrations.models.idempotency import KEPT

KEY = re.compile(r"[!-+\--~]{1,255}", re.ASCII)  # no comma: two headers become "a, b"
TABLE = IdempotencyRecord._meta.db_table
# One statement: a twin waits in it until the first has committed or given up.
CLAIM = (
    f"INSERT INTO {TABLE} (client_id, key, fingerprint, status, created_at) "  # noqa: S608
    "VALUES (%s, %s, %s, 0, %s) ON CONFLICT (client_id, key) DO UPDATE "
    "SET fingerprint = excluded.fingerprint, created_at = excluded.created_at, "
    "status = 0, answer = NULL, version = NULL, subject_id = NULL "
    f"WHERE {TABLE}.created_at < %s"
)


class KeyRequired(exceptions.APIException):
    status_code = 400
    default_code = "idempotency_key_required"
    default_detail = "Send an Idempotency-Key: a new one for each purchase or decision."


class KeyInvalid(exceptions.APIException):
    status_code = 400
    default_code = "idempotency_key_invalid"
    default_detail = "Idempotency-Key: 1 to 255 visible ASCII characters, no comma."


class KeyReused(exceptions.APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was sent before, with something else."


class AnswerForgotten(DomainError):
    """It was done, but the answer named somebody who has been erased since."""

    code = "answer_forgotten"
    default_message = "It was done before; the answer has been erased."


def once(view: Any, handler: Callable[..., Any]) -> Callable[..., Any]:
    """`handler`, with at most one effect for each key of the client."""

    def run(request: Request, *args: Any, **kwargs: Any) -> Any:
        key = None if view.action in view.without_effect else _key_of(request)
        if key is None:
            if view.action in view.key_required_for:
                raise KeyRequired
            return view.afterwards(handler(request, *args, **kwargs))
        fingerprint = fingerprint_of(request)
        mine = {"client": view.client.pk, "key": key}
        with transaction.atomic():
            if _claim(fingerprint, **mine):
                response = handler(request, *args, **kwargs)
                _keep(response, view, **mine)
            else:
                response = _again(view, fingerprint, **mine)
        return view.afterwards(response)

    return run


def fingerprint_of(request: Request) -> str:
    """Of what is asked for: path, query and body; not of who asks, or when."""
    digest = hashlib.sha256(request.get_full_path().encode())
    if request.content_type.startswith("multipart/"):
        for name, values in sorted(request.data.lists()):  # boundaries differ each time
            for value in values:
                digest.update(f"\n{name}\n".encode("utf-8", "backslashreplace"))
                if hasattr(value, "chunks"):
                    digest.update(json.dumps([value.name, value.size]).encode())
                    for chunk in value.chunks():
                        digest.update(chunk)
                else:
                    digest.update(value.encode("utf-8", "backslashreplace"))
    else:
        digest.update(b"\n" + request._request.body)
    return digest.hexdigest()


def _key_of(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and KEY.fullmatch(key) is None:
        raise KeyInvalid
    return key


def _claim(fingerprint: str, *, client: int, key: str) -> bool:
    """Whether the key is ours: new, or so old that it was forgotten."""
    now = timezone.now()
    new, old = map(connection.ops.adapt_datetimefield_value, (now, now - KEPT))
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [client, key, fingerprint, new, old])
        return cursor.rowcount == 1


def _keep(response: Response, view: Any, *, client: int, key: str) -> None:
    data = response.data
    subject = view.kwargs.get("pk")
    if subject is None and isinstance(data, dict):
        subject = data.get("id")
    tag = view.headers.get("ETag")
    IdempotencyRecord.objects.filter(client=client, key=key).update(
        status=response.status_code,
        answer="" if data is None else encode_json(data),
        version=tag and int(tag.strip('"')),
        subject_id=subject,
    )


def _again(view: Any, fingerprint: str, *, client: int, key: str) -> Response:
    """The first answer, if the client may still see what it is about."""
    record = IdempotencyRecord.objects.get(client=client, key=key)
    if record.fingerprint != fingerprint:
        raise KeyReused
    if record.subject_id is not None:
        rows = view.get_queryset().order_by()
        if not rows.filter(pk=record.subject_id).exists():
            raise Http404
    if record.answer is None:
        raise AnswerForgotten
    view.headers["Idempotent-Replayed"] = "true"
    if record.version is not None:
        view.headers["ETag"] = etag(record.version)
    data = json.loads(record.answer) if record.answer else None
    return Response(data, record.status)
