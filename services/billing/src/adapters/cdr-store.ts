import type { Database } from '@tandem/store/database.ts'
import { correctLegs } from './correct-legs.ts'
import { json, type LegToStore, ledgerEntries, legRow, usageRows } from './leg-rows.ts'

export interface DeadLetter {
  subject: string
  streamSequence: number
  why: string
  raw: Uint8Array
}

export interface CdrStore {
  /**
   * Stores legs that are not there yet: inbox, CDR, ledger and bandwidth samples, all or nothing. Gives the ids of those
   * that were new. Rejects when the database is away (`isDatabaseAway`) or refuses a value; then nothing is stored.
   */
  store(legs: readonly LegToStore[]): Promise<Set<string>>
  /**
   * The truth about legs whose record was estimated, all or nothing: the CDR has it from then on, what stood there is kept,
   * its ledger entries are reversed and its bytes taken out of the samples. Gives the ids of those that it changed: twice
   * equals once.
   */
  correct(legs: readonly LegToStore[]): Promise<Set<string>>
  /** Puts messages aside that cannot be taken in. Twice equals once. */
  bury(letters: readonly DeadLetter[]): Promise<void>
}

/**
 * One statement, so one transaction and one round trip. A leg that is in the inbox already yields no row in `fresh`, and
 * everything else is made from `fresh`. Samples are taken in one order: two replicas cannot lock each other out.
 */
const STORE = `
WITH told AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1) AS t (
    "legId" text, "callId" text, seq bigint, "streamSequence" bigint, "startedAt" timestamptz, "endedAt" timestamptz,
    answered boolean, "durationMs" bigint, trunk text, "user" text, "costCentre" text,
    cost numeric, "costCurrency" text, price numeric, "priceCurrency" text, "configRevision" bigint, "traceId" text,
    estimated boolean, record json, "costRating" json, "priceRating" json)
), fresh AS (
  INSERT INTO billing.inbox (leg_id, seq, stream_sequence)
  SELECT "legId", seq, "streamSequence" FROM told
  ON CONFLICT (leg_id) DO NOTHING
  RETURNING leg_id
), new_legs AS (
  INSERT INTO billing.legs
  SELECT "legId", "callId", "startedAt", answered, "durationMs", trunk, "user", "costCentre", cost, "costCurrency",
    price, "priceCurrency", "configRevision", "traceId", record, "costRating", "priceRating", estimated
  FROM told JOIN fresh ON leg_id = "legId"
), new_entries AS (
  INSERT INTO billing.ledger (at, leg_id, kind, account, amount, currency, deck, deck_version)
  SELECT e.at::timestamptz, leg_id, e.kind, e.account, e.amount, e.currency, e.deck, e."deckVersion"
  FROM json_to_recordset($2) AS e ("legId" text, at text, kind text, account text, amount numeric, currency text,
    deck text, "deckVersion" text)
  JOIN fresh ON leg_id = e."legId"
), new_usage AS (
  INSERT INTO billing.usage_samples AS kept (trunk, window_start, bytes_in, bytes_out)
  SELECT u.trunk, to_timestamp(u."window" / 1000.0), sum(u."bytesIn"), sum(u."bytesOut")
  FROM json_to_recordset($3) AS u ("legId" text, trunk text, "window" bigint, "bytesIn" bigint, "bytesOut" bigint)
  JOIN fresh ON leg_id = u."legId"
  GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (trunk, window_start) DO UPDATE SET
    bytes_in = kept.bytes_in + excluded.bytes_in,
    bytes_out = kept.bytes_out + excluded.bytes_out,
    version = kept.version + 1
)
SELECT leg_id FROM fresh`

export function createCdrStore({ pool }: Pick<Database, 'pool'>): CdrStore {
  return {
    store: async (legs) => {
      if (legs.length === 0) return new Set()
      const { rows } = await pool.query<{ leg_id: string }>({
        name: 'store-legs',
        text: STORE,
        values: [json(legs.map(legRow)), json(legs.flatMap(ledgerEntries)), json(legs.flatMap(usageRows))],
      })
      return new Set(rows.map((row) => row.leg_id))
    },
    correct: (legs) => correctLegs(pool, legs),
    bury: async (letters) => {
      await pool.query(
        `INSERT INTO billing.dead_letters (subject, stream_sequence, why, raw)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[]) ON CONFLICT DO NOTHING`,
        [
          letters.map((letter) => withoutNul(letter.subject)),
          letters.map((letter) => letter.streamSequence),
          letters.map((letter) => withoutNul(letter.why)),
          letters.map((letter) => Buffer.from(letter.raw)),
        ],
      )
    },
  }
}

function withoutNul(text: string): string {
  return text.replaceAll('\0', '\uFFFD')
}
