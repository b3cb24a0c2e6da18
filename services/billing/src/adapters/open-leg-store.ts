/** Legs that are up, by what was told of them last: what the record of a leg is made of when nobody ends it (B5). */
import type { Database } from '@tandem/store/database.ts'
import type { OpenLeg } from '../domain/estimate-leg.ts'
import { json } from './leg-rows.ts'

export interface HeardLeg extends Partial<OpenLeg> {
  readonly legId: string
  readonly seq: number
  /** It may be silent for so long from now, ms. */
  readonly silenceMs: number
}

export interface OpenLegStore {
  /** Legs that are in the inbox already are over, whatever was told of them. */
  heard(legs: readonly HeardLeg[]): Promise<void>
  /** Takes out what has its record. Gives legs that were silent for too long, of those that may be so for `soundMs` at most. */
  silent(soundMs: number, limit: number): Promise<OpenLeg[]>
}

/** Replicas read different facts of one leg at the same time: the newest counts. Times are those of the database alone. */
const HEARD = `
INSERT INTO billing.open_legs AS kept (leg_id, seq, due_at, silence_ms, answered, interim)
SELECT "legId", seq, now() + make_interval(secs => "silenceMs" / 1000.0), "silenceMs", answered, interim
FROM json_to_recordset($1) AS t (
  "legId" text, seq bigint, "silenceMs" bigint, answered json, interim json)
WHERE NOT EXISTS (SELECT FROM billing.inbox WHERE leg_id = "legId")
ORDER BY "legId"
ON CONFLICT (leg_id) DO UPDATE SET
  due_at = greatest(kept.due_at, excluded.due_at),
  silence_ms = CASE WHEN excluded.seq >= kept.seq THEN excluded.silence_ms ELSE kept.silence_ms END,
  answered = coalesce(excluded.answered, kept.answered),
  interim = CASE WHEN excluded.interim IS NOT NULL AND excluded.seq >= kept.seq THEN excluded.interim
    ELSE coalesce(kept.interim, excluded.interim) END,
  seq = greatest(kept.seq, excluded.seq)`

export function createOpenLegStore({ pool }: Pick<Database, 'pool'>): OpenLegStore {
  return {
    heard: async (legs) => {
      if (legs.length > 0) await pool.query({ name: 'open-legs', text: HEARD, values: [json(legs)] })
    },
    silent: async (soundMs, limit) => {
      // the stream of records keeps a week: what is older has its record, or will never have one
      await pool.query(
        `DELETE FROM billing.open_legs AS o WHERE due_at < now() - interval '8 days'
           OR EXISTS (SELECT FROM billing.inbox AS i WHERE i.leg_id = o.leg_id)`,
      )
      const { rows } = await pool.query<{ answered: OpenLeg['answered'] | null; interim: OpenLeg['interim'] | null }>(
        `SELECT answered, interim FROM billing.open_legs
         WHERE due_at < now() AND silence_ms <= $1 ORDER BY due_at LIMIT $2`,
        [Math.floor(soundMs), limit],
      )
      return rows.map((row) => ({ answered: row.answered ?? undefined, interim: row.interim ?? undefined }))
    },
  }
}
