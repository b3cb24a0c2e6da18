/**
 * The rows of the outbox in SQLite's write-ahead log, which a kill -9 of this process survives. The log is synced by a thread
 * of libuv, so neither a call nor the relay ever waits for a disk. A disk that refuses is logged, and nothing is half done.
 */
import { closeSync, fdatasync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Logger } from '@tandem/observability/log.ts'

/** Pages of the write-ahead log after which it is folded into the database. */
const CHECKPOINT_PAGES = 4000

/** Who has a record: nobody yet; the stream of ended records; as the correction of another record, that of corrections. */
export const TOLD = { nobody: 0, ended: 1, corrected: 2 } as const
export type Told = (typeof TOLD)[keyof typeof TOLD]

export interface Row {
  readonly leg: string
  readonly seq: number
  readonly body: string
  readonly trace: string | null
  readonly told: Told
}

export class OutboxRows {
  readonly #db: DatabaseSync
  readonly #log: number
  readonly #logger: Logger
  readonly #insert: StatementSync
  readonly #forget: StatementSync
  readonly #note: StatementSync
  readonly #waiting: StatementSync
  readonly #stale: StatementSync
  #written = 0

  /** `folder`: made when it is not there. */
  constructor(folder: string, logger: Logger) {
    this.#logger = logger
    mkdirSync(folder, { recursive: true })
    const file = join(folder, 'outbox.db')
    this.#db = new DatabaseSync(file)
    this.#db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = 0;
      CREATE TABLE IF NOT EXISTS leg (
        leg TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        trace TEXT,
        -- 0 until the stream has it, then ms since 1970
        published INTEGER NOT NULL DEFAULT 0,
        told INTEGER NOT NULL DEFAULT 0
      ) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS leg_published ON leg (published);
    `)
    const columns = this.#db.prepare('PRAGMA table_info(leg)').all() as { name: string }[]
    // made by a version that knew of no corrections
    if (!columns.some((c) => c.name === 'told'))
      this.#db.exec('ALTER TABLE leg ADD COLUMN told INTEGER NOT NULL DEFAULT 0')
    this.#log = openSync(`${file}-wal`, 'r+')
    this.#insert = this.#db.prepare('INSERT OR IGNORE INTO leg (leg, seq, body, trace) VALUES (?, ?, ?, ?)')
    this.#forget = this.#db.prepare('DELETE FROM leg WHERE leg = ?')
    this.#note = this.#db.prepare('UPDATE leg SET published = ?, told = ? WHERE leg = ?')
    this.#waiting = this.#db.prepare('SELECT leg, seq, body, trace, told FROM leg WHERE published = 0 LIMIT ?')
    this.#stale = this.#db.prepare('UPDATE leg SET published = 0 WHERE published > 0 AND published < ?')
    // what an earlier life published but billing did not confirm is told again, once
    this.#db.exec('UPDATE leg SET published = 0')
  }

  count(): number {
    return Number((this.#db.prepare('SELECT count(*) AS n FROM leg').get() as { n: number }).n)
  }

  /** One transaction. False: the disk refuses. */
  insert(rows: readonly Row[]): boolean {
    return this.#transaction(rows.length, () => {
      for (const row of rows) this.#insert.run(row.leg, row.seq, row.body, row.trace)
    })
  }

  /** How many were there; those that could not be taken out are told again, and billing says again that it has them. */
  forget(legs: readonly string[]): number {
    let gone = 0
    const forgotten = this.#transaction(legs.length, () => {
      for (const leg of legs) gone += Number(this.#forget.run(leg).changes)
    })
    return forgotten ? gone : 0
  }

  /** These have been told at `nowMs`. Not noted: they are told once more, and the stream refuses them. */
  note(rows: readonly Pick<Row, 'leg' | 'told'>[], nowMs: number): void {
    this.#transaction(rows.length, () => {
      for (const { leg, told } of rows) this.#note.run(nowMs, told, leg)
    })
  }

  /** Undefined: they cannot be read now. */
  waiting(limit: number): Row[] | undefined {
    let rows: Row[] | undefined
    this.#careful(() => {
      rows = this.#waiting.all(limit) as unknown as Row[]
    })
    return rows
  }

  /** All that was told before `beforeMs` waits to be told again. How many. */
  retell(beforeMs: number): number {
    let changes = 0
    this.#careful(() => {
      changes = Number(this.#stale.run(beforeMs).changes)
    })
    return changes
  }

  legs(): Set<string> {
    const legs = new Set<string>()
    this.#careful(() => {
      for (const { leg } of this.#db.prepare('SELECT leg FROM leg').iterate()) legs.add(leg as string)
    })
    return legs
  }

  /** Off this thread. */
  sync(done: () => void): void {
    fdatasync(this.#log, (error) => {
      if (error) this.#logger.error({ err: error }, 'the outbox cannot be synced')
      done()
    })
  }

  close(): void {
    closeSync(this.#log)
    this.#db.close()
  }

  #transaction(rows: number, work: () => void): boolean {
    const done = this.#careful(() => {
      this.#db.exec('BEGIN')
      work()
      this.#db.exec('COMMIT')
    })
    if (done) this.#written += rows
    if (this.#written >= CHECKPOINT_PAGES) {
      this.#written = 0
      this.#careful(() => this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)'))
    }
    return done
  }

  #careful(work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      this.#logger.error({ err: error }, 'the outbox cannot be used')
      try {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      } catch {
        // what it was in has ended already
      }
      return false
    }
  }
}
