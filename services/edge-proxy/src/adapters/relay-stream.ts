/**
 * One stream of a leg in the embedded relay: a port pair towards the peer, where packets may come from and where they go
 * (ADR 11), what is counted, and SRTP where the leg has it. A packet that is not authentic teaches nothing: neither is it
 * passed on nor is its port learnt.
 */
import type { RemoteInfo } from 'node:dgram'
import { isIP } from 'node:net'
import { isNowhere } from '@tandem/sdp/offer-answer.ts'
import type { Media } from '@tandem/sdp/parse.ts'
import { FarEnd } from '../domain/far-end.ts'
import type { MediaPeer } from '../domain/media-engine.ts'
import { type Rtcp, readRtcp } from '../domain/rtcp.ts'
import type { StreamKeying } from '../domain/srtp/stream-keying.ts'
import { narrow, widen } from './narrow-socket.ts'
import type { PairUser, PortPair, PortPool } from './rtp-ports.ts'
import { RtpReceived } from './rtp-stream.ts'

/** A NAT may give a new port when the old one has been silent for so long, ms. */
const RELATCH_MS = 1000
/** Packets from where the peer said; then its socket is for nobody else (ADR 135). */
const PROVEN = 50

/** What the streams of a relay share. */
export interface StreamHost {
  readonly ports: PortPool
  /** Monotonic, ms. */
  readonly now: () => number
  /** IP and UDP, bytes a packet. */
  readonly headers: number
  /** Packets from somebody who is not the negotiated peer. */
  strangers: number
  /** SRTP that is not authentic, or was there already. */
  forged: number
}

export class RelayStream implements PairUser {
  readonly received = new RtpReceived()
  pair: PortPair | undefined
  sentPackets = 0
  sentBytes = 0
  rtcpReceived = 0
  rtcpSent = 0
  heardMs = 0
  /** RTCP is life, too: who is on hold or muted may send nothing else (RFC 3550 6.4). */
  reportedMs = 0
  readonly farEnd = new FarEnd()
  /** SRTP towards and from the peer. */
  readonly keying: StreamKeying
  readonly #shared: StreamHost
  #to: RelayStream | undefined
  /** Where packets go; port 0: nowhere. */
  #address = ''
  #port = 0
  #rtcpAddress = ''
  #rtcpPort = 0
  /** Where packets may come from. */
  #fromAddress = ''
  #fromPort = 0
  #fromRtcpPort = 0
  /** The port is learnt from what comes. */
  #learns = false
  /** The port in the peer's last description. */
  #declared = 0
  /** Packets from there since it was said. */
  #proof = 0
  #narrow = false

  constructor(shared: StreamHost, keying: StreamKeying) {
    this.#shared = shared
    this.keying = keying
  }

  /** Both directions, so that a stream that was opened later finds its counterpart. */
  join(other: RelayStream | undefined): void {
    if (other === undefined) return
    this.#to = other
    other.#to = this
  }

  part(): void {
    this.#to = undefined
  }

  expect(media: Media, peer: MediaPeer): void {
    const address = media.connection?.address ?? ''
    // a host name in c= would need a look-up a packet: such a peer is heard at its signalling address
    const literal = isIP(address) !== 0
    const silent = media.port === 0 || isNowhere(media.connection)
    const learns = peer.behindNat || !literal
    const fromAddress = learns ? peer.address : address
    const same = learns && this.#learns && fromAddress === this.#fromAddress && this.#declared === media.port
    this.#declared = media.port
    if (same && !silent && this.#port !== 0) return
    this.#widen()
    this.#learns = learns
    this.#fromAddress = fromAddress
    this.#fromPort = learns ? 0 : media.port
    this.#fromRtcpPort = learns ? 0 : media.rtcpPort
    this.#address = fromAddress
    this.#port = silent ? 0 : media.port
    this.#rtcpAddress = learns || media.rtcpAddress === undefined ? fromAddress : media.rtcpAddress
    // RTP at 65535 leaves no port for RTCP; a socket throws at 65536
    this.#rtcpPort = silent || media.rtcpPort > 65_535 ? 0 : media.rtcpPort
  }

  rtp(packet: Buffer, from: RemoteInfo): void {
    const known = from.port === this.#fromPort && from.address === this.#fromAddress
    if (!known && !this.#mayBe(from)) {
      this.#shared.strangers++
      return
    }
    const clear = this.keying.inward(packet, false)
    if (clear === undefined) {
      this.#shared.forged++
      return
    }
    if (!known) this.#learn(from)
    else if (this.#proof < PROVEN && ++this.#proof === PROVEN) this.#proven()
    const now = this.#shared.now()
    this.heardMs = now
    this.received.count(packet, this.#shared.headers, now)
    this.#to?.sendRtp(clear)
  }

  rtcp(packet: Buffer, from: RemoteInfo): void {
    if (from.address !== this.#fromAddress || (!this.#learns && from.port !== this.#fromRtcpPort)) {
      this.#shared.strangers++
      return
    }
    const clear = this.keying.inward(packet, true)
    if (clear === undefined) {
      this.#shared.forged++
      return
    }
    if (this.#learns && from.port !== this.#fromRtcpPort) {
      this.#fromRtcpPort = from.port
      if (this.#rtcpPort !== 0) this.#rtcpPort = from.port
    }
    this.rtcpReceived++
    const now = this.#shared.now()
    this.reportedMs = now
    const rtcp = readRtcp(clear)
    this.#hear(rtcp, now)
    this.#to?.sendRtcp(clear, rtcp, now)
  }

  sendRtp(clear: Buffer): void {
    if (this.#port === 0 || this.pair === undefined) return
    const packet = this.keying.outward(clear, false)
    if (packet === undefined) return
    this.sentPackets++
    this.sentBytes += packet.length + this.#shared.headers
    if (this.#narrow) this.pair.rtp.send(packet)
    else this.pair.rtp.send(packet, this.#port, this.#address)
  }

  sendRtcp(clear: Buffer, { senders }: Rtcp, now: number): void {
    if (this.#rtcpPort === 0 || this.pair === undefined) return
    const packet = this.keying.outward(clear, true)
    if (packet === undefined) return
    this.rtcpSent++
    for (const sender of senders) this.farEnd.told(sender, now)
    this.pair.rtcp.send(packet, this.#rtcpPort, this.#rtcpAddress)
  }

  close(): void {
    this.#widen()
    if (this.pair) this.#shared.ports.give(this.pair)
    this.pair = undefined
    this.#to = undefined
    this.#port = 0
    this.#rtcpPort = 0
  }

  /** What the peer says of the stream that it gets from the other leg. */
  #hear({ blocks, metrics }: Rtcp, now: number): void {
    const source = this.#to?.received
    if (source === undefined) return
    for (const block of blocks) this.farEnd.heard(block, source, now)
    for (const { source: of, says } of metrics) if (of === source.ssrc) this.farEnd.says(says)
  }

  /** Who is behind a NAT may come from another port some day. */
  #proven(): void {
    if (this.#learns || this.#port === 0 || this.pair === undefined) return
    this.#narrow = narrow(this.pair.rtp, this.#port, this.#address)
  }

  #widen(): void {
    this.#proof = 0
    if (this.#narrow && this.pair !== undefined) widen(this.pair.rtp)
    this.#narrow = false
  }

  /** Behind a NAT: from the right address, and the port that it had is silent. */
  #mayBe(from: RemoteInfo): boolean {
    if (!this.#learns || from.address !== this.#fromAddress) return false
    return this.#fromPort === 0 || this.#shared.now() - this.heardMs >= RELATCH_MS
  }

  #learn(from: RemoteInfo): void {
    this.#fromPort = from.port
    if (this.#port !== 0) this.#port = from.port
  }
}
