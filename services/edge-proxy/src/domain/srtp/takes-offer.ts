/** Whether the offer of a peer fits the keying of its leg: looked at before anything changes, for every engine. */
import { attributes } from '@tandem/sdp/attributes.ts'
import type { Media, Sdp } from '@tandem/sdp/parse.ts'
import type { LegSettings } from '../media-engine.ts'
import { usable } from './sdes.ts'

/** What a peer's section says: RTP/SAVP …, and the values of its `a=crypto`. */
export interface HeardKeys {
  readonly protocol: string
  readonly crypto: readonly string[]
}

export const RTP = /^RTP\/S?AVPF?$/
export const SECURE = /^RTP\/SAVPF?$/

export function heardKeys(sdp: Sdp, media: Media): HeardKeys {
  return { protocol: media.protocol, crypto: attributes(sdp, media.start, media.end, 'crypto') }
}

export function takesOffer(leg: Pick<LegSettings, 'keying' | 'emergency'>, sdp: Sdp): boolean {
  return sdp.media.every((media) => media.port === 0 || takes(leg, heardKeys(sdp, media)))
}

function takes({ keying, emergency }: Pick<LegSettings, 'keying' | 'emergency'>, heard: HeardKeys): boolean {
  const dtls = heard.protocol.startsWith('UDP/TLS')
  if (dtls || keying === 'dtls') return dtls === (keying === 'dtls')
  // location.md L1: a call for help is taken as it comes; fax and the like have no keys
  if (emergency || !RTP.test(heard.protocol)) return true
  const can = usable(heard.crypto).length > 0
  if (SECURE.test(heard.protocol)) return keying !== 'off' && can
  return keying !== 'required' || can
}
