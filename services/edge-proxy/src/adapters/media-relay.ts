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

import { randomBytes, randomInt } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { LegMedia } from '@tandem/contracts/call.ts'
import type { Media, Sdp } from '@tandem/sdp/parse.ts'
import { type LegOrigin, newLegOrigin, originOf, type RelayMedia, rewriteForRelay } from '@tandem/sdp/rewrite.ts'
import type { Described, LegSettings, MediaEngine, MediaLeg, MediaPeer } from '../domain/media-engine.ts'
import { StreamKeying } from '../domain/srtp/stream-keying.ts'
import { type HeardKeys, heardKeys, takesOffer } from '../domain/srtp/takes-offer.ts'
import { countedOf } from './relay-counts.ts'
import { RelayStream, type StreamHost } from './relay-stream.ts'
import { openPortPool } from './rtp-ports.ts'
import { HEADERS_IPV4, HEADERS_IPV6 } from './rtp-stream.ts'

/** Streams of one leg that are carried; further ones are refused with port 0. */
const MAX_STREAMS = 4
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
  /** SRTP packets that are not authentic, or were there already. */
  readonly forged: number
}

export function openMediaRelay(settings: MediaRelaySettings): MediaRelay {
  const ports = openPortPool(settings)
  const shared: Shared = {
    ports,
    address: settings.address,
    now: settings.now,
    headers: isIPv6(settings.address) ? HEADERS_IPV6 : HEADERS_IPV4,
    strangers: 0,
    forged: 0,
  }
  return {
    openLeg: (settings) => new RelayLeg(shared, settings),
    usage: () => ({ used: ports.used, free: ports.free }),
    get strangers() {
      return shared.strangers
    },
    get forged() {
      return shared.forged
    },
    close: () => ports.close(),
  }
}

interface Shared extends StreamHost {
  readonly address: string
}

class RelayLeg implements MediaLeg {
  readonly direct = false
  readonly #shared: Shared
  readonly #settings: LegSettings
  readonly #streams: RelayStream[] = []
  #origin: LegOrigin
  #other: RelayLeg | undefined
  #closed = false

  constructor(shared: Shared, settings: LegSettings) {
    this.#shared = shared
    this.#settings = settings
    // RFC 8866 5.2: a numeric session id, unlike any other of this address; 53 bits are as many as all readers take
    this.#origin = newLegOrigin(String(randomInt(2 ** 47)), shared.address)
  }

  offer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    if (!(to instanceof RelayLeg)) return void done(undefined, 503)
    // the router may find out that it is a call for help when the caller's leg is open already
    const emergency = this.#settings.emergency || to.#settings.emergency
    const { keying } = this.#settings
    // DTLS-SRTP and ICE are rtpengine's
    if (keying === 'dtls' || !takesOffer({ keying, emergency }, sdp)) return void done(undefined, 488)
    for (const [media, stream, heard] of this.#heard(sdp)) {
      stream.keying.heardOffer(heard)
      stream.expect(media, peer)
    }
    done(to.#describe(sdp, 'offer'), 503)
  }

  answer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void {
    for (const [media, stream, heard] of this.#heard(sdp)) {
      if (!stream.keying.heardAnswer(heard)) return void done(undefined, 488)
      stream.expect(media, peer)
    }
    done(to instanceof RelayLeg ? to.#describe(sdp, 'answer') : undefined)
  }

  /** The streams of a description with what it says of their keys; refused ones are silent. */
  #heard(sdp: Sdp): (readonly [Media, RelayStream, HeardKeys])[] {
    const found: (readonly [Media, RelayStream, HeardKeys])[] = []
    for (let i = 0; i < sdp.media.length && i < MAX_STREAMS; i++) {
      const media = sdp.media[i] as Media
      const stream = this.#slot(i)
      if (media.port !== 0) found.push([media, stream, heardKeys(sdp, media)])
      else stream.expect(media, NOBODY)
    }
    return found
  }

  resume(said: string): void {
    this.#origin = originOf(said) ?? this.#origin
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
    return this.#streams.length === 0 ? undefined : countedOf(this.#streams)
  }

  settle(done: (counts: LegMedia | undefined) => void): void {
    done(this.counts())
  }

  lastHeard(): number | undefined {
    let last: number | undefined
    for (const { heardMs, reportedMs } of this.#streams) {
      const ms = Math.max(heardMs, reportedMs)
      if (ms > 0 && ms > (last ?? 0)) last = ms
    }
    return last
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#part()
    for (const stream of this.#streams) stream.close()
  }

  /** A description for this leg's peer: what `sdp` says, at our addresses. */
  #describe(sdp: Sdp, kind: 'offer' | 'answer'): string | undefined {
    const media: RelayMedia[] = []
    for (let i = 0; i < sdp.media.length; i++) {
      const section = sdp.media[i] as Media
      const wanted = carried(section) && i < MAX_STREAMS
      const stream = wanted ? this.#stream(i) : undefined
      if (wanted && stream === undefined && i === 0) return undefined
      const keys = stream?.keying[kind](section.protocol) ?? { protocol: section.protocol, crypto: [] }
      const port = stream?.pair?.port
      media.push(port === undefined ? { port: 0, rtcpPort: 0, ...keys } : { port, rtcpPort: port + 1, ...keys })
    }
    const { text, origin } = rewriteForRelay(sdp, { address: this.#shared.address, media, origin: this.#origin })
    this.#origin = origin
    return text
  }

  #stream(index: number): RelayStream | undefined {
    const stream = this.#slot(index)
    if (stream.pair === undefined && !this.#closed)
      stream.pair = this.#shared.ports.take(stream, this.#settings.emergency)
    return stream.pair === undefined ? undefined : stream
  }

  #slot(index: number): RelayStream {
    while (this.#streams.length <= index) {
      const { keying, emergency } = this.#settings
      const stream = new RelayStream(this.#shared, new StreamKeying(keying, emergency, randomBytes))
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

/** Of a refused stream nothing is heard. */
const NOBODY: MediaPeer = { address: '', behindNat: false }

/** What a relay of datagrams can carry. */
function carried(media: Media): boolean {
  return media.port !== 0 && !media.protocol.startsWith('TCP')
}
