import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { Database } from '../src/database.ts'
import { migrate, runStatements, withAdvisoryLock } from '../src/migrate.ts'

/** What must hold for an embedded and for a given PostgreSQL alike. */
export function testAnyBackend(database: () => Database): void {
  test('migrations run once, in order, even when several processes start together', async () => {
    const steps = [
      { name: '0001-legs', up: (db: never) => runStatements(db, 'CREATE TABLE demo.legs (id text PRIMARY KEY)') },
      { name: '0002-cost', up: (db: never) => runStatements(db, 'ALTER TABLE demo.legs ADD cost numeric(30, 10)') },
    ]
    const db = database().kysely<Record<string, never>>()
    const applied = await Promise.all([1, 2, 3].map(() => migrate(db, 'demo', steps)))
    assert.deepEqual(applied.flat().sort(), ['0001-legs', '0002-cost'])
    assert.deepEqual(await migrate(db, 'demo', steps), [])
    await assert.rejects(migrate(db, 'demo', steps.slice(0, 1)), /0002-cost/)
  })

  test('money goes into NUMERIC and comes back as the same text', async () => {
    const amount = '12345678901234567.0000000001'
    const { rows } = await sql<{ n: string }>`SELECT ${amount}::numeric(30, 10) AS n`.execute(database().kysely())
    assert.equal(rows[0]?.n, amount)
  })

  test('an advisory lock lets one in at a time', async () => {
    let inside = 0
    let most = 0
    await Promise.all(
      [1, 2, 3, 4].map(() =>
        withAdvisoryLock(database().pool, 'close-windows', async () => {
          inside += 1
          most = Math.max(most, inside)
          await database().pool.query('SELECT pg_sleep(0.02)')
          inside -= 1
        }),
      ),
    )
    assert.equal(most, 1)
  })
}
