import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import type pg from 'pg'

/** One step forward. There is no way back: a mistake is mended by the next step. */
export interface Migration {
  /** Sorts in the order of application: `0001-legs`. Never changed once released. */
  name: string
  // biome-ignore lint/suspicious/noExplicitAny: a migration runs before and after any shape of the tables
  up(db: Kysely<any>): Promise<void>
}

/**
 * Brings a schema up to date and gives the names that were applied now. Several processes may call it at once: one does
 * the work under a lock, the others wait. Throws when the database knows a migration that this program does not.
 */
export async function migrate<Tables>(
  db: Kysely<Tables>,
  schema: string,
  migrations: readonly Migration[],
): Promise<string[]> {
  const names = migrations.map((migration) => migration.name)
  if (names.some((name, i) => i > 0 && name <= (names[i - 1] as string))) throw new Error('migrations are not in order')
  const migrator = new Migrator({
    db,
    migrationTableSchema: schema,
    provider: {
      getMigrations: async () => Object.fromEntries(migrations.map(({ name, up }) => [name, { up }])),
    },
  })
  const { error, results } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
  return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName)
}

/** Runs SQL statements written as one text. */
// biome-ignore lint/suspicious/noExplicitAny: see Migration
export async function runStatements(db: Kysely<any>, statements: string): Promise<void> {
  await sql.raw(statements).execute(db)
}

/** Runs `work` while holding a lock of this name in the database; waits for whoever holds it. */
export async function withAdvisoryLock<T>(pool: pg.Pool, name: string, work: () => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [name])
    return await work()
  } finally {
    await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]).catch((error: Error) => {
      broken = error
    })
    client.release(broken)
  }
}
