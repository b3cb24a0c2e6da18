/**
 * Final records of legs on their way to billing (billing.md B2). A PubAck of JetStream is no durability, so a row stays
 * here until billing says `billing.v1.stored`.
 *
 *   put -> row (same turn of the event loop) -> fsync (within 20 ms, off this thread) -> published -> stored: forgotten
 *                                                      ^ again while the bus is away  `-- not stored for a while: again
 *
 * Rows of one turn are one transaction in SQLite's write-ahead log, which a kill -9 of this process survives; the log is
 * synced by a thread of libuv, so neither a call nor the relay ever waits for a disk. The stream refuses a second record of
 * a leg, and that counts as there.
 */
import { closeSync, fdatasync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Bus } from '@tandem/bus/bus.ts'
import { BillingStored } from '@tandem/contracts/billing.ts'
import { CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { RecordBox } from '../domain/call-parts.ts'

/** Time from a row to its fsync, ms. */
const SYNC_MS = 15
/** Records under way to the stream at once. */
const IN_FLIGHT = 256
/** Rows read back at once. */
const BATCH = 512
/** Published, but billing has not said that it has it: told again after this, ms. */
const AGAIN_MS = 60_000
/** Rows that the disk refuses are tried again after this, ms. */
const UNWRITABLE_MS = 1000
/** What billing has said is kept in its stream this long; it is read again for so long, and not sooner again than, ms. */
const STORED_KEPT_MS = 86_400_000
const LISTEN_MS = 30_000
const LISTEN_AGAIN_MS = 600_000
const BACK_OFF_MS = [100, 250, 500, 1000, 2000] as const
/** Pages of the write-ahead log after which it is folded into the database. */
const CHECKPOINT_PAGES = 4000

export interface Outbox extends RecordBox {
  put(record: LegRecord, traceparent: string | undefined): void
  /** Legs that billing has not confirmed. */
  size(): number
  /** Resolves when all that was put is on the disk and, if the bus is there, published. Waits 2 s at most. */
  close(): Promise<void>
}

export interface OutboxParts {
  /** `<TANDEM_DATA>/edge`; made when it is not there. */
  readonly folder: string
  readonly bus: Pick<Bus, 'recordText' | 'hear' | 'replay' | 'connected'>
  readonly log: Logger
  /** For tests: instead of a minute, ms. */
  readonly againMs?: number
}

interface Row {
  readonly leg: string
  readonly seq: number
  readonly body: string
  readonly trace: string | null
}

export function openOutbox(parts: OutboxParts): Outbox {
  return new SqliteOutbox(parts)
}

class SqliteOutbox implements Outbox {
  readonly #parts: OutboxParts
  readonly #db: DatabaseSync
  readonly #log: number
  readonly #insert: StatementSync
  readonly #forget: StatementSync
  readonly #published: StatementSync
  readonly #waiting: StatementSync
  readonly #stale: StatementSync
  readonly #againMs: number
  /** Rows of this turn, not written yet. */
  #fresh: Row[] = []
  #flushing: NodeJS.Immediate | undefined
  /** The disk refuses: tried again when this fires. */
  #unwritable: NodeJS.Timeout | undefined
  /** So many of `#fresh` were given to the stream without having been written. */
  #offered = 0
  /** Written, not synced; then ready to be published. */
  #unsynced: Row[] = []
  #syncTimer: NodeJS.Timeout | undefined
  #syncing = false
  #ready: Row[] = []
  /** Rows on the disk that memory does not hold: after a restart, or when too many wait. */
  #more: boolean
  readonly #flight = new Set<string>()
  #failures = 0
  #retryTimer: NodeJS.Timeout | undefined
  readonly #againTimer: NodeJS.Timeout
  readonly #stopHearing: () => Promise<void>
  #size: number
  #written = 0
  #closed = false
  #idle: (() => void) | undefined

  constructor(parts: OutboxParts) {
    this.#parts = parts
    this.#againMs = parts.againMs ?? AGAIN_MS
    mkdirSync(parts.folder, { recursive: true })
    const file = join(parts.folder, 'outbox.db')
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
        published INTEGER NOT NULL DEFAULT 0
      ) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS leg_published ON leg (published);
    `)
    this.#log = openSync(`${file}-wal`, 'r+')
    this.#insert = this.#db.prepare('INSERT OR IGNORE INTO leg (leg, seq, body, trace) VALUES (?, ?, ?, ?)')
    this.#forget = this.#db.prepare('DELETE FROM leg WHERE leg = ?')
    this.#published = this.#db.prepare('UPDATE leg SET published = ? WHERE leg = ?')
    this.#waiting = this.#db.prepare('SELECT leg, seq, body, trace FROM leg WHERE published = 0 LIMIT ?')
    this.#stale = this.#db.prepare('UPDATE leg SET published = 0 WHERE published > 0 AND published < ?')
    this.#size = Number((this.#db.prepare('SELECT count(*) AS n FROM leg').get() as { n: number }).n)
    // what an earlier life published but billing did not confirm is told again, once
    this.#db.exec('UPDATE leg SET published = 0')
    this.#more = this.#size > 0
    this.#stopHearing = parts.bus.hear(BillingStored, (body) => this.#stored(body.legIds))
    this.#againTimer = setInterval(() => this.#again(), Math.max(50, this.#againMs / 2))
    this.#againTimer.unref()
    this.#publish()
  }

  put(record: LegRecord, traceparent: string | undefined): void {
    this.#fresh.push({ leg: record.legId, seq: record.seq, body: JSON.stringify(record), trace: traceparent ?? null })
    this.#size++
    // while the disk refuses, one timer tries for all of them
    if (this.#unwritable === undefined) this.#flushing ??= setImmediate(() => this.#flush())
  }

  size(): number {
    return this.#size
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#flush()
    await this.#settled(2000)
    this.#closed = true
    clearInterval(this.#againTimer)
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#syncTimer)
    clearTimeout(this.#unwritable)
    clearImmediate(this.#flushing)
    await this.#stopHearing()
    closeSync(this.#log)
    this.#db.close()
  }

  /** All rows of this turn in one transaction. */
  #flush(): void {
    this.#flushing = undefined
    const rows = this.#fresh
    if (rows.length === 0 || this.#closed) return
    this.#fresh = []
    const written = this.#transaction(() => {
      for (const row of rows) this.#insert.run(row.leg, row.seq, row.body, row.trace)
    })
    if (!written) {
      // a full disk: they stay in memory until they can be written, and go to the stream from there, each once
      this.#fresh = rows
      this.#unwritable ??= setTimeout(() => {
        this.#unwritable = undefined
        this.#flush()
      }, UNWRITABLE_MS).unref()
      for (; this.#offered < rows.length; this.#offered++) this.#ready.push(rows[this.#offered] as Row)
      this.#publish()
      return
    }
    this.#offered = 0
    this.#written += rows.length
    for (const row of rows) this.#unsynced.push(row)
    this.#syncTimer ??= setTimeout(() => this.#sync(), SYNC_MS)
  }

  #sync(): void {
    this.#syncTimer = undefined
    if (this.#syncing || this.#closed) return
    const rows = this.#unsynced
    this.#unsynced = []
    this.#syncing = true
    fdatasync(this.#log, (error) => {
      this.#syncing = false
      if (error) this.#parts.log.error({ err: error }, 'the outbox cannot be synced')
      if (this.#closed) return
      if (this.#ready.length > 4 * BATCH) this.#more = true
      else for (const row of rows) this.#ready.push(row)
      if (this.#unsynced.length > 0) this.#syncTimer ??= setTimeout(() => this.#sync(), SYNC_MS)
      this.#publish()
    })
  }

  #publish(): void {
    if (this.#closed || this.#retryTimer !== undefined) return
    if (this.#ready.length === 0 && this.#more && this.#flight.size === 0) this.#refill()
    while (this.#flight.size < IN_FLIGHT) {
      const row = this.#ready.shift()
      if (row === undefined) break
      if (!this.#flight.has(row.leg)) this.#send(row)
    }
    const busy = this.#flight.size + this.#ready.length + this.#unsynced.length > 0 || this.#syncing
    if (!busy) this.#idle?.()
  }

  #refill(): void {
    let rows: Row[] = []
    // not read: what waits is tried again with what is stale
    if (!this.#careful(() => (rows = this.#waiting.all(BATCH) as unknown as Row[]))) return
    this.#more = rows.length === BATCH
    this.#ready = rows
  }

  /** False: the disk or SQLite refused. It is logged, nothing is half done, and the calls go on. */
  #transaction(work: () => void): boolean {
    return this.#careful(() => {
      this.#db.exec('BEGIN')
      work()
      this.#db.exec('COMMIT')
    })
  }

  #careful(work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      this.#parts.log.error({ err: error, unwritten: this.#fresh.length }, 'the outbox cannot be used')
      try {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      } catch {
        // what it was in has ended already
      }
      return false
    }
  }

  #send(row: Row): void {
    this.#flight.add(row.leg)
    const options = { messageId: `${row.leg}:${row.seq}`, traceparent: row.trace ?? undefined }
    this.#parts.bus.recordText(CallEnded, row.leg, row.body, options).then(
      () => {
        this.#flight.delete(row.leg)
        if (this.#closed) return
        if (this.#failures > 0) this.#doubt()
        this.#failures = 0
        this.#noted.push(row.leg)
        this.#noting ??= setImmediate(() => this.#note())
      },
      (error: unknown) => {
        this.#flight.delete(row.leg)
        this.#failed(error)
      },
    )
  }

  #noted: string[] = []
  #noting: NodeJS.Immediate | undefined

  /** The stream has them; billing is still to say so. */
  #note(): void {
    this.#noting = undefined
    if (this.#closed) return
    const legs = this.#noted
    this.#noted = []
    const now = Date.now()
    // not noted: they are told once more, and the stream refuses them
    this.#transaction(() => {
      for (const leg of legs) this.#published.run(now, leg)
    })
    this.#written += legs.length
    this.#checkpoint()
    this.#publish()
  }

  /** The bus is away: everything not confirmed is read again later. */
  #failed(error: unknown): void {
    this.#more = true
    this.#ready = []
    if (this.#closed || this.#retryTimer !== undefined) return
    if (this.#failures === 0) this.#parts.log.warn({ why: String(error) }, 'records wait for the bus')
    const wait = BACK_OFF_MS[Math.min(this.#failures, BACK_OFF_MS.length - 1)] as number
    this.#failures++
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined
      this.#publish()
    }, wait)
    this.#retryTimer.unref()
    this.#idle?.()
  }

  #stored(legs: readonly string[]): void {
    if (this.#closed) return
    // its row may be of this very turn
    this.#flush()
    let gone = 0
    const forgotten = this.#transaction(() => {
      for (const leg of legs) gone += Number(this.#forget.run(leg).changes)
    })
    // else they are told again, and billing says again that it has them
    if (!forgotten) gone = 0
    if (this.#fresh.length > 0) gone += this.#dropUnwritten(legs)
    this.#size -= gone
    this.#written += gone
    this.#checkpoint()
  }

  /** Rows that the disk has refused and that billing has all the same. */
  #dropUnwritten(legs: readonly string[]): number {
    const stored = new Set(legs)
    const before = this.#fresh.length
    let offered = 0
    this.#fresh = this.#fresh.filter((row, i) => {
      const stays = !stored.has(row.leg)
      if (stays && i < this.#offered) offered++
      return stays
    })
    this.#offered = offered
    return before - this.#fresh.length
  }

  /** A server that was away may have lost what it had acknowledged (billing.md B2): all that waits is told once more. */
  #doubt(): void {
    if (this.#careful(() => void this.#stale.run(Date.now()))) this.#more = true
  }

  #again(): void {
    if (this.#closed) return
    let changes = 0
    this.#careful(() => {
      changes = Number(this.#stale.run(Date.now() - this.#againMs).changes)
    })
    if (changes > 0) this.#listenBack()
    if (changes === 0 && !this.#more) return
    this.#more = true
    this.#publish()
  }

  /**
   * What billing said while nobody was listening here: the stream of records would refuse these rows for a week, and billing
   * would never speak of them again.
   */
  #listenBack(): void {
    if (this.#listening !== undefined || Date.now() < this.#listenNotBefore || !this.#parts.bus.connected) return
    this.#listenNotBefore = Date.now() + LISTEN_AGAIN_MS
    const ours = new Set<string>()
    this.#careful(() => {
      for (const { leg } of this.#db.prepare('SELECT leg FROM leg').iterate()) ours.add(leg as string)
    })
    const stop = this.#parts.bus.replay(BillingStored, { sinceMs: STORED_KEPT_MS }, ({ legIds }) => {
      const known = legIds.filter((leg) => ours.delete(leg))
      if (known.length > 0) this.#stored(known)
    })
    this.#listening = setTimeout(() => {
      this.#listening = undefined
      void stop()
    }, LISTEN_MS).unref()
  }

  #listening: NodeJS.Timeout | undefined
  #listenNotBefore = 0

  #checkpoint(): void {
    if (this.#written < CHECKPOINT_PAGES) return
    this.#written = 0
    this.#careful(() => this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)'))
  }

  #settled(limitMs: number): Promise<void> {
    return new Promise((done) => {
      const limit = setTimeout(done, limitMs)
      this.#idle = () => {
        clearTimeout(limit)
        done()
      }
      const nothing = this.#size === 0 || !this.#parts.bus.connected
      if (nothing && this.#unsynced.length === 0 && !this.#syncing) this.#idle()
      else this.#publish()
    })
  }
}
