/** How well each direction of a leg was heard, in one number. */
import type { LegMedia, MediaCount } from '@tandem/contracts/call.ts'
import { rounded } from './call-facts.ts'
import { opinionOf } from './e-model.ts'

/** Most packets hold so much speech, ms; it has passed before they leave. */
const PACKET_MS = 20

/**
 * With the opinion of the E-model on each direction. Its delay is that of this leg alone: half the round trip, a jitter
 * buffer of twice the jitter, and one packet.
 */
export function judged(media: LegMedia | undefined, codec: string | undefined): LegMedia | undefined {
  if (media === undefined) return undefined
  const { roundTripMs } = media
  return {
    ...media,
    received: judgedCount(media.received, codec, roundTripMs),
    sent: judgedCount(media.sent, codec, roundTripMs),
    ...(roundTripMs === undefined ? {} : { roundTripMs: rounded(roundTripMs) }),
  }
}

function judgedCount(count: MediaCount, codec: string | undefined, roundTripMs: number | undefined): MediaCount {
  const { mos: _mos, mosModel: _model, ...rest } = count
  const { lossPercent, lossPeakPercent, jitterMs } = rest
  const said = {
    ...rest,
    ...(lossPercent === undefined ? {} : { lossPercent: hundredths(lossPercent) }),
    ...(lossPeakPercent === undefined ? {} : { lossPeakPercent: hundredths(lossPeakPercent) }),
    ...(jitterMs === undefined ? {} : { jitterMs: rounded(jitterMs) }),
  }
  if (codec === undefined || lossPercent === undefined || jitterMs === undefined) return said
  const delayMs = roundTripMs === undefined ? undefined : roundTripMs / 2 + 2 * jitterMs + PACKET_MS
  const opinion = opinionOf({ codec, lossPercent, delayMs })
  return opinion === undefined ? said : { ...said, mos: hundredths(opinion.mos), mosModel: opinion.model }
}

const hundredths = (value: number): number => Math.round(value * 100) / 100
