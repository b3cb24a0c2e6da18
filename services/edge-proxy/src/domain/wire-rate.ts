/**
 * What a call takes of a link, one way, as the link counts it: payload with the headers of RTP, UDP and IP around each
 * packet. A G.711 call with 20 ms packets is 80 kbit/s on IPv4, not 64 (Lync counts so too).
 */
import { codecsOf, ptimeOf } from '@tandem/sdp/attributes.ts'
import { audioOf } from '@tandem/sdp/offer-answer.ts'
import type { Sdp } from '@tandem/sdp/parse.ts'

/** kbit/s of sound, by the encoding name of RFC 3551 and of each codec's payload format; the highest rate it has. */
const PAYLOAD: ReadonlyMap<string, number> = new Map([
  ['pcmu', 64],
  ['pcma', 64],
  ['g722', 64],
  ['g729', 8],
  ['g723', 6.4],
  ['g726-16', 16],
  ['g726-24', 24],
  ['g726-32', 32],
  ['g726-40', 40],
  ['gsm', 13.2],
  ['ilbc', 15.2],
  ['speex', 27.8],
  ['amr', 12.2],
  ['amr-wb', 23.85],
  // RFC 7587 3.1.1: full-band speech
  ['opus', 40],
  ['silk', 40],
])
const UNKNOWN = 64
const PTIME_MS = 20
/** RTP 12 (RFC 3550 5.1), UDP 8, and IPv4 20 or IPv6 40; the tag of SRTP (RFC 3711 4.2.1). */
const RTP_UDP = 20
const SRTP_TAG = 10
/** No sound of its own beside the voice. */
const SILENT = /^(telephone-event|cn|red)$/i

/** kbit/s one way. `rate` of the payload in kbit/s, one packet every `ptimeMs`. */
export function wireKbps(rate: number, ptimeMs: number, more: { ipv6?: boolean; srtp?: boolean } = {}): number {
  const headers = RTP_UDP + (more.ipv6 ? 40 : 20) + (more.srtp ? SRTP_TAG : 0)
  return rate + (headers * 8) / ptimeMs
}

/** A call whose codec nobody knows yet: G.711. */
export const ASSUMED_KBPS = wireKbps(UNKNOWN, PTIME_MS)

/** The most that any codec of an offer would take: known before the answer says which it is. */
export function peakKbps(sdp: Sdp | undefined): number {
  return sdp === undefined ? ASSUMED_KBPS : rates(sdp).reduce((most, rate) => Math.max(most, rate), 0) || ASSUMED_KBPS
}

/** What the codec of an answer takes: RFC 3264 6.1, the first one that carries sound. */
export function agreedKbps(answer: Sdp): number {
  return rates(answer)[0] ?? ASSUMED_KBPS
}

function rates(sdp: Sdp): number[] {
  const audio = audioOf(sdp)
  if (audio === undefined) return []
  const ptime = ptimeOf(sdp, audio) ?? PTIME_MS
  const more = { ipv6: audio.connection?.type === 'IP6', srtp: audio.protocol.includes('SAVP') }
  return codecsOf(sdp, audio)
    .filter(({ name }) => !SILENT.test(name))
    .map(({ name }) => wireKbps(PAYLOAD.get(name.toLowerCase()) ?? UNKNOWN, Math.min(Math.max(ptime, 10), 200), more))
}
