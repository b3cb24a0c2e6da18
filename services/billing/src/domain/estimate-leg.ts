/** The record of a leg that no edge speaks of any more (billing.md B5): it ends where it was proven last. Pure. */
import type { CallAnswered, CallInterim, Leg, LegRecord } from '@tandem/contracts/call.ts'
import type { Body } from '@tandem/contracts/contract.ts'

type Answered = Body<typeof CallAnswered>
type Interim = Body<typeof CallInterim>

/** What was told of a leg that is up; one of the two at least. */
export interface OpenLeg {
  readonly answered: Answered | undefined
  readonly interim: Interim | undefined
}

/** Silent for so many interims: gone. */
export const SILENT = 3
const INTERIM_MS = 60_000

/** How long this leg may be silent, ms. */
export function silenceMs({ nextMs }: Pick<Interim, 'nextMs'>): number {
  return SILENT * (nextMs ?? INTERIM_MS)
}

/** `at`: RFC 3339, when it was concluded. */
export function estimatedEnd({ answered, interim }: OpenLeg, at: string): LegRecord {
  const last = interim ?? answered
  if (last === undefined) throw new TypeError('nothing was told of the leg')
  const durationMs = interim?.durationMs ?? 0
  // billing.md B3: one wall clock time, and monotonic lengths from there
  const answeredAt = answered ? Date.parse(answered.at) : Date.parse(last.at) - durationMs
  const setupMs = answered?.setupMs
  const media = interim?.media
  const codec = answered?.codec
  return {
    ...legOf(last),
    seq: last.seq + 1,
    at,
    startedAt: instant(answeredAt - (setupMs ?? 0)),
    answeredAt: instant(answeredAt),
    endedAt: instant(answeredAt + durationMs),
    ...(setupMs === undefined ? {} : { setupMs }),
    durationMs,
    endedBy: 'tandem',
    sipStatus: 200,
    reason: 'no edge speaks of it any more',
    ...(codec === undefined ? {} : { codec }),
    ...(media === undefined ? {} : { media }),
    estimated: true,
  }
}

function legOf(fact: Answered | Interim): Leg {
  const { nextMs, ...rest } = fact
  if ('durationMs' in rest) {
    const { durationMs, media, ...leg } = rest
    return leg
  }
  const { setupMs, codec, ...leg } = rest
  return leg
}

const instant = (wallMs: number): string => new Date(wallMs).toISOString()
