/** What rtpengine is told of the two legs of an exchange: who is believed, and how the other side is keyed. */
import type { Keying, MediaPeer } from '../domain/media-engine.ts'

/** Suites that nobody should be offered: no cipher at all, F8, and AES-192 that nobody speaks. */
const POOR_SUITES = ['NULL_HMAC_SHA1_80', 'NULL_HMAC_SHA1_32', 'F8_128_HMAC_SHA1_80', 'F8_128_HMAC_SHA1_32']
const RARE_SUITES = ['AES_192_CM_HMAC_SHA1_80', 'AES_192_CM_HMAC_SHA1_32']
const SUITES = [...POOR_SUITES, ...RARE_SUITES].map((suite) => `no-${suite}`)

type Fields = Record<string, unknown>

/**
 * For an offer or answer by `peer`, on its way to a leg keyed as `towards`.
 *
 * | towards  | transport protocol | keys                     | ICE    | RTCP  |
 * |----------|--------------------|--------------------------|--------|-------|
 * | off      | RTP/AVP            | none                     | remove | demux |
 * | optional | RTP/AVP            | SDES as RFC 8643 says    | remove | demux |
 * | required | RTP/SAVP           | SDES                     | remove | demux |
 * | dtls     | UDP/TLS/RTP/SAVPF  | DTLS-SRTP, no SDES       | force  | mux   |
 *
 * The protocol is said in offers only: in an answer rtpengine speaks the one that it was offered.
 */
export function profileOf(kind: 'offer' | 'answer', peer: MediaPeer, towards: Keying, takeovers = 0): Fields {
  return {
    ...source(peer),
    ...common(towards),
    ...(kind === 'offer' ? offered(towards, takeovers) : answered(towards)),
  }
}

/** ADR 11: a peer is heard only from where it said, one behind a NAT from its signalling address. */
function source(peer: MediaPeer): Fields {
  const family = peer.address.includes(':') ? 'IP6' : 'IP4'
  if (!peer.behindNat) return { flags: ['asymmetric', ...FLAGS], 'endpoint-learning': 'off' }
  return {
    flags: ['SIP-source-address', ...FLAGS],
    'received from': [family, peer.address],
    'endpoint-learning': 'heuristic',
  }
}

/** Directions (hold) pass as they are, and our ports stay when a peer moves. */
const FLAGS = ['strict-source', 'port-latching', 'original-sendrecv']

function common(towards: Keying): Fields {
  return { replace: ['origin', 'session-connection'], ICE: towards === 'dtls' ? 'force' : 'remove' }
}

function offered(towards: Keying, takeovers: number): Fields {
  switch (towards) {
    case 'off':
      return { 'transport-protocol': 'RTP/AVP', 'rtcp-mux': ['demux'], DTLS: 'off' }
    case 'optional':
      return { 'transport-protocol': 'RTP/AVP', OSRTP: ['offer'], SDES: SUITES, 'rtcp-mux': ['demux'], DTLS: 'off' }
    case 'required':
      return { 'transport-protocol': 'RTP/SAVP', SDES: SUITES, 'rtcp-mux': ['demux'], DTLS: 'off' }
    case 'dtls':
      return {
        'transport-protocol': 'UDP/TLS/RTP/SAVPF',
        SDES: ['off'],
        'rtcp-mux': ['require'],
        // RFC 8842 4: another fingerprint is another association. One rtpengine has one certificate, told by another hash
        ...(takeovers % 2 === 1 ? { 'DTLS-fingerprint': 'sha-384' } : {}),
      }
  }
}

function answered(towards: Keying): Fields {
  // RFC 8834 4.5: browsers insist on rtcp-mux; RFC 5763 5: who answers SHOULD be active. Told to be passive only now,
  // rtpengine never answers the handshake of the browser.
  return towards === 'dtls' ? { 'rtcp-mux': ['accept'] } : { 'rtcp-mux': ['demux'] }
}
