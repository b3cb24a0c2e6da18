import type { Database } from '@tandem/store/database.ts'
import type { Tariffs } from '../domain/tariffs.ts'

/** PostgreSQL takes no NUL in a text. */
export const storable = (csv: string): string => csv.replaceAll('\0', '')

/** Keeps every deck version that was ever in force, with its text (by its name, `storable`, or that as UTF-8) and terms (B16). */
export async function keepDecks(
  { pool }: Pick<Database, 'pool'>,
  tariffs: Tariffs,
  texts: ReadonlyMap<string, string | Uint8Array>,
): Promise<void> {
  for (const [name, tariff] of tariffs.tariffs) {
    const [version, currency] =
      tariff.kind === 'per-minute' ? [tariff.deck.version, tariff.deck.currency] : [tariff.version, tariff.currency]
    const { rowCount } = await pool.query('SELECT 1 FROM billing.deck_versions WHERE deck = $1 AND version = $2', [
      name,
      version,
    ])
    if (rowCount !== 0) continue
    const terms = JSON.stringify(tariff.terms, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    await pool.query(
      `INSERT INTO billing.deck_versions (deck, version, kind, currency, terms, csv) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT DO NOTHING`,
      [name, version, tariff.kind, currency, terms, texts.get(name) ?? null],
    )
  }
}
