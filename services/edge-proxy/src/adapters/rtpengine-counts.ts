/**
 * What rtpengine tells of a call (`query`, `delete`), as our facts count it. It counts what it received from each side, in
 * bytes of RTP; what it sent to one side is what it received from the other.
 */
import type { LegMedia, MediaCount } from '@tandem/contracts/call.ts'
import type { NgAnswer } from './ng-control.ts'

/** IPv4 and UDP headers, bytes (IPv6: 48): our facts count the wire. */
const HEADERS = { IPv4: 28, IPv6: 48 }
/** rtpengine counts what it has made clear; the tag of the usual suites crossed the wire, too. Bytes. */
const TAG = 10

interface Flow {
  packets: number
  bytes: number
  rtcp: number
}

/** The counts of one tag, as the leg of that tag sees them; undefined when the answer does not know it. */
export function countsOf(answer: NgAnswer, tag: string, otherTag: string): LegMedia | undefined {
  const tags = record(answer.tags)
  const mine = record(tags?.[tag])
  if (mine === undefined) return undefined
  const received = flowFrom(mine)
  const sent = flowFrom(record(tags?.[otherTag]) ?? {})
  const { roundTripMs, ...heard } = heardBy(answer, mine, sent.packets)
  return {
    received: { packets: received.packets, bytes: received.bytes },
    sent: { packets: sent.packets, bytes: sent.bytes, ...heard },
    rtcpReceived: received.rtcp,
    rtcpSent: sent.rtcp,
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
  }
}

/** What was counted after `base`. What is said of how it was heard stays: it is about sources, and another leg has others. */
export function since(counts: LegMedia | undefined, base: LegMedia | undefined): LegMedia | undefined {
  if (counts === undefined || base === undefined) return counts
  const less = (now: MediaCount, before: MediaCount): MediaCount => ({
    ...now,
    packets: now.packets - before.packets,
    bytes: now.bytes - before.bytes,
  })
  return {
    ...counts,
    received: less(counts.received, base.received),
    sent: less(counts.sent, base.sent),
    rtcpReceived: counts.rtcpReceived - base.rtcpReceived,
    rtcpSent: counts.rtcpSent - base.rtcpSent,
  }
}

interface Heard extends Partial<Pick<MediaCount, 'lost' | 'lossPercent' | 'lossPeakPercent' | 'jitterMs'>> {
  readonly roundTripMs?: number
}

/**
 * What the peer of a tag has reported of the `packets` that it was sent: the entry of its own SSRC. rtpengine makes one
 * when both sides send reports that answer each other's; `round-trip time leg` is the way between it and this peer, µs.
 * Its MOS knows no codec, so ours is made from its figures (domain/e-model.ts).
 */
function heardBy(answer: NgAnswer, tag: Record<string, unknown>, packets: number): Heard {
  const sources = record(answer.SSRC)
  const said = record(sources?.[String(sourceOf(tag))])
  const mean = record(said?.['average MOS'])
  if (said === undefined || mean === undefined || count(mean.samples) === 0) return {}
  const lost = count(said['cumulative loss'])
  const roundTripUs = count(mean['round-trip time leg'])
  return {
    lost,
    lossPercent: lost === 0 ? 0 : (100 * lost) / (packets + lost),
    lossPeakPercent: Math.min(count(record(said['lowest MOS'])?.['packet loss']), 100),
    jitterMs: count(mean.jitter),
    ...(roundTripUs === 0 ? {} : { roundTripMs: roundTripUs / 1000 }),
  }
}

/** The SSRC of the peer's audio. */
function sourceOf(tag: Record<string, unknown>): unknown {
  const streams = list(record(list(tag.medias)[0])?.streams)
  return streams.map((stream) => record(stream)?.SSRC).find((ssrc) => typeof ssrc === 'number')
}

function flowFrom(tag: Record<string, unknown>): Flow {
  const flow: Flow = { packets: 0, bytes: 0, rtcp: 0 }
  for (const media of list(tag.medias)) {
    const { streams, protocol } = record(media) ?? {}
    const tag = typeof protocol === 'string' && protocol.includes('SAVP') ? TAG : 0
    for (const stream of list(streams)) addStream(record(stream) ?? {}, flow, tag)
  }
  return flow
}

function addStream(stream: Record<string, unknown>, flow: Flow, tag: number): void {
  const stats = record(stream.stats)
  const packets = count(stats?.packets)
  const more = tag + (stream.family === 'IPv6' ? HEADERS.IPv6 : HEADERS.IPv4)
  // a stream of RTP and RTCP on one port (rtcp-mux) is counted as RTP
  if (list(stream.flags).includes('RTP')) {
    flow.packets += packets
    flow.bytes += count(stats?.bytes) + packets * more
  } else flow.rtcp += packets
}

const record = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const count = (value: unknown): number => (typeof value === 'number' && value >= 0 ? Math.floor(value) : 0)
