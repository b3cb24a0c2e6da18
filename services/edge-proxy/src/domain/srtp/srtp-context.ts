/**
 * One direction of SRTP and SRTCP under one master key (RFC 3711): makes packets secret, or takes in what is authentic
 * and new. Sources are told apart by SSRC. Never throws; a packet that is not right gives undefined.
 */
import { HmacSha1 } from './hmac-sha1.ts'
import { PacketIndex } from './packet-index.ts'
import { SALT_BYTES, type SessionKeys, type Suite, sessionKeys } from './session-keys.ts'

/** RFC 4568 6.2.2, RFC 3711 5.2: of SRTCP, in every suite. */
const RTCP_TAG = 10
const RTP_HEADER = 12
const RTCP_HEADER = 8
const INDEX_WORD = 4
/** Sources of one peer: a call has a few; more than these are not taken. */
const MAX_SOURCES = 64
/** RFC 3711 9.2: SRTCP packets under one key. */
const MAX_RTCP_INDEX = 0x7fffffff

export class SrtpContext {
  readonly #tagBytes: number
  readonly #rtp: SessionKeys
  readonly #rtcp: SessionKeys
  readonly #rtpMac: HmacSha1
  readonly #rtcpMac: HmacSha1
  readonly #sources = new Map<number, PacketIndex>()
  readonly #rtcpSources = new Map<number, PacketIndex>()
  readonly #iv = new Uint8Array(16)
  #rtcpIndex = 0

  /** `key`: master key and salt, one after the other, as `a=crypto` has them. */
  constructor(suite: Suite, key: Uint8Array) {
    const master = key.subarray(0, suite.keyBytes)
    const salt = key.subarray(suite.keyBytes, suite.keyBytes + SALT_BYTES)
    this.#tagBytes = suite.tagBytes
    this.#rtp = sessionKeys(master, salt, 'rtp')
    this.#rtcp = sessionKeys(master, salt, 'rtcp')
    this.#rtpMac = new HmacSha1(this.#rtp.authentication)
    this.#rtcpMac = new HmacSha1(this.#rtcp.authentication)
  }

  /** A packet of its own, longer by the tag. The same sequence number twice would betray both: undefined. */
  protectRtp(packet: Buffer): Buffer | undefined {
    const length = packet.length
    const header = headerBytes(packet, length)
    if (header === undefined) return undefined
    const ssrc = word(packet, 8)
    const source = this.#sources.get(ssrc) ?? new PacketIndex()
    const index = source.guess(sequenceOf(packet))
    if (!source.fresh(index) || !took(this.#sources, ssrc, source, index)) return undefined
    const out = Buffer.allocUnsafe(length + this.#tagBytes)
    packet.copy(out)
    this.#crypt(this.#rtp, out, header, length, ssrc, index)
    const digest = this.#rtpMac.update(out, length, Math.floor(index / 0x10000))
    writeTag(digest, out, length, this.#tagBytes)
    return out
  }

  /** The packet in the clear, in the same memory. */
  unprotectRtp(packet: Buffer): Buffer | undefined {
    const length = packet.length - this.#tagBytes
    const header = headerBytes(packet, length)
    if (header === undefined) return undefined
    const ssrc = word(packet, 8)
    const source = this.#sources.get(ssrc) ?? new PacketIndex()
    const index = source.guess(sequenceOf(packet))
    if (!source.fresh(index)) return undefined
    const digest = this.#rtpMac.update(packet, length, Math.floor(index / 0x10000))
    if (!sameTag(digest, packet, length, this.#tagBytes)) return undefined
    if (!took(this.#sources, ssrc, source, index)) return undefined
    this.#crypt(this.#rtp, packet, header, length, ssrc, index)
    return packet.subarray(0, length)
  }

  protectRtcp(packet: Buffer): Buffer | undefined {
    const length = packet.length
    if (length < RTCP_HEADER || version(packet) !== 2 || this.#rtcpIndex >= MAX_RTCP_INDEX) return undefined
    const index = ++this.#rtcpIndex
    const out = Buffer.allocUnsafe(length + INDEX_WORD + RTCP_TAG)
    packet.copy(out)
    this.#crypt(this.#rtcp, out, RTCP_HEADER, length, word(packet, 4), index)
    // RFC 3711 3.4: the E flag and the index of 31 bits
    out.writeUInt32BE((0x80000000 | index) >>> 0, length)
    const digest = this.#rtcpMac.update(out, length + INDEX_WORD, undefined)
    writeTag(digest, out, length + INDEX_WORD, RTCP_TAG)
    return out
  }

  unprotectRtcp(packet: Buffer): Buffer | undefined {
    const signed = packet.length - RTCP_TAG
    const length = signed - INDEX_WORD
    if (length < RTCP_HEADER || version(packet) !== 2) return undefined
    const ssrc = word(packet, 4)
    const source = this.#rtcpSources.get(ssrc) ?? new PacketIndex()
    const trailer = word(packet, length)
    const index = trailer & 0x7fffffff
    if (!source.fresh(index)) return undefined
    const digest = this.#rtcpMac.update(packet, signed, undefined)
    if (!sameTag(digest, packet, signed, RTCP_TAG)) return undefined
    if (!took(this.#rtcpSources, ssrc, source, index)) return undefined
    if (trailer >>> 31 === 1) this.#crypt(this.#rtcp, packet, RTCP_HEADER, length, ssrc, index)
    return packet.subarray(0, length)
  }

  /** RFC 3711 4.1.1: IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16). */
  #crypt(keys: SessionKeys, bytes: Buffer, from: number, to: number, ssrc: number, index: number): void {
    const iv = this.#iv
    iv.set(keys.salt)
    xor(iv, 4, ssrc)
    const high = Math.floor(index / 0x100000000)
    iv[8] = (iv[8] as number) ^ (high >>> 8)
    iv[9] = (iv[9] as number) ^ (high & 0xff)
    xor(iv, 10, index >>> 0)
    keys.cipher.apply(iv, bytes, from, to)
  }
}

function xor(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (bytes[at] as number) ^ (value >>> 24)
  bytes[at + 1] = (bytes[at + 1] as number) ^ ((value >>> 16) & 0xff)
  bytes[at + 2] = (bytes[at + 2] as number) ^ ((value >>> 8) & 0xff)
  bytes[at + 3] = (bytes[at + 3] as number) ^ (value & 0xff)
}

/** RFC 3550 5.1, 5.3.1: twelve bytes, the contributing sources, and the extension; undefined when they do not fit. */
function headerBytes(packet: Buffer, length: number): number | undefined {
  if (length < RTP_HEADER || version(packet) !== 2) return undefined
  const first = packet[0] as number
  let header = RTP_HEADER + 4 * (first & 0x0f)
  if ((first & 0x10) !== 0) {
    if (header + 4 > length) return undefined
    header += 4 + 4 * packet.readUInt16BE(header + 2)
  }
  return header <= length ? header : undefined
}

/** Only what is authentic becomes a source: a stranger cannot use them up. */
function took(sources: Map<number, PacketIndex>, ssrc: number, source: PacketIndex, index: number): boolean {
  if (!sources.has(ssrc)) {
    if (sources.size >= MAX_SOURCES) return false
    sources.set(ssrc, source)
  }
  source.took(index)
  return true
}

const version = (packet: Buffer): number => (packet[0] as number) >>> 6
const sequenceOf = (packet: Buffer): number => ((packet[2] as number) << 8) | (packet[3] as number)
const word = (bytes: Buffer, at: number): number =>
  (((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)) >>>
  0

function writeTag(digest: Int32Array, out: Buffer, at: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) out[at + i] = ((digest[i >>> 2] as number) >>> (24 - 8 * (i & 3))) & 0xff
}

/** In the same time whatever the tag is. */
function sameTag(digest: Int32Array, packet: Buffer, at: number, bytes: number): boolean {
  let difference = 0
  for (let i = 0; i < bytes; i++) {
    difference |= (packet[at + i] as number) ^ (((digest[i >>> 2] as number) >>> (24 - 8 * (i & 3))) & 0xff)
  }
  return difference === 0
}
