/**
 * What a leg's peer says by RTCP of the stream that we send it. The relay passes packets on with their SSRC, sequence and
 * time stamps as they are (RFC 3550 7.2), so the peer counts from the source on: its loss has in it what was lost on the
 * way to us.
 *
 * Round trip: a sender report that we pass on to the peer is answered in the peer's next report (LSR, DLSR). We take the
 * time from when it left us to when that report comes to us, less the delay in the peer (RFC 3550 6.4.1): the way from the
 * edge to this peer and back, by our own clock alone. Nothing of it is the way to the other peer.
 */
import type { VoipMetrics } from '@tandem/contracts/call.ts'
import type { ReportBlock, SenderReport } from './rtcp.ts'

/** Sender reports of the last half minute: they come every five seconds (RFC 3550 6.2). */
const REMEMBERED = 8
/** Above it a report names another clock's time, ms. */
const MAX_ROUND_TRIP_MS = 60_000
/** DLSR and our clock round differently: on the shortest ways the difference may fall below nothing, ms. */
const ROUNDING_MS = 5
const MAX_JITTER_MS = 60_000

/** The stream that the reports are about, as it came to us from its source. */
export interface Relayed {
  readonly ssrc: number
  /** Packets by their sequence since the source began. */
  readonly expected: number
  /** Hz */
  readonly clock: number
}

export interface SaidByFarEnd {
  readonly lost: number
  readonly lossPercent: number
  readonly lossPeakPercent: number
  readonly jitterMs: number
  readonly farEnd?: VoipMetrics
}

export class FarEnd {
  readonly #times = new Float64Array(REMEMBERED)
  readonly #leftMs = new Float64Array(REMEMBERED)
  #next = 0
  #ssrc = -1
  #lost = 0
  #expected = 0
  /** Of sources before this one. */
  #lostBefore = 0
  #expectedBefore = 0
  #peak = 0
  #reports = 0
  #jitterMs = 0
  #roundTrips = 0
  #roundTripMs = 0
  #says: VoipMetrics | undefined

  /** A sender report went to the peer; `nowMs` monotonic. */
  told({ time }: SenderReport, nowMs: number): void {
    // RFC 3550 6.4.1: a sender that has no clock may say zero, and zero in a report means none
    if (time === 0) return
    this.#times[this.#next] = time
    this.#leftMs[this.#next] = nowMs
    this.#next = (this.#next + 1) % REMEMBERED
  }

  heard(block: ReportBlock, of: Relayed, nowMs: number): void {
    // a stream that we do not send it: nothing of ours
    if (block.source !== of.ssrc || of.expected === 0) return
    if (block.source !== this.#ssrc) {
      this.#lostBefore += this.#lost
      this.#expectedBefore += this.#expected
      this.#ssrc = block.source
    }
    this.#expected = of.expected
    this.#lost = Math.min(Math.max(0, block.lost), of.expected)
    this.#peak = Math.max(this.#peak, block.fractionLost)
    this.#reports++
    this.#jitterMs += Math.min((block.jitter * 1000) / of.clock, MAX_JITTER_MS)
    this.#timed(block, nowMs)
  }

  says(metrics: VoipMetrics): void {
    this.#says = metrics
  }

  /** Undefined: it has never reported. */
  counts(): SaidByFarEnd | undefined {
    if (this.#reports === 0) return undefined
    const lost = this.#lostBefore + this.#lost
    return {
      lost,
      lossPercent: (100 * lost) / (this.#expectedBefore + this.#expected),
      lossPeakPercent: (100 * this.#peak) / 256,
      jitterMs: this.#jitterMs / this.#reports,
      ...(this.#says === undefined ? {} : { farEnd: this.#says }),
    }
  }

  /** Mean, ms; undefined: none was measured. */
  get roundTripMs(): number | undefined {
    return this.#roundTrips === 0 ? undefined : this.#roundTripMs / this.#roundTrips
  }

  #timed({ lastReport, delay }: ReportBlock, nowMs: number): void {
    if (lastReport === 0) return
    const at = this.#times.indexOf(lastReport)
    if (at < 0) return
    const ms = nowMs - (this.#leftMs[at] as number) - (delay * 1000) / 65_536
    if (ms < -ROUNDING_MS || ms > MAX_ROUND_TRIP_MS) return
    this.#roundTrips++
    this.#roundTripMs += Math.max(0, ms)
  }
}
