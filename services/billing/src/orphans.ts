/**
 * Legs that no edge ends (billing.md B5): who was silent for three interims gets a record that ends at its last proof and
 * says `estimated`. It is told as any record is, `call.v1.ended.<legId>`, so it is priced, shown and counted once like any
 * other, whoever tells it: several billings may.
 *
 *   answered, interim -> open leg -(its record is in the inbox)-> over
 *                           `-- silent, while we listened all the time --> estimated record told -> inbox -> over
 *
 * Nobody is judged before all that waits in the stream has been read, and since then listening has gone on for as long as a
 * leg may be silent: after a time in which billing, the database or NATS was away, live calls are silent without being gone.
 */
import type { Bus } from '@tandem/bus/bus.ts'
import type { Delivered } from '@tandem/bus/outcome.ts'
import { CallAnswered, CallEnded, CallInterim } from '@tandem/contracts/call.ts'
import type { Body } from '@tandem/contracts/contract.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { orphans } from './adapters/metrics.ts'
import type { HeardLeg, OpenLegStore } from './adapters/open-leg-store.ts'
import { estimatedEnd, silenceMs } from './domain/estimate-leg.ts'

/** How often silence is looked for, ms. */
const LOOK_MS = 15_000
/** A fact may be under way for so long, ms: gathered, given to a replica that died, tried again. */
const GRACE_MS = 10_000
/** And for this share of the time that a leg may be silent. */
const GRACE = 1 / 6
/** Facts of a minute are not urgent: gathered for this long, ms. */
const GATHER_MS = 1000
/** Fewer than are read within a second: the stream is read up to date. */
const UP_TO_DATE = 500
/** Records told at a look. */
const AT_ONCE = 1000

const DURABLES = [
  [CallAnswered, 'billing-answered'],
  [CallInterim, 'billing-interim'],
] as const

export interface OrphanDeps {
  readonly bus: Pick<Bus, 'consume' | 'backlog' | 'record' | 'connected'>
  readonly store: OpenLegStore
  readonly log: Logger
  /** Wall clock, epoch ms. */
  readonly now: () => number
  /** For tests: in place of LOOK_MS and the grace. */
  readonly lookMs?: number
  readonly graceMs?: number
}

export function endOrphans(deps: OrphanDeps): () => Promise<void> {
  const { bus, store, log, lookMs = LOOK_MS, graceMs } = deps
  let soundSince: number | undefined
  let lookedAt = performance.now()
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  const hear = (legs: readonly HeardLeg[]) => store.heard(newest(legs, graceMs))
  const stops = [
    bus.consume(CallAnswered, { durable: DURABLES[0][1], gatherMs: GATHER_MS }, (batch) =>
      hear(facts(batch).map((answered) => ({ ...keyOf(answered), answered }))),
    ),
    bus.consume(CallInterim, { durable: DURABLES[1][1], gatherMs: GATHER_MS }, (batch) =>
      hear(facts(batch).map((interim) => ({ ...keyOf(interim), interim }))),
    ),
  ]

  /** All that was told has been heard. */
  const upToDate = async (): Promise<boolean> => {
    if (!bus.connected) return false
    const waiting = await Promise.all(DURABLES.map(([contract, durable]) => bus.backlog(contract, durable)))
    return waiting.every((n) => n < UP_TO_DATE)
  }

  const look = async (): Promise<void> => {
    const began = performance.now()
    // a process that was asleep has heard nobody
    const slept = began - lookedAt > 2 * lookMs + 5000
    lookedAt = began
    if (slept || !(await upToDate())) {
      soundSince = undefined
      return
    }
    soundSince ??= began
    const silent = await store.silent(began - soundSince, AT_ONCE)
    for (const leg of silent) await conclude(estimatedEnd(leg, new Date(deps.now()).toISOString()))
  }

  const conclude = async (record: Body<typeof CallEnded>): Promise<void> => {
    const { legId, callId, edge, durationMs } = record
    if ((await bus.record(CallEnded, record, { messageId: `${legId}:estimated` })) !== 'stored') return
    orphans.inc()
    log.warn({ call: callId, leg: legId, edge, durationMs }, 'no edge speaks of a leg any more: its end is estimated')
  }

  const again = (): void => {
    if (stopped) return
    timer = setTimeout(() => {
      working = look()
        .catch((error: unknown) => {
          soundSince = undefined
          log.warn({ err: error }, 'silent legs could not be looked for')
        })
        .then(again)
    }, lookMs)
  }
  let working = Promise.resolve()
  again()

  return async () => {
    stopped = true
    clearTimeout(timer)
    await Promise.all(stops.map((stop) => stop()))
    await working
  }
}

/** What is no fact is put aside: the record of that leg comes by itself. */
function facts<B>(batch: readonly Delivered<B>[]): B[] {
  return batch.flatMap((message) => (message.kind === 'fact' ? [message.body] : []))
}

function keyOf(fact: Body<typeof CallAnswered> | Body<typeof CallInterim>): HeardLeg {
  return { legId: fact.legId, seq: fact.seq, silenceMs: silenceMs(fact) }
}

/** One of each leg. */
function newest(legs: readonly HeardLeg[], graceMs: number | undefined): HeardLeg[] {
  const byLeg = new Map<string, HeardLeg>()
  for (const leg of legs) {
    const known = byLeg.get(leg.legId)
    if (known === undefined || leg.seq >= known.seq) byLeg.set(leg.legId, leg)
  }
  const grace = (silence: number) => graceMs ?? Math.max(GRACE_MS, silence * GRACE)
  return [...byLeg.values()].map((leg) => ({ ...leg, silenceMs: Math.round(leg.silenceMs + grace(leg.silenceMs)) }))
}
