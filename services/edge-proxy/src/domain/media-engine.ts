/**
 * What a call asks of whoever carries its audio. Two engines know it: the embedded relay (adapters/media-relay.ts), which
 * answers at once, and rtpengine (adapters/rtpengine.ts), which answers over a socket. So descriptions come back through
 * `done`, within a bounded time, and whoever waits looks whether the call is still there.
 */
import type { LegMedia } from '@tandem/contracts/call.ts'
import type { Sdp } from '@tandem/sdp/parse.ts'
import type { MediaPolicy } from './media-policy.ts'

/**
 * How the peer of a leg keys its media.
 * - `off`: RTP/AVP. An offer of SRTP is refused (never that of an emergency call).
 * - `optional`: SDES when the peer wants it; it is offered as RFC 8643 says, RTP/AVP with `a=crypto`.
 * - `required`: SDES (RFC 4568), RTP/SAVP, or no call (an emergency call goes on without).
 * - `dtls`: a browser: UDP/TLS/RTP/SAVPF with DTLS-SRTP (RFC 5764), ICE and rtcp-mux (RFC 8834, 8835). rtpengine only.
 */
export type Keying = 'off' | 'optional' | 'required' | 'dtls'

/** The far end of a leg, as far as media is concerned. */
export interface MediaPeer {
  /** Where its signalling comes from. */
  readonly address: string
  /**
   * The peer sits behind a NAT: its description names an address that is not its own. Then packets are taken from its
   * signalling address, and the port is learnt from the first one. Anybody else is heard only from where he said.
   */
  readonly behindNat: boolean
}

export interface LegSettings extends MediaPolicy {
  /** Unique on this edge. */
  readonly legId: string
  /** May use a reserve, and whatever engine is left. */
  readonly emergency: boolean
  /** How often edges before this one have described themselves to its peer. */
  readonly takeovers?: number
}

/** Why there is no description: no port or no engine is left (503), or the peer's cannot be carried (488). */
export type NoDescription = 503 | 488

/** A description for the peer of the other leg, or why there is none. */
export type Described = (text: string | undefined, why?: NoDescription) => void

export interface MediaEngine {
  /** One side of a call. */
  openLeg(settings: LegSettings): MediaLeg
  /** Port pairs in use and left. */
  usage(): { readonly used: number; readonly free: number }
  close(): Promise<void>
}

export interface MediaLeg {
  /**
   * Takes in the offer that this leg's peer has made and gives the one that the peer of `to` may see, with addresses of
   * ours and keyed as that leg is.
   */
  offer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void
  /** The same for the answer of this leg's peer to the last offer of `to`; an early one, too (183). */
  answer(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: Described): void
  /** Its audio goes past the edge: there is nothing to count or to hear. */
  readonly direct: boolean
  /** What another edge has last told this leg's peer of us: descriptions go on from it (RFC 3264 8). */
  resume?(said: string): void
  /** From now on audio flows between the two. A leg talks to one other leg at a time. */
  connect(other: MediaLeg): void
  /** The codec's clock rate in Hz, for the jitter. */
  tune(clock: number): void
  /** As far as known now; undefined when nothing was ever opened. */
  counts(): LegMedia | undefined
  /** The last counts, when the leg is over: before `close`, within a bounded time. */
  settle(done: (counts: LegMedia | undefined) => void): void
  /** Clock ms of the last packet from the peer, RTP or RTCP; undefined when there was none. */
  lastHeard(): number | undefined
  /** Gives the ports back. The counts can still be read. */
  close(): void
}
