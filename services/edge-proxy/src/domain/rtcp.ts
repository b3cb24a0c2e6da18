/**
 * RTCP as far as it tells how well a call is heard: sender and receiver reports (RFC 3550 6.4) and VoIP metrics (RFC 3611
 * 4.7). Total: what is cut short, has another version or says more than it holds ends the reading, and what was read
 * before stands. A packet of another kind is stepped over (RFC 3550 6.1). Reduced-size RTCP (RFC 5506) is read, too.
 */
import type { VoipMetrics } from '@tandem/contracts/call.ts'

/** What one source says of another that it hears (RFC 3550 6.4.1). */
export interface ReportBlock {
  /** SSRC of the stream that is reported on. */
  readonly source: number
  /** Since the report before, in 1/256. */
  readonly fractionLost: number
  /** Since the beginning; negative when packets came twice. */
  readonly lost: number
  /** Units of the RTP time stamp. */
  readonly jitter: number
  /** Middle 32 bits of the NTP time stamp of the last sender report that it had; 0: none. */
  readonly lastReport: number
  /** How long ago that was when the report left, in 1/65536 s. */
  readonly delay: number
}

/** A sender report on its way: the reports that answer it name `time`. */
export interface SenderReport {
  readonly source: number
  /** Middle 32 bits of its NTP time stamp; 0 from a sender without a clock. */
  readonly time: number
}

export interface Rtcp {
  readonly senders: readonly SenderReport[]
  readonly blocks: readonly ReportBlock[]
  /** By the SSRC that they are about. */
  readonly metrics: readonly { readonly source: number; readonly says: VoipMetrics }[]
}

const SENDER_REPORT = 200
const RECEIVER_REPORT = 201
const EXTENDED_REPORT = 207
/** Packets that one datagram may be made of, and blocks of an extended report: a far end has no use for more. */
const MAX_PARTS = 32
const BLOCK_BYTES = 24
/** RFC 3611 4.7: "block length: the constant 8". */
const METRICS_BLOCK = 7
const METRICS_WORDS = 8

export function readRtcp(datagram: Uint8Array): Rtcp {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength)
  const found = { senders: [] as SenderReport[], blocks: [] as ReportBlock[], metrics: [] as Rtcp['metrics'][number][] }
  for (let at = 0, n = 0; n < MAX_PARTS && at + 8 <= datagram.length; n++) {
    const first = view.getUint8(at)
    // RFC 3550 A.2: version 2
    if (first >> 6 !== 2) break
    const end = at + 4 * (view.getUint16(at + 2) + 1)
    if (end > datagram.length) break
    const blocks = first & 0x1f
    switch (view.getUint8(at + 1)) {
      case SENDER_REPORT:
        if (at + 28 > end) break
        found.senders.push({ source: view.getUint32(at + 4), time: view.getUint32(at + 10) })
        readBlocks(view, at + 28, Math.min(end, at + 28 + blocks * BLOCK_BYTES), found.blocks)
        break
      case RECEIVER_REPORT:
        readBlocks(view, at + 8, Math.min(end, at + 8 + blocks * BLOCK_BYTES), found.blocks)
        break
      case EXTENDED_REPORT:
        readExtended(view, at + 8, end, found.metrics)
    }
    at = end
  }
  return found
}

function readBlocks(view: DataView, from: number, end: number, into: ReportBlock[]): void {
  for (let at = from; at + BLOCK_BYTES <= end; at += BLOCK_BYTES) {
    into.push({
      source: view.getUint32(at),
      fractionLost: view.getUint8(at + 4),
      // RFC 3550 6.4.1: 24 bits, signed
      lost: (view.getInt32(at + 4) << 8) >> 8,
      jitter: view.getUint32(at + 12),
      lastReport: view.getUint32(at + 16),
      delay: view.getUint32(at + 20),
    })
  }
}

/** RFC 3611 3: blocks of other types are stepped over by their length. */
function readExtended(view: DataView, from: number, end: number, into: Rtcp['metrics'][number][]): void {
  for (let at = from, n = 0; n < MAX_PARTS && at + 4 <= end; n++) {
    const words = view.getUint16(at + 2)
    if (at + 4 * (words + 1) > end) return
    if (view.getUint8(at) === METRICS_BLOCK && words === METRICS_WORDS)
      into.push({ source: view.getUint32(at + 4), says: metricsOf(view, at) })
    at += 4 * (words + 1)
  }
}

/** RFC 3611 4.7.3, 4.7.5: 0 ms is no delay known, 127 no score; "other values … MUST be ignored". */
function metricsOf(view: DataView, at: number): VoipMetrics {
  const percent = (value: number): number => Math.round((value / 256) * 10_000) / 100
  const delay = (name: 'roundTripMs' | 'endSystemDelayMs', ms: number): VoipMetrics => (ms === 0 ? {} : { [name]: ms })
  const score = (name: 'mosLq' | 'mosCq', tenths: number): VoipMetrics =>
    tenths < 10 || tenths > 50 ? {} : { [name]: tenths / 10 }
  const rFactor = view.getUint8(at + 24)
  return {
    lossPercent: percent(view.getUint8(at + 8)),
    discardPercent: percent(view.getUint8(at + 9)),
    ...delay('roundTripMs', view.getUint16(at + 16)),
    ...delay('endSystemDelayMs', view.getUint16(at + 18)),
    ...(rFactor > 100 ? {} : { rFactor }),
    ...score('mosLq', view.getUint8(at + 26)),
    ...score('mosCq', view.getUint8(at + 27)),
  }
}
