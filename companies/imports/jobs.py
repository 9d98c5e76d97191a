"""Stored imports: received, planned, applied, cancelled, and begun again after a crash.

Small ones are worked on at once, by the call that asks for it; others wait for
`run_worker`. Whoever works on one has claimed it, and tells each second that it is
still there; a claim that was silent for minutes is dead.
"""

import logging
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from companies.models import Import, ImportPart, StaffSight
from config.actors import Actor
from config.db import is_busy
from config.errors import DomainError, Forbidden
from config.tables import Caps, Fault, FileRefused, open_table
from config.tables.caps import MIB
from config.tables.faults import printable, shortened
from integrations.models import ApiClient

from .applying import ImportRefused
from .kinds import Caller, Kind, kind_of
from .plans import Plan
from .progress import Progress, Stopped
from .records import FileToRead, normal
from .running import PlanOutdated, apply_import, plan_import
from .watching import Watched

SILENT = timedelta(minutes=5)
MOST_ATTEMPTS = 3
MOST_FAULTS = 1_000
PACKED = (b"PK", b"\x1f\x8b")  # these become larger when they are read
SCOPE = "imports:write"
State = Import.State
logger = logging.getLogger(__name__)


class WrongState(DomainError):
    """Somebody else was faster, or it is too late; `details` has the state."""

    code = "wrong_state"
    default_message = gettext_lazy("The import is in a state that does not allow it.")


def receive_import(
    kind: Kind,
    chunks: Iterable[bytes],
    *,
    name: str,
    client: ApiClient | None = None,
    staff: User | None = None,
    may_move: bool = False,
    wait: bool = False,
    **options: Any,
) -> Import:
    """Store a file that is to be imported by a client or by staff.

    `wait`: until somebody has looked at its columns. `options` are fields of Import:
    mapping, encoding, partial, confirmed, apply_at_once. Raises FileRefused.
    """
    name = printable(Path(name.replace("\\", "/")).name)[:255] or "file"
    job = Import(
        kind=kind.name,
        file_name=name,
        size=0,
        client=client,
        staff=staff,
        may_move=may_move,
        personal=kind.personal,
        state=State.UPLOADED if wait else State.PLANNING,
        **options,
    )
    with transaction.atomic():
        job.save()
        job.write_file(_sized(chunks, job))
        job.save(update_fields=["size"])
    if wait:
        _read_header(job)
    return job


def _sized(chunks: Iterable[bytes], job: Import) -> Iterator[bytes]:
    most = settings.IMPORT_MAX_BYTES
    for chunk in chunks:
        job.size += len(chunk)
        if job.size > most:
            message = _("The file is larger than %s MiB.") % (most // MIB)
            raise FileRefused(Fault(job.file_name, "file_too_large", message))
        for start in range(0, len(chunk), MIB):
            yield chunk[start : start + MIB]


def _read_header(job: Import) -> None:
    """What staff choose columns for; a file that is refused says so at once."""
    kind = kind_of(job.kind)
    try:
        with (
            stored_file(job) as path,
            open_table(
                path,
                name=job.file_name,
                caps=Caps.from_settings(),
                sheets=(kind.name, str(kind.label)),
            ) as table,
        ):
            job.header = [printable(header) for header in table.header]
        job.save(update_fields=["header"])
    except FileRefused as error:
        _end(job, State.REFUSED, error.faults)


@contextmanager
def stored_file(job: Import) -> Iterator[Path]:
    """The file, on disk as long as it is read."""
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder, "file")
        with path.open("wb") as file:
            for chunk in job.read_file():
                file.write(chunk)
        yield path


def is_small(job: Import) -> bool:
    """Whether the call that asks for it may do the work."""
    most = settings.IMPORT_AT_ONCE_BYTES
    start = next(iter(job.read_file()), b"")[:2]
    return job.size <= (most // 8 if start in PACKED else most)


# --- what people and clients ask for


def plan_again(job: Import, mapping: Mapping[str, str] | None = None) -> None:
    """Plan it (anew), perhaps with other columns. Raises WrongState."""
    values: dict[str, Any] = {} if mapping is None else {"mapping": dict(mapping)}
    _go(job, Import.CAN_PLAN, State.PLANNING, **values)


def keep_mapping(job: Import, mapping: Mapping[str, str]) -> None:
    """Note the columns that staff have chosen; the next plan is made with them."""
    rows = Import.objects.filter(pk=job.pk, state__in=Import.CAN_PLAN)
    if not rows.update(mapping=dict(mapping), updated_at=timezone.now()):
        raise WrongState(state=job.state)


def columns_of(job: Import, kind: Kind) -> list[tuple[str, str]]:
    """Each header of the file with the column for it, chosen or of the same name."""
    known = {column.name for column in kind.columns}
    found = []
    for header in job.header:
        column = (job.mapping or {}).get(header)
        if column is None:
            column = normal(header) if normal(header) in known else ""
        found.append((header, column))
    return found


def apply_planned(job: Import, *, partial: bool = False, confirm: bool = False) -> None:
    """Apply what was planned. Raises WrongState."""
    _go(job, [State.PLANNED], State.APPLYING, partial=partial, confirmed=confirm)


def cancel_import(job: Import) -> None:
    """End it; one that is being worked on stops within a second, with nothing stored.

    Raises WrongState if it was applied or cancelled before.
    """
    rows = Import.objects.filter(pk=job.pk)
    running = rows.filter(state__in=Import.BUSY).exclude(claim="")
    if not running.update(cancel_requested=True):
        over = (State.APPLIED, State.CANCELLED)
        allowed = [state for state in State if state not in over]
        _go(job, allowed, State.CANCELLED, finished_at=timezone.now())
        _drop_file(job)
    job.refresh_from_db()


def _go(job: Import, states: Iterable[str], to: str, **values: Any) -> None:
    fresh = {"claim": "", "attempts": 0, "cancel_requested": False, "step": ""}
    rows = Import.objects.filter(pk=job.pk, state__in=states)
    if not rows.update(state=to, updated_at=timezone.now(), **fresh | values):
        job.refresh_from_db()
        raise WrongState(state=job.state)
    job.refresh_from_db()


# --- the work


def run_waiting_imports() -> int:
    """Plan or apply what waits, or what a crash has interrupted; how many were done."""
    forget_old()
    count = 0
    for pk in Import.objects.waiting().order_by("pk").values_list("pk", flat=True):
        count += work_on(pk)
    return count


def work_on(pk: int) -> bool:
    """Plan or apply the import, unless somebody else does. True if it was done here."""
    job = _claim(pk)
    if job is None:
        return False
    caps = Caps.from_settings()
    with closing(Watched(job, caps.seconds)) as progress:
        try:
            _work(job, caps, progress)
        except (FileRefused, ImportRefused) as error:
            _end(job, State.REFUSED, error.faults)
        except PlanOutdated as error:
            _end(job, State.OUTDATED, [_fault(job, error.code, error.message)])
        except Stopped as error:
            cancelled = error.code == "cancelled"
            state = State.CANCELLED if cancelled else State.FAILED
            _end(job, state, [_fault(job, error.code, str(error))])
        except DomainError as error:
            _end(job, State.REFUSED, [_fault(job, error.code, error.message)])
        except DatabaseError as error:
            if not is_busy(error):
                raise
            _give_back(job)
        except Exception:
            # A mistake of ours: this import is put aside, and others go on.
            logger.exception("Import %s failed.", job.pk)
            message = _("Something went wrong on our side. It has been logged.")
            _end(job, State.FAILED, [_fault(job, "server_error", message)])
    if job.apply_at_once and job.state == State.APPLYING:
        return work_on(pk)
    return True


def _claim(pk: int) -> Import | None:
    now = timezone.now()
    free = Q(claim="") | Q(beat_at__lt=now - SILENT)
    rows = Import.objects.waiting().filter(free, pk=pk)
    claim = uuid.uuid4().hex
    claimed = rows.update(claim=claim, beat_at=now, attempts=F("attempts") + 1)
    return Import.objects.get(pk=pk) if claimed else None


def _give_back(job: Import) -> None:
    """The database was busy: try again, but not for ever."""
    if job.attempts >= MOST_ATTEMPTS:
        message = _("The database is busy. Try again later.")
        _end(job, State.FAILED, [_fault(job, "busy", message)])
    else:
        Import.objects.filter(pk=job.pk, claim=job.claim).update(claim="")


def _work(job: Import, caps: Caps, progress: Progress) -> None:
    if job.attempts > MOST_ATTEMPTS:
        raise Stopped("interrupted", _("The import was interrupted several times."))
    kind, caller = kind_of(job.kind), caller_of(job, caps)
    with stored_file(job) as path:
        file = FileToRead(path, job.file_name, job.mapping, job.encoding)
        if job.state == State.PLANNING:
            _keep_plan(job, plan_import(kind, [file], caller, progress))
            return
        apply_import(
            kind,
            [file],
            caller,
            progress,
            planned=job.fingerprint,
            partial=job.partial,
            finish=lambda plan: _finish(job, plan),
        )


def _keep_plan(job: Import, plan: Plan) -> None:
    good = job.partial or not plan.refused
    applies = job.apply_at_once and good
    with transaction.atomic():
        job.keep_results(outcome.as_json() for outcome in plan.outcomes)
        job.totals, job.sources = plan.totals, [_source(one) for one in plan.sources]
        job.fingerprint = plan.fingerprint()
        state = State.PLANNED
        if applies:
            state = State.APPLYING
        elif job.apply_at_once:
            state = State.REFUSED
        _end(job, state, plan.faults if state == State.REFUSED else ())


def _source(source: Any) -> dict[str, Any]:
    layout = source.layout
    return {
        "format": layout.format,
        "encoding": layout.encoding,
        "delimiter": layout.delimiter,
        "sheet": layout.sheet,
        "other_sheets": list(layout.other_sheets),
        "columns": dict(source.columns),
        "left_out": list(source.left_out),
    }


def _finish(job: Import, plan: Plan) -> None:
    """In the transaction of what was applied: both are stored, or neither is."""
    job.totals = plan.totals
    if not _end(job, State.APPLIED):
        raise Stopped("interrupted", _("Somebody else has taken the import over."))
    _drop_file(job)


def _end(job: Import, state: str, faults: Any = ()) -> int:
    """The state after our work, if the import is still ours to speak for."""
    found = list(faults)
    job.faults = [_told(fault) for fault in found[:MOST_FAULTS]]
    job.fault_count = len(found)
    mine = Import.objects.filter(pk=job.pk, claim=job.claim)
    changed = mine.update(
        state=state,
        claim="",
        attempts=0,
        step="",
        faults=job.faults,
        fault_count=job.fault_count,
        totals=job.totals,
        sources=job.sources,
        fingerprint=job.fingerprint,
        updated_at=timezone.now(),
        finished_at=None if state in Import.BUSY else timezone.now(),
    )
    if changed:
        job.state = state  # the claim stays in hand: nothing can be ended twice
        if state == State.CANCELLED:
            _drop_file(job)
    return changed


def _fault(job: Import, code: str, message: Any) -> Fault:
    return Fault(job.file_name, code, message)


def _told(fault: Fault) -> dict[str, Any]:
    return {
        "code": fault.code,
        "message": shortened(fault.message),
        "record": fault.record,
        "column": fault.column,
    }


# --- for whom


def caller_of(job: Import, caps: Caps) -> Caller:
    """Whoever sent the file, with the rights of now. Raises Forbidden."""
    kind = kind_of(job.kind)
    scope, permission = kind.moving or ("", "")
    if job.client_id is not None:
        sight, client = None, ApiClient.objects.filter(pk=job.client_id).first()
        usable = client is not None and client.in_force
        allowed = set(client.allowed_scopes.split()) if usable else set()
        if not {SCOPE, kind.scope} <= allowed:
            raise Forbidden(scope=kind.scope)
        actor, may_move = Actor.client(client.pk), scope in allowed
    else:
        staff = User.objects.filter(pk=job.staff_id, is_active=True).first()
        if staff is None or not may_import(staff, kind):
            raise Forbidden
        client, sight = None, StaffSight(staff)
        actor, may_move = Actor.staff(staff.pk), staff.has_perm(permission)
    return Caller(
        actor=actor,
        client=client,
        staff=sight,
        may_move=bool(may_move and job.may_move),
        confirm=job.confirmed,
        caps=caps,
    )


def may_import(staff: User, kind: Kind) -> bool:
    return staff.is_staff and staff.has_perms(
        ("companies.add_import", *kind.permissions)
    )


# --- what is forgotten


def _drop_file(job: Import) -> None:
    job.parts.filter(content_of=ImportPart.Of.FILE).delete()


def forget_old() -> None:
    """Files and results of imports that nobody has touched for weeks."""
    old = timezone.now() - timedelta(days=settings.IMPORT_KEEP_DAYS)
    ImportPart.objects.filter(owner__updated_at__lt=old).delete()
