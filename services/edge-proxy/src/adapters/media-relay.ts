/**
 * The embedded relay: RTP and RTCP between the legs of a call, counted per leg and direction.
 *
 * A stream of a leg has a port pair of its own towards its peer. Packets are taken only from where the peer's
 * description says (address and port); of a peer behind a NAT, from its signalling address with the port of the first
 * packet (RFC 4961 symmetric RTP), which may move when the old one has been silent for a second. Everything else is
 * dropped and counted, so that nobody can inject audio by guessing a port.
 *
 * Bytes are those of the wire: payload plus 28 (IPv4 and UDP header) or 48 (IPv6) a packet, RTCP not among them.
 */

import { randomInt } from 'node:crypto'
import type { RemoteInfo } from 'node:dgram'
import { isIP, isIPv6 } from 'node:net'
import type { LegMedia } from '@tandem/contracts/call.ts'
import { isNowhere } from '@tandem/sdp/offer-answer.ts'
import type { Media, Sdp } from '@tandem/sdp/parse.ts'
import { type LegOrigin, newLegOrigin, type RelayMedia, rewriteForRelay } from '@tandem/sdp/rewrite.ts'
import type { Described, MediaEngine, MediaLeg, MediaPeer } from '../domain/media-engine.ts'
import { openPortPool, type PairUser, type PortPair, type PortPool } from './rtp-ports.ts'
import { HEADERS_IPV4, HEADERS_IPV6, RtpReceived } from './rtp-stream.ts'

/** Streams of one leg that are carried; further ones are refused with port 0. */
const MAX_STREAMS = 4
/** A NAT may give a new port when the old one has been silent for so long, ms. */
const RELATCH_MS = 1000

export interface MediaRelaySettings {
  /** Bound, and written into descriptions. */
  readonly address: string
  readonly firstPort: number
  readonly lastPort: number
  /** Monotonic, ms. */
  readonly now: () => number
  readonly quarantineMs?: number
}

export interface MediaRelay extends MediaEngine {
  /** Packets from somebody who is not the negotiated peer. */
  readonly strangers: number
}

export function openMediaRelay(settings: MediaRelaySettings): MediaRelay {
  const ports = openPortPool(settings)
  const shared: Shared = {
    ports,
    address: settings.address,
    now: settings.now,
    headers: isIPv6(settings.address) ? HEADERS_IPV6 : HEADERS_IPV4,
    strangers: 0,
  }
  return {
    openLeg: ({ emergency }) => new RelayLeg(shared, emergency),
    usage: () => ({ used: ports.used, free: ports.free }),
    get strangers() {
      return shared.strangers
    },
    close: () => ports.close(),
  }
}

interface Shared {
  readonly ports: PortPool
  readonly address: string
  readonly now: () => number
  readonly headers: number
  strangers: number
}

class RelayLeg implements MediaLeg {
  readonly #shared: Shared
  readonly #emergency: boolean
  readonly #streams: RelayStream[] = []
  #origin: LegOrigin
  #other: RelayLeg | undefined
  #closed = false

  constructor(shared: Shared, emergency: boolean) {
    this.#shared = shared
    this.#emergency = emergency
    // RFC 8866 5.2: a numeric session id, unlike any other of this address; 53 bits are as many as all readers take
    this.#origin = newLegOrigin(String(randomInt(2 ** 47)), shared.address)
  }

  offer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    this.#relay(sdp, peer, to, done)
  }

  answer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    this.#relay(sdp, peer, to, done)
  }

  #relay(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    for (let i = 0; i < sdp.media.length && i < MAX_STREAMS; i++) {
      this.#slot(i).expect(sdp.media[i] as Media, peer)
    }
    done(to instanceof RelayLeg ? to.#describe(sdp) : undefined)
  }

  connect(other: MediaLeg): void {
    if (!(other instanceof RelayLeg) || (this.#other === other && other.#other === this)) return
    this.#part()
    other.#part()
    this.#join(other)
    other.#join(this)
  }

  tune(clock: number): void {
    const first = this.#streams[0]
    if (first && clock > 0) first.received.clock = clock
  }

  counts(): LegMedia | undefined {
    if (this.#streams.length === 0) return undefined
    const sum = { packets: 0, bytes: 0, lost: 0, sentPackets: 0, sentBytes: 0, rtcpIn: 0, rtcpOut: 0 }
    for (const stream of this.#streams) {
      sum.packets += stream.received.packets
      sum.bytes += stream.received.bytes
      sum.lost += stream.received.lost
      sum.sentPackets += stream.sentPackets
      sum.sentBytes += stream.sentBytes
      sum.rtcpIn += stream.rtcpReceived
      sum.rtcpOut += stream.rtcpSent
    }
    return {
      received: {
        packets: sum.packets,
        bytes: sum.bytes,
        lost: sum.lost,
        jitterMs: Math.round((this.#streams[0]?.received.jitterMs ?? 0) * 1000) / 1000,
      },
      sent: { packets: sum.sentPackets, bytes: sum.sentBytes },
      rtcpReceived: sum.rtcpIn,
      rtcpSent: sum.rtcpOut,
    }
  }

  settle(done: (counts: LegMedia | undefined) => void): void {
    done(this.counts())
  }

  lastHeard(): number | undefined {
    let last: number | undefined
    for (const { heardMs } of this.#streams) if (heardMs > 0 && heardMs > (last ?? 0)) last = heardMs
    return last
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#part()
    for (const stream of this.#streams) stream.close()
  }

  /** A description for this leg's peer: what `sdp` says, at our addresses. */
  #describe(sdp: Sdp): string | undefined {
    const media: RelayMedia[] = []
    for (let i = 0; i < sdp.media.length; i++) {
      const wanted = carried(sdp.media[i] as Media) && i < MAX_STREAMS
      const stream = wanted ? this.#stream(i) : undefined
      if (wanted && stream === undefined && i === 0) return undefined
      media.push(stream?.pair ? { port: stream.pair.port, rtcpPort: stream.pair.port + 1 } : { port: 0, rtcpPort: 0 })
    }
    const { text, origin } = rewriteForRelay(sdp, { address: this.#shared.address, media, origin: this.#origin })
    this.#origin = origin
    return text
  }

  #stream(index: number): RelayStream | undefined {
    const stream = this.#slot(index)
    if (stream.pair === undefined && !this.#closed) stream.pair = this.#shared.ports.take(stream, this.#emergency)
    return stream.pair === undefined ? undefined : stream
  }

  #slot(index: number): RelayStream {
    while (this.#streams.length <= index) {
      const stream = new RelayStream(this.#shared)
      this.#streams.push(stream)
      stream.join(this.#other === undefined ? undefined : this.#other.#streams[this.#streams.length - 1])
    }
    return this.#streams[index] as RelayStream
  }

  /** Neither hears the other any more. */
  #part(): void {
    const other = this.#other
    this.#other = undefined
    for (const stream of this.#streams) stream.part()
    if (other !== undefined && other.#other === this) other.#part()
  }

  #join(other: RelayLeg): void {
    this.#other = other
    for (let i = 0; i < this.#streams.length; i++) this.#streams[i]?.join(other.#streams[i])
  }
}

/** What a relay of datagrams can carry. */
function carried(media: Media): boolean {
  return media.port !== 0 && !media.protocol.startsWith('TCP')
}

class RelayStream implements PairUser {
  readonly received = new RtpReceived()
  pair: PortPair | undefined
  sentPackets = 0
  sentBytes = 0
  rtcpReceived = 0
  rtcpSent = 0
  heardMs = 0
  readonly #shared: Shared
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

  constructor(shared: Shared) {
    this.#shared = shared
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
    if (from.port !== this.#fromPort || from.address !== this.#fromAddress) {
      if (!this.#learn(from)) {
        this.#shared.strangers++
        return
      }
    }
    const now = this.#shared.now()
    this.heardMs = now
    this.received.count(packet, this.#shared.headers, now)
    this.#to?.sendRtp(packet)
  }

  rtcp(packet: Buffer, from: RemoteInfo): void {
    if (from.address !== this.#fromAddress || (!this.#learns && from.port !== this.#fromRtcpPort)) {
      this.#shared.strangers++
      return
    }
    if (this.#learns && from.port !== this.#fromRtcpPort) {
      this.#fromRtcpPort = from.port
      if (this.#rtcpPort !== 0) this.#rtcpPort = from.port
    }
    this.rtcpReceived++
    this.#to?.sendRtcp(packet)
  }

  sendRtp(packet: Buffer): void {
    if (this.#port === 0 || this.pair === undefined) return
    this.sentPackets++
    this.sentBytes += packet.length + this.#shared.headers
    this.pair.rtp.send(packet, 0, packet.length, this.#port, this.#address)
  }

  sendRtcp(packet: Buffer): void {
    if (this.#rtcpPort === 0 || this.pair === undefined) return
    this.rtcpSent++
    this.pair.rtcp.send(packet, 0, packet.length, this.#rtcpPort, this.#rtcpAddress)
  }

  close(): void {
    if (this.pair) this.#shared.ports.give(this.pair)
    this.pair = undefined
    this.#to = undefined
    this.#port = 0
    this.#rtcpPort = 0
  }

  #learn(from: RemoteInfo): boolean {
    if (!this.#learns || from.address !== this.#fromAddress) return false
    if (this.#fromPort !== 0 && this.#shared.now() - this.heardMs < RELATCH_MS) return false
    this.#fromPort = from.port
    if (this.#port !== 0) this.#port = from.port
    return true
  }
}
