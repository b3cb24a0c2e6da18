/**
 * Final records of legs on their way to billing (billing.md B2). A PubAck of JetStream is no durability, so a row stays
 * here until billing says `billing.v1.stored`.
 *
 *   put -> row (same turn of the event loop) -> fsync (within 45 ms, off this thread) -> published -> stored: forgotten
 *                                                      ^ again while the bus is away  `-- not stored for a while: again
 *
 * Rows of one turn are one transaction. The stream refuses a second record of a leg. Was this one told before, that counts
 * as there; else another one was quicker (an edge that took the call over, billing that had given it up), and this one
 * goes out as a correction.
 */
import type { Bus } from '@tandem/bus/bus.ts'
import { BillingStored } from '@tandem/contracts/billing.ts'
import { CallCorrected, CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { RecordBox } from '../domain/call-parts.ts'
import { OutboxRows, type Row, TOLD, type Told } from './outbox-rows.ts'

/**
 * Time from a row to its fsync, ms: less than facts of calls are gathered (contracts/call.ts), which leave with the records.
 */
const SYNC_MS = 40
/** Records under way to the stream at once. */
const IN_FLIGHT = 256
/** Rows read back at once. */
const BATCH = 512
/** Published, but billing has not said that it has it: told again after this, ms. */
const AGAIN_MS = 60_000
/** What billing has not confirmed after this is noted as published, ms: a row that is soon gone is not written once more. */
const NOTE_MS = 1000
/** Rows that the disk refuses are tried again after this, ms. */
const UNWRITABLE_MS = 1000
/** What billing has said is kept in its stream this long; it is read again for so long, and not sooner again than, ms. */
const STORED_KEPT_MS = 86_400_000
const LISTEN_MS = 30_000
const LISTEN_AGAIN_MS = 600_000
const BACK_OFF_MS = [100, 250, 500, 1000, 2000] as const

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

export function openOutbox(parts: OutboxParts): Outbox {
  return new SqliteOutbox(parts)
}

class SqliteOutbox implements Outbox {
  readonly #parts: OutboxParts
  readonly #rows: OutboxRows
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
  #closed = false
  #idle: (() => void) | undefined

  constructor(parts: OutboxParts) {
    this.#parts = parts
    this.#againMs = parts.againMs ?? AGAIN_MS
    this.#rows = new OutboxRows(parts.folder, parts.log)
    this.#size = this.#rows.count()
    this.#more = this.#size > 0
    this.#stopHearing = parts.bus.hear(BillingStored, (body) => this.#stored(body.legIds))
    this.#againTimer = setInterval(() => this.#again(), Math.max(50, this.#againMs / 2))
    this.#againTimer.unref()
    this.#publish()
  }

  put(record: LegRecord, traceparent: string | undefined): void {
    const { legId: leg, seq } = record
    this.#fresh.push({ leg, seq, body: JSON.stringify(record), trace: traceparent ?? null, told: TOLD.nobody })
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
    this.#note()
    this.#closed = true
    clearInterval(this.#againTimer)
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#syncTimer)
    clearTimeout(this.#unwritable)
    clearImmediate(this.#flushing)
    await this.#stopHearing()
    this.#rows.close()
  }

  /** All rows of this turn in one transaction. */
  #flush(): void {
    this.#flushing = undefined
    const rows = this.#fresh
    if (rows.length === 0 || this.#closed) return
    this.#fresh = []
    if (!this.#rows.insert(rows)) {
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
    for (const row of rows) this.#unsynced.push(row)
    this.#syncTimer ??= setTimeout(() => this.#sync(), SYNC_MS)
  }

  #sync(): void {
    this.#syncTimer = undefined
    if (this.#syncing || this.#closed) return
    const rows = this.#unsynced
    this.#unsynced = []
    this.#syncing = true
    this.#rows.sync(() => {
      this.#syncing = false
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
    this.#note()
    const rows = this.#rows.waiting(BATCH)
    // not read: what waits is tried again with what is stale
    if (rows === undefined) return
    this.#more = rows.length === BATCH
    this.#ready = rows
  }

  #send(row: Row): void {
    this.#flight.add(row.leg)
    this.#tell(row).then(
      (told) => {
        this.#flight.delete(row.leg)
        if (this.#closed) return
        if (this.#failures > 0) this.#doubt()
        this.#failures = 0
        this.#noted.set(row.leg, told)
        this.#noting ??= setTimeout(() => this.#note(), NOTE_MS)
        this.#publish()
      },
      (error: unknown) => {
        this.#flight.delete(row.leg)
        this.#failed(error)
      },
    )
  }

  async #tell(row: Row): Promise<Told> {
    const { bus } = this.#parts
    const options = { messageId: `${row.leg}:${row.seq}`, traceparent: row.trace ?? undefined }
    if (row.told !== TOLD.corrected) {
      const recorded = await bus.recordText(CallEnded, row.leg, row.body, options)
      if (recorded !== 'occupied' || row.told === TOLD.ended) return TOLD.ended
    }
    await bus.recordText(CallCorrected, row.leg, row.body, options)
    return TOLD.corrected
  }

  /** The stream has them, and no row says so yet: billing mostly speaks of them before that is needed. */
  readonly #noted = new Map<string, Told>()
  #noting: NodeJS.Timeout | undefined

  #note(): void {
    clearTimeout(this.#noting)
    this.#noting = undefined
    if (this.#closed || this.#noted.size === 0) return
    const rows = [...this.#noted].map(([leg, told]) => ({ leg, told }))
    this.#noted.clear()
    this.#rows.note(rows, Date.now())
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
    for (const leg of legs) this.#noted.delete(leg)
    // its row may be of this very turn
    this.#flush()
    let gone = this.#rows.forget(legs)
    if (this.#fresh.length > 0) gone += this.#dropUnwritten(legs)
    this.#size -= gone
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
    this.#note()
    if (this.#rows.retell(Date.now()) > 0) this.#more = true
  }

  #again(): void {
    if (this.#closed) return
    const changes = this.#rows.retell(Date.now() - this.#againMs)
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
    const ours = this.#rows.legs()
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
