/** What the streams of a leg in the embedded relay came to. How well it was heard is said of the first one, the audio. */
import type { LegMedia } from '@tandem/contracts/call.ts'
import type { RelayStream } from './relay-stream.ts'

export function countedOf(streams: readonly RelayStream[]): LegMedia {
  const sum = { packets: 0, bytes: 0, lost: 0, sentPackets: 0, sentBytes: 0, rtcpIn: 0, rtcpOut: 0 }
  for (const stream of streams) {
    sum.packets += stream.received.packets
    sum.bytes += stream.received.bytes
    sum.lost += stream.received.lost
    sum.sentPackets += stream.sentPackets
    sum.sentBytes += stream.sentBytes
    sum.rtcpIn += stream.rtcpReceived
    sum.rtcpOut += stream.rtcpSent
  }
  const [audio] = streams
  const roundTripMs = audio?.farEnd.roundTripMs
  return {
    received: { packets: sum.packets, bytes: sum.bytes, ...heardOf(audio, sum.lost) },
    sent: { packets: sum.sentPackets, bytes: sum.sentBytes, ...audio?.farEnd.counts() },
    rtcpReceived: sum.rtcpIn,
    rtcpSent: sum.rtcpOut,
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
  }
}

/** Of nothing that came nothing is said. */
function heardOf(audio: RelayStream | undefined, lost: number): Partial<LegMedia['received']> {
  if (audio === undefined || audio.received.ssrc < 0) return {}
  const { packets, lost: missing, jitterMs } = audio.received
  return { lost, lossPercent: (100 * missing) / (packets + missing), jitterMs }
}
