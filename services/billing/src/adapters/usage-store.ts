import type { UsageSample } from '@tandem/contracts/billing.ts'
import { meanKbits, WINDOW_MS } from '@tandem/rating/bandwidth.ts'
import type { Database } from '@tandem/store/database.ts'

/** A sample and the version of it that is in the database. */
export interface StoredSample {
  sample: UsageSample
  version: number
}

export interface UsageStore {
  /** Samples that began in [from, to); those that are still open at `now` are left out unless `partial`. */
  read(range: { from?: string; to?: string; now: number; partial: boolean }): Promise<UsageSample[]>
  /** Closed samples whose present version was not told yet. A long call changes old samples when it ends. */
  untold(now: number, limit: number): Promise<StoredSample[]>
  markTold(samples: readonly StoredSample[]): Promise<void>
}

interface Row {
  trunk: string
  start: string
  bytes_in: string
  bytes_out: string
  version: string
}

/** Time for the records of calls that ended at the very end of a window to come in. */
const SETTLE_MS = 15_000
const MAX_SAMPLES = 10_000

const COLUMNS = `trunk, (extract(epoch FROM window_start) * 1000)::bigint AS start, bytes_in, bytes_out, version`

export function createUsageStore({ pool }: Pick<Database, 'pool'>): UsageStore {
  return {
    read: async ({ from, to, now, partial }) => {
      const { rows } = await pool.query<Row>(
        `SELECT ${COLUMNS} FROM billing.usage_samples
         WHERE ($1::timestamptz IS NULL OR window_start > $1::timestamptz - interval '5 minutes')
           AND ($2::timestamptz IS NULL OR window_start < $2::timestamptz)
           AND ($3 OR window_start <= to_timestamp($4 / 1000.0))
         ORDER BY window_start DESC, trunk LIMIT ${MAX_SAMPLES}`,
        [from ?? null, to ?? null, partial, now - WINDOW_MS],
      )
      return rows.map((row) => sampleOf(row, now)).reverse()
    },
    untold: async (now, limit) => {
      const { rows } = await pool.query<Row>(
        `SELECT ${COLUMNS} FROM billing.usage_samples
         WHERE told_version < version AND window_start <= to_timestamp($1 / 1000.0)
         ORDER BY window_start LIMIT $2`,
        [now - WINDOW_MS - SETTLE_MS, limit],
      )
      return rows.map((row) => ({ sample: sampleOf(row, now), version: Number(row.version) }))
    },
    markTold: async (samples) => {
      await pool.query(
        `UPDATE billing.usage_samples AS kept SET told_version = told.version
         FROM unnest($1::text[], $2::timestamptz[], $3::bigint[]) AS told (trunk, window_start, version)
         WHERE kept.trunk = told.trunk AND kept.window_start = told.window_start AND kept.told_version < told.version`,
        [samples.map((s) => s.sample.trunk), samples.map((s) => s.sample.from), samples.map((s) => s.version)],
      )
    },
  }
}

function sampleOf(row: Row, now: number): UsageSample {
  const start = Number(row.start)
  const end = start + WINDOW_MS
  const partial = end > now
  const [bytesIn, bytesOut] = [Number(row.bytes_in), Number(row.bytes_out)]
  // An open window is averaged over the part that has gone by, at least a second of it.
  const length = partial ? Math.max(1000, now - start) : WINDOW_MS
  return {
    trunk: row.trunk,
    from: new Date(start).toISOString(),
    to: new Date(partial ? Math.max(now, start + 1000) : end).toISOString(),
    bytesIn,
    bytesOut,
    kbits: Math.round(meanKbits({ bytesIn, bytesOut }, length) * 1000) / 1000,
    partial,
  }
}
