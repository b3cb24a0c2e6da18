import type { Media, Sdp } from './parse.ts'
import { addressesIn, addressType, type LegOrigin, mayPass, withOrigin } from './rewrite.ts'

/** Lines that a media engine writes about its own sockets and keys: ICE, RTCP, SDES, DTLS. */
const ofTheEngine =
  /^a=(?:candidate|end-of-candidates|ice-[a-z]+|rtcp|rtcp-mux|rtcp-mux-only|crypto|fingerprint|setup|tls-id)(?::|\s|$)/

/**
 * A description that a media engine outside has made of `original` (rtpengine), as the other leg may see it: addresses,
 * ports, ICE and keys are the engine's; the `o=` line is ours; nothing tells where the author of `original` is.
 */
export function asRelayed(relayed: Sdp, original: Sdp, origin: LegOrigin): { text: string; origin: LegOrigin } {
  const own = new Set(addressesIn(relayed))
  const secrets = addressesIn(original).filter((address) => !own.has(address))
  const pass = (line: string): boolean => ofTheEngine.test(line) || mayPass(line, secrets)
  const out: string[] = ['s=-', connection(relayed.connection?.address ?? origin.address)]
  let timed = false
  for (let i = 1; i < relayed.sessionEnd; i++) {
    const line = relayed.lines[i] as string
    if (line.charCodeAt(0) === 116) timed = true
    if (pass(line)) out.push(line)
  }
  if (!timed) out.push('t=0 0')
  for (const media of relayed.media) section(relayed, media, pass, out)
  out.push('')
  return withOrigin(out.join('\r\n'), origin)
}

const connection = (address: string): string => `c=IN ${addressType(address)} ${address}`

function section(sdp: Sdp, media: Media, pass: (line: string) => boolean, out: string[]): void {
  out.push(sdp.lines[media.start] as string)
  // RFC 3264 8: a refused stream keeps its place; its attributes need not be present.
  if (media.port === 0) return
  const address = media.connection?.address
  if (address !== undefined && address !== sdp.connection?.address) out.push(connection(address))
  for (let i = media.start + 1; i < media.end; i++) {
    const line = sdp.lines[i] as string
    if (pass(line)) out.push(line)
  }
}
