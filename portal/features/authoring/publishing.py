"""Writes into the bank's files what the database says is published or retired.

The row comes first: it says what is due, in the transaction of the request. The file follows once that is committed, in this
process or, when that died, with the next publication, when somebody presses *Try again*, or at the next start.
"""

from __future__ import annotations

import structlog

from portal.database import Database
from portal.errors import Unavailable
from portal.features.authoring import queries
from portal.features.authoring.checking import path_of
from portal.models import AuthoringState
from portal.own_bank import OwnBank
from question_bank.loader import parse

log = structlog.get_logger("portal")


def write_out(database: Database, own: OwnBank) -> int:
    """Write what is due, and return how many files. Raises Unavailable when the folder can't be written."""
    with database.transaction() as session:
        if not queries.due(session):  # nothing to make a folder for
            return 0
    written = 0
    # The rows are read under the lock: whoever comes second writes what is newest then.
    with own.locked(), database.transaction() as session:
        for row in queries.due(session):
            live = queries.revision(session, row.id, row.live_version or 0)
            question = parse(live.text, f"{row.question_id}.md", []) if live else None
            if live is None or question is None or question.id != row.question_id:
                log.error("a question can't be published", question=row.question_id, version=row.live_version)
                continue
            topic = path_of(question).partition("/")[0]
            if row.due == AuthoringState.RETIRED:
                own.retire(row.question_id, topic, live.text)
            else:
                own.publish(row.question_id, topic, live.text)
            row.due = ""
            written += 1
    return written


def try_to_write_out(database: Database, own: OwnBank) -> bool:
    """The same, for after a commit: a failure is logged, stays due, and the pages show it. Whether all went well."""
    try:
        write_out(database, own)
    except Unavailable as error:
        log.error("nothing could be published", detail=error.detail)
        return False
    return True
