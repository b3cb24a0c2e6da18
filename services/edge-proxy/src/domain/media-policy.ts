/** What the configuration says of a leg's media: keys, codecs, and with whom it may talk past the edge. Per call. */
import type { Configuration } from '@tandem/config/defaults.ts'
import type { Party } from '@tandem/contracts/values.ts'
import type { CodecPolicy } from '@tandem/sdp/codec-policy.ts'
import type { Keying, MediaPeer } from './media-engine.ts'

/** Where a peer is, when it may talk to others past the edge. */
export interface Neighbourhood {
  /** Of a user; a trunk has none. */
  readonly site: string | undefined
  readonly listener: string
}

export interface MediaPolicy {
  readonly keying: Keying
  readonly codecs: CodecPolicy | undefined
  /** Undefined: its audio always goes through the edge. */
  readonly bypass: Neighbourhood | undefined
}

/** Of a leg that nobody is behind. */
export const PLAIN_MEDIA: MediaPolicy = { keying: 'off', codecs: undefined, bypass: undefined }

/** Of a browser: its candidates are found by ICE, so it is nobody's neighbour. */
const BROWSER_MEDIA: MediaPolicy = { keying: 'dtls', codecs: undefined, bypass: undefined }

/** `listener`: on which the peer is reached. */
export function mediaPolicy(config: Configuration, party: Party, listener: string, peer: MediaPeer): MediaPolicy {
  const on = config.edge.listen[listener]
  // RFC 8827 6.5: a browser speaks DTLS-SRTP and nothing else
  if (on?.transport === 'ws' || on?.transport === 'wss') return BROWSER_MEDIA
  const keys = on?.srtp ?? 'off'
  if (party.kind === 'trunk') {
    const trunk = config.trunks[party.trunk]
    return {
      keying: trunk?.srtp ?? keys,
      codecs: trunk?.codecs ?? undefined,
      bypass: trunk?.mediaBypass && !peer.behindNat ? { site: undefined, listener } : undefined,
    }
  }
  const user = party.kind === 'user' ? config.users[party.user] : undefined
  const site = user === undefined ? undefined : config.sites[user.site]
  return {
    keying: user?.srtp ?? keys,
    codecs: undefined,
    // an address behind a NAT means nothing to anybody else
    bypass: site?.mediaBypass && !peer.behindNat ? { site: site.name, listener } : undefined,
  }
}

/**
 * Two users of one site, or a user and a trunk, or two trunks, on one listener: both sides are marked, so each may know
 * where the other is, and both reach it (E10: no address crosses a zone).
 */
export function areNeighbours(a: Neighbourhood | undefined, b: Neighbourhood | undefined): boolean {
  if (a === undefined || b === undefined) return false
  if (a.site !== undefined && b.site !== undefined) return a.site === b.site
  return a.listener === b.listener
}
