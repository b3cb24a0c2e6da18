import { isNowhere } from './offer-answer.ts'
import type { AddressType, Media, Sdp } from './parse.ts'

/**
 * Who we are to one leg of a call: the `o=` line that this side has seen. A plain value, kept with
 * the leg, so that another node can go on with it. The address stays when media moves elsewhere.
 */
export type LegOrigin = {
  readonly user: string
  readonly sessionId: string
  /** Of the description last sent; 0 before the first. */
  readonly version: number
  readonly address: string
  /** Everything after the `o=` line of the description last sent. */
  readonly sent: string
}

/** What the relay opened for one `m=` line, in their order. Port 0 refuses the stream. */
export type RelayMedia = {
  readonly port: number
  readonly rtcpPort: number
  /** Another transport profile, where the relay turns SRTP into RTP or back. */
  readonly protocol?: string
  /** Lines to have instead of the other side's `a=crypto` values; [] takes them away. Absent: theirs are kept. */
  readonly crypto?: readonly string[]
}

export type RelayRewrite = {
  /** The relay's address as this leg is to use it. */
  readonly address: string
  readonly media: readonly RelayMedia[]
  readonly origin: LegOrigin
}

/** `sessionId`: digits, unlike that of any other session of this address; the randomness is the caller's. */
export function newLegOrigin(sessionId: string, address: string, user = '-'): LegOrigin {
  return { user, sessionId, version: 0, address, sent: '' }
}

/** Who we were in a description that was sent before, by this node or another; undefined when it is none of ours. */
export function originOf(text: string): LegOrigin | undefined {
  const found = /^v=0\r\no=(\S+) (\d+) (\d+) IN IP[46] (\S+)\r\n/.exec(text)
  if (found === null) return undefined
  const [line, user, sessionId, version, address] = found as unknown as [string, string, string, string, string]
  return { user, sessionId, version: Number(version), address, sent: text.slice(line.length) }
}

/**
 * The other side's description as this leg may see it: our origin, our addresses and ports, and
 * nothing that tells where the other side is. Codecs, directions and unknown attributes stay as they were.
 */
export function rewriteForRelay(sdp: Sdp, relay: RelayRewrite): { text: string; origin: LegOrigin } {
  return withOrigin(rewriteBody(sdp, relay), relay.origin)
}

/** A description with the `o=` line that this leg knows; `body` is everything after it. */
export function withOrigin(body: string, before: LegOrigin): { text: string; origin: LegOrigin } {
  // RFC 3264 8: o= stays identical but for the version, plus one when anything changed, else none.
  const version = body === before.sent ? before.version : before.version + 1
  const origin = { ...before, version, sent: body }
  const type = addressType(origin.address)
  const text = `v=0\r\no=${origin.user} ${origin.sessionId} ${version} IN ${type} ${origin.address}\r\n${body}`
  return { text, origin }
}

export const addressType = (address: string): AddressType => (address.includes(':') ? 'IP6' : 'IP4')

function rewriteBody(sdp: Sdp, relay: RelayRewrite): string {
  const secrets = addressesIn(sdp)
  const connection = `c=IN ${addressType(relay.address)} ${relay.address}`
  const out: string[] = ['s=-', connection]
  let timed = false
  for (let i = 1; i < sdp.sessionEnd; i++) {
    const line = sdp.lines[i] as string
    if (line.charCodeAt(0) === 116) timed = true
    if (mayPass(line, secrets)) out.push(line)
  }
  if (!timed) out.push('t=0 0')
  for (let n = 0; n < sdp.media.length; n++) {
    rewriteMedia(sdp, sdp.media[n] as Media, relay.media[n], secrets, out)
  }
  out.push('')
  return out.join('\r\n')
}

function rewriteMedia(
  sdp: Sdp,
  media: Media,
  relay: RelayMedia | undefined,
  secrets: readonly string[],
  out: string[],
): void {
  const protocol = relay?.protocol ?? media.protocol
  const port = media.port === 0 ? 0 : (relay?.port ?? 0)
  out.push(`m=${media.kind} ${port} ${protocol} ${media.formats.join(' ')}`)
  // RFC 3264 8: a refused stream keeps its place; its attributes need not be present.
  if (port === 0 || relay === undefined) return
  // RFC 3264 8.4: 0.0.0.0 asks for silence; it names nobody and must reach the other side as it is.
  if (isNowhere(media.connection)) out.push(`c=IN ${media.connection?.type} ${media.connection?.address}`)
  for (let i = media.start + 1; i < media.end; i++) {
    const line = sdp.lines[i] as string
    if (relay.crypto !== undefined && line.startsWith('a=crypto:')) continue
    if (mayPass(line, secrets)) out.push(line)
  }
  for (const crypto of relay.crypto ?? []) out.push(`a=crypto:${crypto}`)
  // RFC 3605 2.1: said only where RTCP is not on the next higher port.
  if (relay.rtcpPort !== port + 1) out.push(`a=rtcp:${relay.rtcpPort}`)
}

/** What is about the media and never about where somebody is: passes without a look inside. */
const aboutMedia =
  /^(?:[btrz]=|a=(?:rtpmap|fmtp|ptime|maxptime|minptime|sendrecv|sendonly|recvonly|inactive|crypto|rtcp-fb|mid|setup|connection|fingerprint|extmap|silenceSupp|framerate|lang|label|content|charset|msid|rid|simulcast|ssrc-group|tls-id)(?::|$))/

/** ICE, RTCP addresses, multicast filters, mux and BUNDLE (RFC 8843) belong to the other side's sockets, not to ours. */
const aboutSockets =
  /^a=(?:candidate|remote-candidates|end-of-candidates|ice2|ice-[a-z]+|rtcp|rtcp-mux|rtcp-mux-only|source-filter|alt|altc|x-candidate[a-z-]*|group:BUNDLE|bundle-only|tool)(?::|\s|$)/i

const hostName = /[a-z0-9]\.[a-z]{2}/i
const addressLiteral = /\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|:[0-9a-f]{0,4}:[0-9a-f]{0,4}:/i

/** A line that tells nothing of where its author is. `secrets`: addresses and names that do. */
export function mayPass(line: string, secrets: readonly string[]): boolean {
  if (aboutMedia.test(line)) return true
  // v, o, s, c, m are written by us; i, u, e, p describe people and places; RFC 8866 5.12: k= MUST NOT be used.
  if (line.charCodeAt(0) !== 97 || aboutSockets.test(line)) return false
  if (addressLiteral.test(line) || hostName.test(line)) return false
  for (const secret of secrets) if (line.includes(secret)) return false
  return true
}

/** Every address and host name by which the description tells where its sender is. */
export function addressesIn(sdp: Sdp): string[] {
  const found = [sdp.origin.address]
  if (sdp.origin.user.length > 2) found.push(sdp.origin.user)
  if (sdp.connection !== undefined) found.push(sdp.connection.address)
  for (const media of sdp.media) {
    if (media.connection !== undefined) found.push(media.connection.address)
    if (media.rtcpAddress !== undefined) found.push(media.rtcpAddress)
  }
  return found
}
