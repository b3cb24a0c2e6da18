/**
 * Keeps what this edge holds of each limited trunk and link in the bucket `admission`, shared with the other edges
 * (domain/lease.ts). Admission itself waits for nothing here unless the edge holds too little; then for WAIT_MS at most.
 *
 * Every edge beats; one whose beat stood still for GONE_MS, as seen by the observer's own clock, has died: what it held
 * is free for the next claim. Clocks of hosts are never compared.
 */
import { randomBytes } from 'node:crypto'
import type { Bucket, Entry } from '@tandem/bus/bucket.ts'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { type Claim, claim, type LeaseRecord, NOTHING, release, sameRecord, wanted } from '../domain/lease.ts'
import type { Ledger, Need } from '../domain/ledger.ts'
import type { Clock, Timer } from '../edge.ts'

export const BUCKET = 'admission'
const BEAT_MS = 2_000
export const GONE_MS = 7_000
/** A beat is missing, ms. */
const MISSED_MS = 2_400
/** How long a call waits for a place, ms. */
const WAIT_MS = 150
/** Changes by calls are gathered this long before the record is looked at, ms. */
const GATHER_MS = 20
const RETRY_MS = 500
const MAX_TRIES = 20

export interface LeaseParts {
  readonly node: string
  readonly bus: Bus
  readonly log: Logger
  readonly clock: Clock
  readonly ledger: Ledger
}

interface Line {
  record: LeaseRecord
  revision: number
  working: boolean
  again: boolean
  /** Calls that wait for places. */
  waiting: Set<{ readonly need: Need; look(): void }>
  /** No place was found at this revision: the next call need not wait for the same answer. */
  refusedAt: number | undefined
}

const nodeOf = (owner: string): string => owner.slice(0, owner.lastIndexOf('-'))

export class LeaseKeeper {
  readonly #parts: LeaseParts
  /** A new one at each start: what the process before this one held is given up like that of any dead edge. */
  readonly owner: string
  readonly #lines = new Map<string, Line>()
  readonly #heard = new Map<string, { beat: number; atMs: number }>()
  readonly #buried = new Set<string>()
  readonly #stirred = new Set<string>()
  #bucket: Bucket | undefined
  #stopWatching: (() => Promise<void>) | undefined
  #timer: Timer | undefined
  #gathering: Timer | undefined
  #beat = 0
  /** Since when own beats got through without a gap: who was deaf may not say that others are silent. */
  #steadyMs: number | undefined
  #beatAtMs = 0
  #closed = false
  #alone = false

  constructor(parts: LeaseParts) {
    this.#parts = parts
    this.owner = `${parts.node}-${randomBytes(4).toString('hex')}`
    void this.#open()
  }

  /** False while the bucket was never reached, and not for want of trying: the edge counts alone. */
  get shared(): boolean {
    return !this.#alone
  }

  /** The limits have changed, or calls on these resources have: soon looked at. */
  changed(resources: Iterable<string> = this.#parts.ledger.resources()): void {
    if (this.#closed) return
    if (this.#alone) return void this.#holdAll()
    for (const resource of resources) this.#stirred.add(resource)
    if (this.#stirred.size === 0) return
    this.#gathering ??= this.#parts.clock.setTimer(GATHER_MS, () => {
      this.#gathering = undefined
      const stirred = [...this.#stirred]
      this.#stirred.clear()
      for (const resource of stirred) this.#sync(resource)
    })
  }

  /** Resolves when there may be a place for it, or after WAIT_MS. */
  async more(need: Need): Promise<void> {
    const line = this.#line(need.resource)
    if (!this.shared || line.refusedAt === line.revision) return
    const { clock } = this.#parts
    await new Promise<void>((done) => {
      const end = () => {
        clock.clearTimer(timer)
        line.waiting.delete(waiter)
        done()
      }
      const timer = clock.setTimer(WAIT_MS, () => {
        line.refusedAt = line.revision
        end()
        this.#sync(need.resource)
      })
      const waiter = { need, look: () => void (this.#fits(need) && end()) }
      line.waiting.add(waiter)
      this.#sync(need.resource)
    })
  }

  /** Its calls live on here: its places are free at once. */
  bury(node: string): void {
    const now = this.#parts.clock.now()
    const held = [...this.#lines.values()].flatMap(({ record }) => Object.keys(record))
    for (const owner of new Set([...this.#heard.keys(), ...held])) {
      // that node may live again by now: its next life is another owner, and beats
      const silentMs = now - (this.#heard.get(owner)?.atMs ?? Number.NEGATIVE_INFINITY)
      if (owner !== this.owner && nodeOf(owner) === node && silentMs > MISSED_MS) this.#buried.add(owner)
    }
    this.changed()
  }

  async close(): Promise<void> {
    this.#closed = true
    const { clock } = this.#parts
    for (const timer of [this.#timer, this.#gathering]) if (timer) clock.clearTimer(timer)
    await this.#stopWatching?.()
    const bucket = this.#bucket
    if (!bucket || !this.#parts.bus.connected) return
    const given = [...this.#lines].map(([resource, line]) => this.#giveUp(bucket, resource, line))
    const all = Promise.allSettled([...given, bucket.remove(`beat.${this.owner}`)])
    let timer: Timer | undefined
    const late = new Promise<void>((done) => {
      timer = clock.setTimer(1000, done)
    })
    await Promise.race([all, late])
    if (timer) clock.clearTimer(timer)
  }

  /** Else the others had to miss us first. */
  async #giveUp(bucket: Bucket, resource: string, { record, revision }: Line): Promise<void> {
    let present = { record, revision }
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const rest = release(present.record, this.owner)
      if (sameRecord(rest, present.record)) return
      if ((await bucket.update(resource, JSON.stringify(rest), present.revision)) !== undefined) return
      const entry = await bucket.get(resource)
      if (entry === undefined) return
      present = { record: readRecord(entry), revision: entry.revision }
    }
  }

  async #open(): Promise<void> {
    const { bus, clock, log } = this.#parts
    try {
      if (!bus.connected) throw new Error('not connected')
      const bucket = await bus.bucket(BUCKET)
      if (this.#closed) return
      this.#bucket = bucket
      this.#alone = false
      this.#stopWatching = bucket.watchAll('>', (key, entry) => this.#seen(key, entry))
      await this.#tick()
    } catch (error) {
      if (this.#closed) return
      log.debug({ err: error }, 'places on trunks are counted in this edge alone: the bucket is away')
      this.#alone = true
      this.#holdAll()
      this.#timer = clock.setTimer(RETRY_MS, () => void this.#open())
    }
  }

  async #tick(): Promise<void> {
    const { clock, ledger, log } = this.#parts
    if (this.#closed) return
    this.#timer = clock.setTimer(BEAT_MS, () => void this.#tick())
    if (ledger.resources()[Symbol.iterator]().next().done) return
    try {
      await this.#bucket?.put(`beat.${this.owner}`, String(++this.#beat))
      const now = clock.now()
      if (this.#steadyMs === undefined || now - this.#beatAtMs > 2 * BEAT_MS) this.#steadyMs = now
      this.#beatAtMs = now
    } catch (error) {
      this.#steadyMs = undefined
      log.debug({ err: error }, 'the beat of this edge did not get through')
    }
    for (const resource of ledger.resources()) this.#sync(resource)
    await this.#forgetDead()
  }

  async #forgetDead(): Promise<void> {
    for (const owner of this.#heard.keys()) {
      if (owner === this.owner || !this.#gone(owner)) continue
      if ([...this.#lines.values()].some(({ record }) => owner in record)) continue
      this.#heard.delete(owner)
      await this.#bucket?.remove(`beat.${owner}`).catch(() => {})
    }
  }

  #seen(key: string, entry: Entry | undefined): void {
    if (key.startsWith('beat.')) {
      const owner = key.slice('beat.'.length)
      if (entry === undefined) this.#heard.delete(owner)
      else this.#heard.set(owner, { beat: entry.revision, atMs: this.#parts.clock.now() })
      return
    }
    if (entry === undefined || !this.#parts.ledger.limits(key)) return
    const line = this.#line(key)
    if (entry.revision <= line.revision) return
    this.#take(key, line, readRecord(entry), entry.revision)
    this.#sync(key)
  }

  #gone = (owner: string): boolean => {
    if (this.#buried.has(owner)) return true
    const now = this.#parts.clock.now()
    if (this.#steadyMs === undefined) return false
    const known = this.#heard.get(owner)
    if (known === undefined) {
      this.#heard.set(owner, { beat: 0, atMs: now })
      return false
    }
    return now - Math.max(known.atMs, this.#steadyMs) > GONE_MS
  }

  get #edges(): number {
    let alive = 1
    for (const owner of this.#heard.keys()) if (owner !== this.owner && !this.#gone(owner)) alive++
    return alive
  }

  #line(resource: string): Line {
    let line = this.#lines.get(resource)
    if (line === undefined) {
      line = { record: {}, revision: 0, working: false, again: false, waiting: new Set(), refusedAt: undefined }
      this.#lines.set(resource, line)
    }
    return line
  }

  #sync(resource: string): void {
    const line = this.#line(resource)
    line.again = true
    if (line.working || this.#closed) return
    line.working = true
    void this.#work(resource, line)
      .catch((error: unknown) => {
        // what is held is kept: nobody else can take it while the bus is away
        this.#parts.log.debug({ resource, err: error }, 'places could not be claimed')
      })
      .finally(() => {
        line.working = false
      })
  }

  async #work(resource: string, line: Line): Promise<void> {
    const { ledger } = this.#parts
    for (let tries = 0; line.again && tries < MAX_TRIES && !this.#closed; tries++) {
      line.again = false
      const limits = ledger.limits(resource)
      const bucket = this.#bucket
      if (limits === undefined || bucket === undefined) return
      const claimed = this.#claim(resource, line)
      const next = claim(line.record, this.owner, claimed, limits, this.#gone)
      const mine = next[this.owner] ?? NOTHING
      if (sameRecord(next, line.record)) {
        this.#take(resource, line, line.record, line.revision)
        continue
      }
      const held = ledger.held(resource)
      // what is to be given back is not given out meanwhile, whatever becomes of the write
      ledger.hold(resource, least(held, mine))
      const written = await bucket.update(resource, JSON.stringify(next), line.revision)
      if (written !== undefined) {
        if (written > line.revision) this.#take(resource, line, next, written)
        continue
      }
      const present = await bucket.get(resource)
      if (present && present.revision > line.revision) this.#take(resource, line, readRecord(present), present.revision)
      line.again = true
    }
  }

  #claim(resource: string, line: Line): Claim {
    const { ledger, clock } = this.#parts
    const inUse = ledger.inUse(resource, clock.now())
    let need = inUse
    for (const { need: more } of line.waiting)
      need = { calls: need.calls + more.calls, rate: need.rate + more.calls, kbps: need.kbps + Math.ceil(more.kbps) }
    const limits = ledger.limits(resource)
    if (limits === undefined) return { inUse, need, want: need }
    return { inUse, need, want: wanted(line.record, this.owner, { inUse, need }, limits, this.#edges) }
  }

  #take(resource: string, line: Line, record: LeaseRecord, revision: number): void {
    line.record = record
    line.revision = revision
    this.#parts.ledger.hold(resource, record[this.owner] ?? NOTHING)
    for (const waiter of line.waiting) waiter.look()
  }

  #fits(need: Need): boolean {
    const { ledger, clock } = this.#parts
    const [held, used, limits] = [
      ledger.held(need.resource),
      ledger.inUse(need.resource, clock.now()),
      ledger.limits(need.resource),
    ]
    if (limits === undefined) return true
    const fits = (limit: number | null, room: number, wants: number) => limit === null || room >= wants
    return (
      fits(limits.calls, held.calls - used.calls, need.calls) &&
      fits(limits.rate, held.rate - used.rate, need.calls) &&
      fits(limits.kbps, held.kbps - used.kbps, Math.ceil(need.kbps))
    )
  }

  #holdAll(): void {
    for (const resource of this.#parts.ledger.resources()) this.#parts.ledger.hold(resource, 'all')
  }
}

const least = (a: typeof NOTHING, b: typeof NOTHING) => ({
  calls: Math.min(a.calls, b.calls),
  rate: Math.min(a.rate, b.rate),
  kbps: Math.min(a.kbps, b.kbps),
})

/** Another edge wrote it; what cannot be read holds nothing. */
function readRecord(entry: Entry): LeaseRecord {
  try {
    const read: unknown = JSON.parse(new TextDecoder().decode(entry.value))
    if (typeof read !== 'object' || read === null) return {}
    const amount = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0)
    return Object.fromEntries(
      Object.entries(read).map(([owner, h]: [string, Record<string, unknown> | null]) => [
        owner,
        { calls: amount(h?.calls), rate: amount(h?.rate), kbps: amount(h?.kbps), wants: h?.wants === true },
      ]),
    )
  } catch {
    return {}
  }
}
