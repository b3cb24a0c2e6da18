/**
 * Every call that is up, as another edge would go on with it, in the KV bucket `calls`. No call waits for it: what changed
 * is gathered for a moment and written pipelined; while the bus is away it waits here.
 *
 *   up, changed -> dirty -(50 ms)-> written at its own revision -> clean
 *                                     `-- the revision is another's: this edge was given up, and the call is not its any more
 *
 * An edge that has slept, or was cut off, writes all of them at once: until each answer is there it is in doubt whose call
 * that is.
 */
import type { KeyObject } from 'node:crypto'
import type { Bucket } from '@tandem/bus/bucket.ts'
import type { Bus } from '@tandem/bus/bus.ts'
import { CALLS_BUCKET, type HeldCall } from '@tandem/contracts/held-call.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { recordOf } from '../domain/dialog-record.ts'
import type { HeldSession } from '../domain/held-calls.ts'
import { hasKeys, sealKeys } from '../domain/sealed-keys.ts'
import type { Clock, Timer } from '../edge.ts'

/** From a change to its writing, ms: a call that is over by then is never written. */
const GATHER_MS = 50
/** The bus does not take it: again after this, ms. */
const AGAIN_MS = 500
/** Doubt ends after this, ms: while nobody answers, nobody can have taken the call either. */
const DOUBT_MS = 10_000
/** Writes under way at once. */
const IN_FLIGHT = 256

type Owner = NonNullable<HeldCall['owner']>

export interface CallStore {
  up(session: HeldSession): void
  changed(callId: string): void
  over(callId: string): void
  /** Others may have taken calls of this edge: each is asked for. `slept`: and may have ended them. */
  doubt(slept: boolean): void
  /** False: another edge may have this call, and the answer is not there yet. */
  ours(callId: string): boolean
  /** A call that this edge has just taken over, written at that revision. */
  taken(callId: string, revision: number): void
  /** Writes that nobody has these calls, and gives them up here; those that could not be written stay. */
  release(): Promise<void>
  /** Calls that wait to be written. */
  waiting(): number
  bucket(): Promise<Bucket>
  close(): void
}

export interface CallStoreParts {
  readonly bus: Pick<Bus, 'bucket' | 'connected'>
  readonly clock: Clock
  readonly log: Logger
  readonly owner: Owner
  /** Seals the keys of media; undefined: the edges that may take a call over have no secret of their own. */
  readonly sealing: () => KeyObject | undefined
}

interface Kept {
  session: HeldSession | undefined
  /** 0: nothing is written yet. */
  revision: number
  busy: boolean
  /** Clock ms; it is in doubt from the first to the second. */
  doubtedMs: number
  doubtedUntilMs: number
  slept: boolean
}

export function createCallStore(parts: CallStoreParts): CallStore {
  const { bus, clock, log } = parts
  const kept = new Map<string, Kept>()
  const dirty = new Set<string>()
  let opened: Bucket | undefined
  let timer: Timer | undefined
  let flights = 0
  let closed = false
  let warned = false

  const bucket = async (): Promise<Bucket> => (opened ??= await bus.bucket(CALLS_BUCKET))
  const later = (ms: number) => {
    if (closed) return
    timer ??= clock.setTimer(ms, () => {
      timer = undefined
      flush()
    })
  }
  const mark = (callId: string, ms = GATHER_MS) => {
    dirty.add(callId)
    later(ms)
  }

  const written = (record: HeldCall): string => {
    const secret = parts.sealing()
    if (secret === undefined && !warned && hasKeys(record)) {
      warned = true
      log.warn('keys of SRTP stand open in the store of the bus: set edge.cluster.secret')
    }
    return JSON.stringify(sealKeys(record, secret))
  }

  const flush = () => {
    if (!bus.connected) {
      if (dirty.size > 0) later(AGAIN_MS)
      return
    }
    for (const callId of dirty) {
      if (flights >= IN_FLIGHT) return
      const entry = kept.get(callId)
      // what is being written is looked at again afterwards
      if (entry?.busy) continue
      dirty.delete(callId)
      if (entry) void write(callId, entry)
    }
  }

  const write = async (callId: string, entry: Kept): Promise<void> => {
    entry.busy = true
    flights++
    try {
      const { session } = entry
      if (session === undefined) await drop(callId, entry)
      else await put(callId, entry, session)
    } catch (error) {
      log.debug({ call: callId, why: String(error) }, 'a call could not be written down yet')
      mark(callId, AGAIN_MS)
    } finally {
      entry.busy = false
      flights--
      if (entry.session === undefined && kept.get(callId) === entry) mark(callId, 0)
      else if (dirty.size > 0) later(GATHER_MS)
    }
  }

  const drop = async (callId: string, entry: Kept): Promise<void> => {
    if (entry.revision > 0) await (await bucket()).drop(entry.revision)
    entry.revision = 0
    // a transfer may have begun another session of this call meanwhile
    if (entry.session === undefined) kept.delete(callId)
    else mark(callId)
  }

  const put = async (callId: string, entry: Kept, session: HeldSession, owner: Owner | undefined = parts.owner) => {
    const record = recordOf(session, owner, { ms: clock.now(), wall: clock.wall() })
    if (record === undefined) return
    attach(session, callId)
    const store = await bucket()
    const began = clock.now()
    const revision = await store.update(callId, written(record), entry.revision)
    if (revision !== undefined) {
      entry.revision = revision
      // what was written before a sleep says nothing of what was done meanwhile
      if (began >= entry.doubtedMs) {
        entry.doubtedUntilMs = 0
        entry.slept = false
      }
      return
    }
    // ours after all, when the answer to an earlier write was lost
    const present = await store.get(callId)
    const holder = present === undefined ? undefined : ownerIn(present.value)
    // gone: after a sleep the one that took it has ended it; else a server has lost it, and it is written anew
    const lost = present === undefined && !(entry.slept && entry.revision > 0)
    if (lost || holder?.life === parts.owner.life) {
      entry.revision = present?.revision ?? 0
      mark(callId)
      return
    }
    log.warn({ call: callId, by: holder?.edge ?? 'one that has ended it' }, 'another edge has taken this call over')
    kept.delete(callId)
    session.abandon()
  }

  const attach = (session: HeldSession, callId: string) => {
    const changed = () => mark(callId)
    for (const leg of session.legs) leg.onChange ??= changed
  }

  const ofEntry = (callId: string): Kept => {
    const entry = kept.get(callId) ?? {
      session: undefined,
      revision: 0,
      busy: false,
      doubtedMs: 0,
      doubtedUntilMs: 0,
      slept: false,
    }
    kept.set(callId, entry)
    return entry
  }

  return {
    bucket,
    up(session) {
      const { callId } = session.facts
      ofEntry(callId).session = session
      attach(session, callId)
      mark(callId)
    },
    changed: (callId) => {
      if (kept.has(callId)) mark(callId)
    },
    over(callId) {
      const entry = kept.get(callId)
      if (entry === undefined) return
      entry.session = undefined
      if (entry.revision > 0 || entry.busy) return mark(callId)
      kept.delete(callId)
      dirty.delete(callId)
    },
    doubt(slept) {
      const now = clock.now()
      for (const [callId, entry] of kept) {
        if (entry.session === undefined || (entry.revision === 0 && !entry.busy)) continue
        entry.doubtedMs = now
        entry.doubtedUntilMs = now + DOUBT_MS
        entry.slept ||= slept
        dirty.add(callId)
      }
      flush()
    },
    ours: (callId) => clock.now() >= (kept.get(callId)?.doubtedUntilMs ?? 0),
    taken(callId, revision) {
      ofEntry(callId).revision = revision
    },
    async release() {
      const release = async (callId: string, entry: Kept) => {
        const { session } = entry
        if (session === undefined) return
        const record = recordOf(session, undefined, { ms: clock.now(), wall: clock.wall() })
        if (record === undefined) return
        const revision = await (await bucket()).update(callId, written(record), entry.revision)
        if (revision === undefined) return
        kept.delete(callId)
        session.abandon()
      }
      await Promise.allSettled([...kept].map(([callId, entry]) => release(callId, entry)))
    },
    waiting: () => dirty.size,
    close() {
      closed = true
      if (timer) clock.clearTimer(timer)
    },
  }
}

function ownerIn(value: Uint8Array): HeldCall['owner'] {
  try {
    return (JSON.parse(Buffer.from(value).toString()) as HeldCall).owner
  } catch {
    return undefined
  }
}
