/** What this edge can do, and what it refuses before anything else is looked at (RFC 3261 8.2, 16.3). */
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { contacts } from '@tandem/sip/message/read.ts'
import { type Capabilities, screenRequest } from '@tandem/sip/message/screen.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'

/** Methods that this edge answers, outside or inside a dialog. */
export const ALLOW =
  'INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, INFO, UPDATE, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE, REFER'
/** Option tags that a peer may require of us. */
export const SUPPORTED = 'timer, 100rel, path, outbound, replaces, norefersub'
export const ACCEPT = 'application/sdp, multipart/mixed'

const ENDS_HERE: Capabilities = {
  methods: ALLOW.split(', '),
  schemes: ['sip', 'sips', 'tel', 'urn'],
  supported: SUPPORTED.split(', '),
  // bodies of PUBLISH, MESSAGE and INFO are for others to understand
  contentTypes: ['*/*'],
}
/** RFC 3261 11: an OPTIONS with no hops left is answered; these go on through us. */
const GOES_ON: Capabilities = { ...ENDS_HERE, forwards: true }
const CALL: Capabilities = { ...GOES_ON, contentTypes: ACCEPT.split(', ') }

export interface Refusal {
  readonly status: number
  readonly reason?: string
  readonly headers?: readonly (readonly [string, string])[]
}

export function screen(request: SipRequest): Refusal | undefined {
  const can = request.method === 'INVITE' ? CALL : request.method === 'MESSAGE' ? GOES_ON : ENDS_HERE
  const verdict = screenRequest(request, can)
  if (verdict.kind === 'refuse') {
    return {
      ...verdict,
      headers: verdict.headers.map(([name, value]) => [name, name === 'Allow' ? ALLOW : value] as const),
    }
  }
  // RFC 5031: service URNs are the only ones that we know
  const uri = parseUri(request.uri)
  if (uri?.scheme === 'urn' && !/^service:/i.test(uri.opaque ?? '')) return { status: 416 }
  // RFC 6665 4.1: no dialog without a Contact
  if (request.method !== 'SUBSCRIBE') return undefined
  const found = contacts(request)
  return found === '*' || found.length !== 1 ? { status: 400, reason: 'Exactly one Contact is needed' } : undefined
}
