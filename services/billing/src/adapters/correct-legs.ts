/** An estimate gives way to the truth (B5): one transaction, the row locked, so that replicas and repetitions change it once. */
import type { LegRecord } from '@tandem/contracts/call.ts'
import type { Database } from '@tandem/store/database.ts'
import { usageOf } from '../domain/price-leg.ts'
import { json, type LegToStore, ledgerEntries, legRow, usageRows } from './leg-rows.ts'

const ESTIMATED = `
SELECT leg_id, record FROM billing.legs WHERE estimated AND leg_id = ANY($1) ORDER BY leg_id FOR UPDATE`

/** Entries are made at the time of the correction: a period that is closed stays as it was. */
const CORRECT = `
WITH told AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1) AS t (
    "legId" text, "callId" text, "startedAt" timestamptz, answered boolean, "durationMs" bigint, trunk text, "user" text,
    "costCentre" text, cost numeric, "costCurrency" text, price numeric, "priceCurrency" text, "configRevision" bigint,
    "traceId" text, record json, "costRating" json, "priceRating" json)
), kept AS (
  INSERT INTO billing.leg_versions (leg_id, config_revision, record, cost_rating, price_rating)
  SELECT leg_id, config_revision, record, cost_rating, price_rating
  FROM (SELECT l.* FROM billing.legs AS l JOIN told ON leg_id = "legId" WHERE l.estimated) AS before
), changed AS (
  UPDATE billing.legs AS l SET
    call_id = "callId", started_at = "startedAt", answered = told.answered, duration_ms = "durationMs",
    trunk = told.trunk, user_name = "user", cost_centre = "costCentre", cost = told.cost,
    cost_currency = "costCurrency", price = told.price, price_currency = "priceCurrency",
    config_revision = "configRevision", trace_id = coalesce("traceId", trace_id), record = told.record,
    cost_rating = "costRating", price_rating = "priceRating", estimated = false, corrected_at = now()
  FROM told WHERE leg_id = "legId" AND l.estimated
), reversed AS (
  INSERT INTO billing.ledger (at, leg_id, kind, account, amount, currency, deck, deck_version, reverses)
  SELECT now(), g.leg_id, g.kind, g.account, -g.amount, g.currency, g.deck, g.deck_version, g.entry_id
  FROM billing.ledger AS g
  JOIN json_to_recordset($4) AS e ("legId" text, "endedAt" timestamptz) ON g.leg_id = e."legId" AND g.at = e."endedAt"
  WHERE g.reverses IS NULL
), entered AS (
  INSERT INTO billing.ledger (at, leg_id, kind, account, amount, currency, deck, deck_version)
  SELECT now(), "legId", kind, account, amount, currency, deck, "deckVersion"
  FROM json_to_recordset($2) AS e ("legId" text, kind text, account text, amount numeric, currency text, deck text,
    "deckVersion" text)
)
INSERT INTO billing.usage_samples AS kept (trunk, window_start, bytes_in, bytes_out)
SELECT trunk, to_timestamp("window" / 1000.0), sum("bytesIn"), sum("bytesOut")
FROM json_to_recordset($3) AS u (trunk text, "window" bigint, "bytesIn" bigint, "bytesOut" bigint)
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (trunk, window_start) DO UPDATE SET
  bytes_in = kept.bytes_in + excluded.bytes_in,
  bytes_out = kept.bytes_out + excluded.bytes_out,
  version = kept.version + 1`

export async function correctLegs(pool: Database['pool'], legs: readonly LegToStore[]): Promise<Set<string>> {
  const truths = legs.filter((leg) => !leg.record.estimated)
  if (truths.length === 0) return new Set()
  const client = await pool.connect()
  let broken = false
  try {
    await client.query('BEGIN')
    const ids = truths.map((leg) => leg.record.legId)
    const { rows } = await client.query<{ leg_id: string; record: LegRecord }>(ESTIMATED, [ids])
    const before = new Map(rows.map((row) => [row.leg_id, row.record]))
    const changes = truths.filter((leg) => before.has(leg.record.legId))
    if (changes.length > 0) {
      const records = [...before.values()]
      await client.query(CORRECT, [
        json(changes.map(legRow)),
        json(changes.flatMap(ledgerEntries)),
        json([...records.flatMap(taken), ...changes.flatMap(usageRows)]),
        json(records.map(({ legId, endedAt }) => ({ legId, endedAt }))),
      ])
    }
    await client.query('COMMIT')
    return new Set(before.keys())
  } catch (error) {
    // a connection that cannot even take back is given up
    await client.query('ROLLBACK').catch(() => {
      broken = true
    })
    throw error
  } finally {
    client.release(broken)
  }
}

/** The bytes that the estimate had put into the samples of its trunk. */
function taken(record: LegRecord): Record<string, unknown>[] {
  const { party } = record
  if (party.kind !== 'trunk') return []
  return usageOf(record).map(({ bytesIn, bytesOut, ...share }) => ({
    ...share,
    trunk: party.trunk,
    bytesIn: -bytesIn,
    bytesOut: -bytesOut,
  }))
}
