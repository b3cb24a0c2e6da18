/** What is refused before anything else is looked at (RFC 3261 8.2.1 to 8.2.3, 16.3). */
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { contacts, maxForwards, nameAddrs, tokens } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'

/** Methods that this edge answers, outside or inside a dialog. */
export const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE'
/** Option tags that a peer may require of us. */
export const SUPPORTED = 'timer, path, outbound'
export const ACCEPT = 'application/sdp, multipart/mixed, application/pidf+xml, text/plain'

const OPTIONS = new Set(SUPPORTED.split(', '))
const SCHEMES = new Set(['sip', 'sips', 'tel'])
/** These pass through us; the others end here (RFC 3261 11: an OPTIONS with 0 hops left is answered). */
const FORWARDED = new Set(['INVITE', 'MESSAGE'])
/** RFC 3261 8.1.1.8, RFC 6665 4.1: a dialog cannot be made without. */
const NEEDS_CONTACT = new Set(['INVITE', 'SUBSCRIBE'])

export interface Refusal {
  readonly status: number
  readonly reason?: string
  readonly headers?: readonly (readonly [string, string])[]
}

export function screen(request: SipRequest): Refusal | undefined {
  const uri = parseUri(request.uri)
  if (!uri) return { status: 400, reason: 'The Request-URI is malformed' }
  // RFC 3261 8.2.2.1; urn:service:sos of RFC 5031 is the one urn we know
  const sos = uri.scheme === 'urn' && /^service:/i.test(uri.opaque ?? '')
  if (!SCHEMES.has(uri.scheme) && !sos) return { status: 416 }
  // RFC 3261 16.3 step 3
  if (FORWARDED.has(request.method) && maxForwards(request) === 0) return { status: 483 }
  // RFC 3261 8.2.2.3 and 16.3 step 5
  const unknown = [...tokens(request, 'require'), ...tokens(request, 'proxy-require')].filter(
    (t) => !OPTIONS.has(t.toLowerCase()),
  )
  if (unknown.length > 0) return { status: 420, headers: [['Unsupported', unknown.join(', ')]] }
  if (NEEDS_CONTACT.has(request.method)) {
    const found = contacts(request)
    if (found === '*' || found.length !== 1) return { status: 400, reason: 'Exactly one Contact is needed' }
  }
  // RFC 3261 8.2.3
  const encoding = request.headers.get('content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return { status: 415, headers: [['Accept-Encoding', 'identity']] }
  }
  if (nameAddrs(request, 'from').length !== 1) return { status: 400, reason: 'From is malformed' }
  return undefined
}
