/** What a leg's audio is and came to, with what it was before another edge took the call over. */
import type { LegMedia } from '@tandem/contracts/call.ts'
import { negotiatedCodec } from '@tandem/sdp/offer-answer.ts'
import type { Sdp } from '@tandem/sdp/parse.ts'
import type { CallLeg } from './call-leg.ts'
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
export function mediaOf(leg: Pick<CallLeg, 'media' | 'counted'>): LegMedia | undefined {
  return withEarlier(leg.counted, leg.media.counts())
}

export function withEarlier(before: LegMedia | undefined, now: LegMedia | undefined): LegMedia | undefined {
  if (before === undefined || now === undefined) return now ?? before
  const { received, sent } = now
  return {
    received: {
      ...received,
      packets: before.received.packets + received.packets,
      bytes: before.received.bytes + received.bytes,
      lost: (before.received.lost ?? 0) + (received.lost ?? 0),
    },
    sent: { ...sent, packets: before.sent.packets + sent.packets, bytes: before.sent.bytes + sent.bytes },
    rtcpReceived: before.rtcpReceived + now.rtcpReceived,
    rtcpSent: before.rtcpSent + now.rtcpSent,
  }
}
