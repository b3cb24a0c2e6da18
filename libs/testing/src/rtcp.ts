/** RTCP of a test peer (RFC 3550 6.4): what it hears, counted (A.3, A.8), and the reports that say so. */

/** One report block of RFC 3550 6.4.1; `lost` cumulative, `jitter` in units of the time stamp, `dlsr` in 1/65536 s. */
export interface Report {
  readonly source: number
  readonly fractionLost: number
  readonly lost: number
  readonly highest: number
  readonly jitter: number
  readonly lsr: number
  readonly dlsr: number
}

export interface Sender {
  readonly timestamp: number
  readonly packets: number
  readonly octets: number
  /** Wall clock, ms since 1970. */
  readonly wallMs: number
}

const NTP_EPOCH_S = 2_208_988_800
const BLOCK = 24

/** A sender report (with `sender`) or a receiver report, and SDES with a CNAME: a compound as 6.1 wants it. */
export function writeRtcp(ssrc: number, blocks: readonly Report[], sender?: Sender): Buffer {
  const head = sender === undefined ? 8 : 28
  const report = Buffer.alloc(head + BLOCK * blocks.length)
  const type = sender === undefined ? 201 : 200
  report.writeUInt32BE((0x80000000 | (blocks.length << 24) | (type << 16) | (report.length / 4 - 1)) >>> 0, 0)
  report.writeUInt32BE(ssrc, 4)
  if (sender !== undefined) {
    report.writeUInt32BE((Math.floor(sender.wallMs / 1000) + NTP_EPOCH_S) >>> 0, 8)
    report.writeUInt32BE(Math.floor(((sender.wallMs % 1000) / 1000) * 2 ** 32), 12)
    report.writeUInt32BE(sender.timestamp >>> 0, 16)
    report.writeUInt32BE(sender.packets >>> 0, 20)
    report.writeUInt32BE(sender.octets >>> 0, 24)
  }
  blocks.forEach((block, i) => {
    const at = head + BLOCK * i
    report.writeUInt32BE(block.source, at)
    report.writeInt32BE((block.fractionLost << 24) | (block.lost & 0xffffff), at + 4)
    report.writeUInt32BE(block.highest >>> 0, at + 8)
    report.writeUInt32BE(block.jitter >>> 0, at + 12)
    report.writeUInt32BE(block.lsr, at + 16)
    report.writeUInt32BE(block.dlsr >>> 0, at + 20)
  })
  const cname = Buffer.from(`${ssrc.toString(16).padStart(8, '0')}@phone`)
  const description = Buffer.alloc(8 + Math.ceil((2 + cname.length + 1) / 4) * 4)
  description.writeUInt32BE((0x81ca0000 | (description.length / 4 - 1)) >>> 0, 0)
  description.writeUInt32BE(ssrc, 4)
  description[8] = 1
  description[9] = cname.length
  description.set(cname, 10)
  return Buffer.concat([report, description])
}

/** What a report that answers this sender report names as LSR: the middle of its NTP time stamp; undefined: it is none. */
export function timeOfSenderReport(packet: Buffer): number | undefined {
  return packet.length >= 28 && packet[1] === 200 ? packet.readUInt32BE(10) : undefined
}

/** What one stream is heard of. Times monotonic, ms. */
export class Reception {
  #ssrc = -1
  #base = 0
  #highest = 0
  #received = 0
  #expectedBefore = 0
  #receivedBefore = 0
  #jitter = 0
  #transit: number | undefined
  #lsr = 0
  #lsrMs = 0
  readonly #clock: number

  constructor(clock: number) {
    this.#clock = clock
  }

  rtp(packet: Buffer, nowMs: number): void {
    const sequence = packet.readUInt16BE(2)
    const ssrc = packet.readUInt32BE(8)
    if (ssrc !== this.#ssrc) {
      this.#ssrc = ssrc
      this.#base = this.#highest = sequence
      this.#received = this.#expectedBefore = this.#receivedBefore = 0
      this.#transit = undefined
    }
    this.#received++
    const ahead = (sequence - this.#highest) & 0xffff
    if (ahead < 0x8000) this.#highest += ahead
    const transit = (nowMs * this.#clock) / 1000 - packet.readUInt32BE(4)
    if (this.#transit !== undefined) this.#jitter += (Math.abs(transit - this.#transit) - this.#jitter) / 16
    this.#transit = transit
  }

  rtcp(packet: Buffer, nowMs: number): void {
    const time = timeOfSenderReport(packet)
    if (time === undefined) return
    this.#lsr = time
    this.#lsrMs = nowMs
  }

  /** Undefined: nothing was heard. */
  report(nowMs: number): Report | undefined {
    if (this.#received === 0) return undefined
    const expected = this.#highest - this.#base + 1
    const interval = expected - this.#expectedBefore
    const lost = interval - (this.#received - this.#receivedBefore)
    this.#expectedBefore = expected
    this.#receivedBefore = this.#received
    const heldMs = nowMs - this.#lsrMs
    return {
      source: this.#ssrc,
      fractionLost: interval === 0 || lost <= 0 ? 0 : Math.floor((256 * lost) / interval),
      lost: expected - this.#received,
      highest: this.#highest,
      jitter: Math.round(this.#jitter),
      lsr: this.#lsr,
      dlsr: this.#lsr === 0 ? 0 : Math.max(1, Math.round((heldMs * 65_536) / 1000)),
    }
  }
}
