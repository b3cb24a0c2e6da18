/** Tells the facts of legs on the bus, each once, with the trace of its call; final records go to the outbox. */
import { CallAnswered, CallAttemptFailed, CallInterim, CallRinging, CallStarted } from '@tandem/contracts/call.ts'
import type { Edge } from '../edge.ts'
import { type CallFacts, type LegEnd, legFact, legRecord, rounded } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import type { RecordBox } from './call-parts.ts'
import { addedMedia, mediaOf } from './leg-media.ts'
import { judged } from './leg-quality.ts'
import { traceparentOf } from './trace-of.ts'

export interface CallTeller {
  started(call: CallFacts, leg: CallLeg): void
  ringing(call: CallFacts, leg: CallLeg, status: number, earlyMedia: boolean): void
  answered(call: CallFacts, leg: CallLeg): void
  interim(call: CallFacts, leg: CallLeg): void
  attemptFailed(call: CallFacts, leg: CallLeg, status: number, why: string, next: string | undefined): void
  /** Once a leg: the record for billing. */
  ended(call: CallFacts, leg: CallLeg, end: LegEnd): void
}

export function createTeller(edge: Pick<Edge, 'bus' | 'clock' | 'config'>, outbox: RecordBox): CallTeller {
  const { bus, clock } = edge
  const nextMs = () => edge.config().edge.interimMs
  const options = (leg: CallLeg) => (leg.context === undefined ? {} : { context: leg.context })
  return {
    started: (call, leg) => bus.tell(CallStarted, legFact(call, leg, leg.startedWall), options(leg)),
    ringing: (call, leg, status, earlyMedia) =>
      bus.tell(CallRinging, { ...legFact(call, leg, clock.wall()), status, earlyMedia }, options(leg)),
    answered: (call, leg) =>
      bus.tell(
        CallAnswered,
        {
          ...legFact(call, leg, clock.wall()),
          nextMs: nextMs(),
          setupMs: rounded(leg.setupMs ?? 0),
          ...(leg.codec === undefined ? {} : { codec: leg.codec }),
        },
        options(leg),
      ),
    interim(call, leg) {
      const media = mediaOf(leg)
      const durationMs = rounded(clock.now() - (leg.answeredAtMs ?? clock.now()))
      const fact = { ...legFact(call, leg, clock.wall()), nextMs: nextMs(), durationMs }
      const body = { ...fact, ...(media === undefined ? {} : { media }) }
      bus.tell(CallInterim, body, options(leg))
    },
    attemptFailed: (call, leg, status, why, next) =>
      bus.tell(
        CallAttemptFailed,
        { ...legFact(call, leg, clock.wall()), sipStatus: status, why, ...(next === undefined ? {} : { next }) },
        options(leg),
      ),
    ended(call, leg, end) {
      if (leg.ended) return
      leg.ended = true
      const record = legRecord(call, leg, end, clock.now(), clock.wall())
      leg.media.settle((counts) => {
        const media = judged(addedMedia(leg.counted, counts), leg.codec)
        outbox.put(media === undefined ? record : { ...record, media }, traceparentOf(leg))
      })
    },
  }
}
