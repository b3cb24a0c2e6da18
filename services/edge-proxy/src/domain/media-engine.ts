/**
 * What a call asks of whoever carries its audio. The embedded relay is one engine (adapters/media-relay.ts); rtpengine
 * can be another one: its answers come later, which is why descriptions are given back through `done`.
 */
import type { LegMedia } from '@tandem/contracts/call.ts'
import type { Sdp } from '@tandem/sdp/parse.ts'

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

export interface MediaEngine {
  /** One side of a call. Emergency calls may use a reserve. */
  openLeg(legId: string, emergency: boolean): MediaLeg
  /** Port pairs in use and left. */
  usage(): { readonly used: number; readonly free: number }
  close(): Promise<void>
}

export interface MediaLeg {
  /**
   * Takes in the description that this leg's peer has sent and gives the one that the peer of `to` may see, with
   * addresses of ours. `undefined`: no port is left.
   */
  relay(sdp: Sdp, peer: MediaPeer, to: MediaLeg, done: (text: string | undefined) => void): void
  /** From now on audio flows between the two. A leg talks to one other leg at a time. */
  connect(other: MediaLeg): void
  /** The codec's clock rate in Hz, for the jitter. */
  tune(clock: number): void
  /** Undefined when nothing was ever opened. */
  counts(): LegMedia | undefined
  /** Clock ms of the last packet from the peer; undefined when there was none. */
  lastHeard(): number | undefined
  /** Gives the ports back. The counts can still be read. */
  close(): void
}
