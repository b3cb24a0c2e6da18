import { setTimeout as sleep } from 'node:timers/promises'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Delivered } from '@tandem/bus/outcome.ts'
import { BillingRated, BillingStored } from '@tandem/contracts/billing.ts'
import type { LegRecord } from '@tandem/contracts/call.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { isDatabaseAway } from '@tandem/store/database.ts'
import type { CdrStore, DeadLetter } from './adapters/cdr-store.ts'
import type { LegToStore } from './adapters/leg-rows.ts'
import { markPriced, traceIdOf } from './adapters/leg-span.ts'
import { corrections, databaseAway, deadLetters, legsStored } from './adapters/metrics.ts'
import { cdrOf, priceLeg } from './domain/price-leg.ts'
import type { Tariffs } from './domain/tariffs.ts'

export interface TakeInDeps {
  bus: Pick<Bus, 'record' | 'tell'>
  store: CdrStore
  log: Logger
  tariffs: () => Tariffs
  /** Wall clock, epoch ms. */
  now: () => number
  stopped: () => boolean
  /** These are late truths: where the record that is there was estimated they replace it. */
  corrects?: boolean
  /** Told whenever storing worked or did not: for readiness. */
  databaseAnswers?: (answers: boolean) => void
}

type Message = Delivered<LegRecord>

const NONE: ReadonlySet<string> = new Set()

/** Longest time a batch is tried again before it goes back to the stream, ms: less than the stream's ack wait. */
const PATIENCE_MS = 6_000
/** A fact of so many CDRs stays well below the bus's message size. */
const CDRS_PER_FACT = 500

/**
 * Takes in a batch of ended legs (B2):
 *
 *   price -> COMMIT (inbox + CDR + ledger + samples) -> tell stored -> the bus acks
 *
 * Of corrections the same, and a leg that is there already is replaced where it was estimated. An estimate that comes after
 * the truth is a duplicate, so the order of the two does not matter.
 *
 * It resolves only when every message is in the database, as a leg or as a dead letter, and the edge has been told. A
 * rejection gives the batch back to the stream; what was committed is then a duplicate: not counted again, told again.
 */
export function createTakeIn(deps: TakeInDeps): (batch: readonly Message[]) => Promise<void> {
  const { bus, log } = deps
  return async (batch) => {
    const began = deps.now()
    const { legs, letters } = sort(batch, deps)
    const fresh = await storeAll(legs, letters, deps)
    const corrected = deps.corrects ? await correct(legs, fresh, deps) : NONE
    const last = batch.at(-1)
    const legIds = [...new Set([...legs.map((leg) => leg.record.legId), ...letters.flatMap(legIdOf)])]
    if (legIds.length > 0) {
      // After COMMIT and before the ack: if this fails, all of it comes again and is told then.
      const messageId = `stored:${deps.corrects ? 'corrected:' : ''}${batch[0]?.sequence}:${last?.sequence}:${legIds.length}:${last?.deliveries}`
      await bus.record(BillingStored, { legIds }, { messageId })
    }
    const stored = legs.filter(({ record }) => fresh.has(record.legId) || corrected.has(record.legId))
    for (let i = 0; i < stored.length; i += CDRS_PER_FACT) {
      bus.tell(BillingRated, {
        cdrs: stored.slice(i, i + CDRS_PER_FACT).map((leg) => cdrOf(leg, corrected.has(leg.record.legId))),
      })
    }
    for (const leg of stored) {
      if (leg.traceparent === undefined) continue
      const { record, cost } = leg
      markPriced(leg.traceparent, began, {
        'tandem.leg': record.legId,
        'tandem.cost': cost.amount,
        'tandem.rating': cost.kind,
      })
    }
    legsStored.inc({ outcome: 'stored' }, fresh.size)
    legsStored.inc({ outcome: 'duplicate' }, legs.length - stored.length)
    if (legs.length > stored.length) log.info({ duplicates: legs.length - stored.length }, 'legs were stored before')
    if (stored.length > 0) log.debug({ legs: stored.length, ms: deps.now() - began }, 'legs stored')
  }
}

type Leg = LegToStore & { traceparent: string | undefined; subject: string }

function sort(batch: readonly Message[], deps: TakeInDeps): { legs: Leg[]; letters: DeadLetter[] } {
  const tariffs = deps.tariffs()
  const byLeg = new Map<string, Leg>()
  const letters: DeadLetter[] = []
  for (const message of batch) {
    if (message.kind === 'poison') {
      letters.push(letterOf(message, message.raw, message.why))
      continue
    }
    try {
      const priced = priceLeg(message.body, tariffs, traceIdOf(message.traceparent))
      byLeg.set(message.body.legId, {
        ...priced,
        subject: message.subject,
        traceparent: message.traceparent,
        streamSequence: message.sequence,
        configRevision: tariffs.revision,
      })
    } catch (error) {
      letters.push(letterOf(message, encoded(message.body), `pricing failed: ${String(error)}`))
    }
  }
  // One order of rows for all replicas: they cannot wait for each other in a circle.
  const legs = [...byLeg.values()].sort((a, b) => (a.record.legId < b.record.legId ? -1 : 1))
  return { legs, letters }
}

/** Stores the legs, and puts aside those that the database refuses for what they say. Gives the ids that were new. */
async function storeAll(legs: readonly Leg[], letters: DeadLetter[], deps: TakeInDeps): Promise<Set<string>> {
  const fresh = await patiently(() => storeOrSplit(legs, letters, deps), deps)
  if (letters.length > 0) {
    await patiently(() => deps.store.bury(letters), deps)
    deadLetters.inc(letters.length)
    for (const { subject, streamSequence, why } of letters) {
      deps.log.error({ alarm: 'dead-letter', subject, streamSequence, why }, 'a leg record could not be taken in')
    }
  }
  return fresh
}

/** Legs that were there before. */
async function correct(
  legs: readonly Leg[],
  fresh: ReadonlySet<string>,
  deps: TakeInDeps,
): Promise<ReadonlySet<string>> {
  const known = legs.filter((leg) => !fresh.has(leg.record.legId))
  const corrected = await patiently(() => deps.store.correct(known), deps)
  corrections.inc(corrected.size)
  if (corrected.size > 0) deps.log.info({ legs: [...corrected].slice(0, 20) }, 'estimated records corrected')
  return corrected
}

/** A batch that the database refuses is halved until the message at fault stands alone. */
async function storeOrSplit(legs: readonly Leg[], letters: DeadLetter[], deps: TakeInDeps): Promise<Set<string>> {
  try {
    return await deps.store.store(legs)
  } catch (error) {
    if (isDatabaseAway(error) || isPassing(error)) throw error
    const [leg] = legs
    if (leg === undefined) throw error
    if (legs.length === 1) {
      const why = `the database refuses it: ${String(error)}`
      letters.push(letterOf({ subject: leg.subject, sequence: leg.streamSequence }, encoded(leg.record), why))
      return new Set()
    }
    const middle = legs.length >> 1
    const left = await storeOrSplit(legs.slice(0, middle), letters, deps)
    const right = await storeOrSplit(legs.slice(middle), letters, deps)
    return new Set([...left, ...right])
  }
}

/** Only a wrong value is a message's own fault (SQLSTATE 22 data exception, 23 constraint): all else may pass. */
function isPassing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code !== 'string' || !/^2[23]/.test(code)
}

/** While the database is away the batch waits here; after that it goes back to the stream, which keeps it. */
async function patiently<T>(work: () => Promise<T>, deps: TakeInDeps): Promise<T> {
  const until = performance.now() + PATIENCE_MS
  for (let attempt = 0; ; attempt += 1) {
    try {
      const result = await work()
      if (attempt > 0) deps.log.info({ attempt }, 'database answers again')
      databaseAway.set(0)
      deps.databaseAnswers?.(true)
      return result
    } catch (error) {
      databaseAway.set(isDatabaseAway(error) ? 1 : 0)
      deps.databaseAnswers?.(!isDatabaseAway(error))
      if (attempt === 0) deps.log.warn({ err: error }, 'legs not stored yet, trying again')
      const pause = Math.min(2000, 100 * 2 ** attempt)
      if (deps.stopped() || performance.now() + pause > until) throw error
      await sleep(pause)
    }
  }
}

function letterOf(message: { subject: string; sequence: number }, raw: Uint8Array, why: string): DeadLetter {
  return { subject: message.subject, streamSequence: message.sequence, raw, why: why.slice(0, 2000) }
}

function encoded(record: LegRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record))
}

/** The leg of `call.v1.ended.<legId>`: its record is safe in the dead letters, so the edge may forget its copy. */
function legIdOf({ subject }: DeadLetter): string[] {
  const legId = subject.slice(subject.lastIndexOf('.') + 1)
  return /^[A-Za-z0-9_-]{1,64}$/.test(legId) ? [legId] : []
}
