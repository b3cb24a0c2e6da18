/** What a leg's audio is and came to, with what it was before another edge or engine took it over. */
import type { LegMedia, MediaCount } from '@tandem/contracts/call.ts'
import { negotiatedCodec } from '@tandem/sdp/offer-answer.ts'
import type { Sdp } from '@tandem/sdp/parse.ts'
import type { CallLeg } from './call-leg.ts'
import { judged } from './leg-quality.ts'
import { agreedKbps } from './wire-rate.ts'

/** The codec that they talk to each other: it is relayed, never changed. */
export function tuneLegs(legs: readonly CallLeg[], answer: Sdp): void {
  const codec = negotiatedCodec(answer)
  if (codec === undefined) return
  for (const leg of legs) {
    leg.held?.adjust(agreedKbps(answer))
    leg.codec = codec.name
    leg.media.tune(codec.clock)
  }
}

/** As far as known now. */
export function mediaOf(leg: Pick<CallLeg, 'media' | 'counted' | 'codec'>): LegMedia | undefined {
  return judged(addedMedia(leg.counted, leg.media.counts()), leg.codec)
}

/** What was counted one after the other of one leg. */
export function addedMedia(before: LegMedia | undefined, now: LegMedia | undefined): LegMedia | undefined {
  if (before === undefined || now === undefined) return now ?? before
  const roundTripMs = now.roundTripMs ?? before.roundTripMs
  return {
    received: addedCount(before.received, now.received),
    sent: addedCount(before.sent, now.sent),
    rtcpReceived: before.rtcpReceived + now.rtcpReceived,
    rtcpSent: before.rtcpSent + now.rtcpSent,
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
  }
}

function addedCount(before: MediaCount, now: MediaCount): MediaCount {
  const packets = before.packets + now.packets
  const lost = before.lost === undefined ? now.lost : before.lost + (now.lost ?? 0)
  const [a, b] = [before.lossPercent, now.lossPercent]
  const peak = Math.max(before.lossPeakPercent ?? 0, now.lossPeakPercent ?? 0)
  return {
    ...before,
    ...now,
    packets,
    bytes: before.bytes + now.bytes,
    ...(lost === undefined ? {} : { lost }),
    ...(a === undefined || b === undefined || packets <= 0
      ? {}
      : { lossPercent: (a * before.packets + b * now.packets) / packets }),
    ...(peak > 0 ? { lossPeakPercent: peak } : {}),
  }
}
