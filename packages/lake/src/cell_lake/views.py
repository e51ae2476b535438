"""The lake's views, as SQL over the tables `events` and `lineage`; the dialect is DuckDB's.

`events_canonical` is what happened; `events_orphaned` is what a cell wrote that was no longer the
home, and nobody took over. docs/lake.md has them for other engines. Refuses to hold an amount in a
floating-point number.
"""

from collections.abc import Mapping
from typing import Final

VIEWS: Final[Mapping[str, str]] = {
    # A record may be exported again once it is known where an epoch began.
    "lineage_latest": """
        SELECT * FROM lineage
        QUALIFY row_number() OVER (PARTITION BY tenant_id, epoch, stripe ORDER BY rev DESC) = 1
    """,
    # (epoch, seq) is canonical if and only if seq is at most the base of every later epoch.
    "events_orphaned": """
        SELECT * FROM events AS e
        WHERE EXISTS (
            SELECT 1 FROM lineage_latest AS l
            WHERE l.tenant_id = e.tenant_id AND l.stripe = e.stripe
              AND l.epoch > e.epoch AND l.base_seq < e.seq
        )
    """,
    "events_canonical": """
        SELECT * FROM events AS e
        WHERE NOT EXISTS (
            SELECT 1 FROM lineage_latest AS l
            WHERE l.tenant_id = e.tenant_id AND l.stripe = e.stripe
              AND l.epoch > e.epoch AND l.base_seq < e.seq
        )
    """,
    # Each seq of a journal has a row, so a number that is missing is an entry that is missing.
    "lake_gaps": """
        SELECT tenant_id, stripe, before + 1 AS first_seq, seq - 1 AS last_seq
        FROM (
            SELECT tenant_id, stripe, seq,
                   lag(seq, 1, 0) OVER (PARTITION BY tenant_id, stripe ORDER BY seq) AS before
            FROM (SELECT DISTINCT tenant_id, stripe, seq FROM events_canonical)
        )
        WHERE seq > before + 1
    """,
    "ledger_balances": """
        WITH moved AS (
            SELECT tenant_id, stream,
                   json_extract_string(data, '$.debit') AS debit,
                   json_extract_string(data, '$.credit') AS credit,
                   CASE type
                       WHEN 'transferred.v1' THEN
                           CAST(json_extract_string(data, '$.amount') AS BIGINT)
                       WHEN 'hold_posted.v1' THEN
                           CAST(json_extract_string(data, '$.posted') AS BIGINT)
                       ELSE 0
                   END AS posted,
                   CASE type
                       WHEN 'held.v1' THEN CAST(json_extract_string(data, '$.amount') AS BIGINT)
                       WHEN 'hold_posted.v1' THEN
                           - CAST(json_extract_string(data, '$.posted') AS BIGINT)
                           - CAST(json_extract_string(data, '$.released') AS BIGINT)
                       WHEN 'hold_voided.v1' THEN
                           - CAST(json_extract_string(data, '$.released') AS BIGINT)
                       ELSE 0
                   END AS pending
            FROM events_canonical
            WHERE domain = 'ledger'
              AND type IN ('transferred.v1', 'held.v1', 'hold_posted.v1', 'hold_voided.v1')
        ),
        sides AS (
            SELECT tenant_id, stream, debit AS account,
                   posted AS debits_posted, 0 AS credits_posted,
                   pending AS debits_pending, 0 AS credits_pending
            FROM moved
            UNION ALL
            SELECT tenant_id, stream, credit, 0, posted, 0, pending FROM moved
            UNION ALL
            SELECT tenant_id, stream, json_extract_string(data, '$.account'), 0, 0, 0, 0
            FROM events_canonical WHERE domain = 'ledger' AND type = 'account_opened.v1'
        )
        SELECT tenant_id, stream, account,
               sum(debits_posted) AS debits_posted, sum(credits_posted) AS credits_posted,
               sum(debits_pending) AS debits_pending, sum(credits_pending) AS credits_pending,
               sum(credits_posted) - sum(debits_posted) AS balance
        FROM sides GROUP BY tenant_id, stream, account
    """,
    # From the last put or delete on, patches are merged one after the other (RFC 7396).
    "records_latest": """
        WITH changed AS (
            SELECT tenant_id, stream, stripe, seq, index, time, type, data,
                   json_extract_string(data, '$.id') AS record
            FROM events_canonical
            WHERE domain = 'records'
              AND type IN ('record_put.v1', 'record_patched.v1', 'record_deleted.v1')
        ),
        since AS (
            SELECT *, max(CASE WHEN type <> 'record_patched.v1' THEN (seq, index) END)
                          OVER (PARTITION BY tenant_id, stream, record) AS began
            FROM changed
        )
        SELECT tenant_id, stream, record, max(seq) AS rev, max(time) AS time,
               list_reduce(
                   list(CAST(CASE type
                       WHEN 'record_put.v1' THEN json_extract(data, '$.value')
                       ELSE json_extract(data, '$.patch')
                   END AS JSON) ORDER BY seq, index),
                   lambda held, patch: json_merge_patch(held, patch)
               ) AS value
        FROM since
        WHERE began IS NULL OR (seq, index) >= began
        GROUP BY tenant_id, stream, record
        HAVING arg_max(type, (seq, index)) <> 'record_deleted.v1'
    """,
}
"""In the order of making them: later ones stand on earlier ones."""
