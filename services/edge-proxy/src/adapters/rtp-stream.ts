/**
 * What is counted of one direction of one RTP stream as its packets pass: RFC 3550 A.1 and A.3 (loss) and A.8 (jitter),
 * without a single allocation a packet.
 */
import type { Relayed } from '../domain/far-end.ts'

/** IPv4 and UDP headers, bytes: what the wire carries beyond the payload (IPv6: 48). */
export const HEADERS_IPV4 = 28
export const HEADERS_IPV6 = 48

/** RFC 3550 A.1: beyond this a jump in sequence is taken for a restart. */
const MAX_DROPOUT = 3000
const MAX_MISORDER = 100

export class RtpReceived implements Relayed {
  packets = 0
  bytes = 0
  /** Hz. */
  clock = 8000
  /** Lost in runs of the sequence that are over (a new SSRC or a restart begins another). */
  #lostBefore = 0
  /** Of the source that is heard now; -1: none yet. */
  ssrc = -1
  #base = 0
  #highest = 0
  #cycles = 0
  #inRun = 0
  #jitter = 0
  #transit = Number.NaN
  #stamp = -1
  /** RFC 3550 A.1: the sequence that would prove a restart; -1: none. */
  #restartsAt = -1

  /** `now` in ms, monotonic. */
  count(packet: Uint8Array, headers: number, now: number): void {
    this.packets++
    this.bytes += packet.length + headers
    // RFC 3550 5.1: version 2 and twelve bytes at least; anything else is counted, but tells nothing
    if (packet.length < 12 || (packet[0] as number) >> 6 !== 2) return
    const sequence = ((packet[2] as number) << 8) | (packet[3] as number)
    const stamp = word(packet, 4)
    const ssrc = word(packet, 8)
    if (ssrc !== this.ssrc) this.#restart(ssrc, sequence)
    else if (this.#jumped(sequence)) {
      // RFC 3550 A.1: "Two sequential packets -- assume that the other side restarted without telling us"
      if (sequence !== this.#restartsAt) {
        this.#restartsAt = (sequence + 1) & 0xffff
        return
      }
      this.#restart(ssrc, sequence)
    }
    this.#advance(sequence)
    // packets of one time stamp (a digit of RFC 4733, a frame in parts) were sampled at once: the first tells of the way
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    const arrival = (now * this.clock) / 1000
    const transit = arrival - stamp
    const d = Math.abs(transit - this.#transit)
    // RFC 3550 A.8: J += (|D| - J) / 16; a jump of the time stamp (talk spurt of another source) is no jitter
    if (d < 10 * this.clock) this.#jitter += (d - this.#jitter) / 16
    this.#transit = transit
  }

  get lost(): number {
    return this.#lostBefore + this.#lostInRun()
  }

  /** Of this source, packets by their sequence (RFC 3550 A.3). */
  get expected(): number {
    return this.#inRun === 0 ? 0 : this.#cycles + this.#highest - this.#base + 1
  }

  get jitterMs(): number {
    return (this.#jitter * 1000) / this.clock
  }

  #lostInRun(): number {
    return Math.max(0, this.expected - this.#inRun)
  }

  #jumped(sequence: number): boolean {
    const ahead = (sequence - this.#highest) & 0xffff
    return ahead > MAX_DROPOUT && ahead < 0x10000 - MAX_MISORDER
  }

  #restart(ssrc: number, sequence: number): void {
    this.#lostBefore += this.#lostInRun()
    this.ssrc = ssrc
    this.#restartsAt = -1
    this.#stamp = -1
    this.#base = sequence
    this.#highest = sequence
    this.#cycles = 0
    this.#inRun = 0
    this.#transit = Number.NaN
  }

  #advance(sequence: number): void {
    this.#inRun++
    const ahead = (sequence - this.#highest) & 0xffff
    if (ahead === 0 || ahead >= 0x8000) return
    if (sequence < this.#highest) this.#cycles += 0x10000
    this.#highest = sequence
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  )
}
