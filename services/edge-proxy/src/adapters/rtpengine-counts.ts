/**
 * What rtpengine tells of a call (`query`, `delete`), as our facts count it. It counts what it received from each side, in
 * bytes of RTP; what it sent to one side is what it received from the other.
 */
import type { LegMedia } from '@tandem/contracts/call.ts'
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
  return {
    received: { packets: received.packets, bytes: received.bytes },
    sent: { packets: sent.packets, bytes: sent.bytes },
    rtcpReceived: received.rtcp,
    rtcpSent: sent.rtcp,
  }
}

export function added(a: LegMedia | undefined, b: LegMedia | undefined): LegMedia | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return {
    received: {
      ...b.received,
      packets: a.received.packets + b.received.packets,
      bytes: a.received.bytes + b.received.bytes,
    },
    sent: { ...b.sent, packets: a.sent.packets + b.sent.packets, bytes: a.sent.bytes + b.sent.bytes },
    rtcpReceived: a.rtcpReceived + b.rtcpReceived,
    rtcpSent: a.rtcpSent + b.rtcpSent,
  }
}

/** What was counted after `base`. */
export function since(counts: LegMedia | undefined, base: LegMedia | undefined): LegMedia | undefined {
  if (counts === undefined || base === undefined) return counts
  const negative = (flow: LegMedia['sent']) => ({ packets: -flow.packets, bytes: -flow.bytes })
  return added(
    {
      received: negative(base.received),
      sent: negative(base.sent),
      rtcpReceived: -base.rtcpReceived,
      rtcpSent: -base.rtcpSent,
    },
    counts,
  )
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
