/** Keys under which transactions are found: RFC 3261 17.1.3 and 17.2.3. */
import type { SipRequest, SipResponse } from '../message/message.ts'
import { callId, cseq, fromTag, topVia, toTag } from '../message/read.ts'
import { flatten } from '../message/text.ts'

/** RFC 3261 8.1.1.7: every branch of a compliant client begins with this. */
export const MAGIC_COOKIE = 'z9hG4bK'

/** Methods a CANCEL may meet (RFC 3261 9.2 lets it match any; only INVITE is affected by it). */
export const CANCELLED_METHODS = [
  'INVITE',
  'BYE',
  'REGISTER',
  'OPTIONS',
  'MESSAGE',
  'SUBSCRIBE',
  'NOTIFY',
  'PUBLISH',
  'INFO',
  'UPDATE',
  'PRACK',
  'REFER',
] as const

/**
 * The key of a server transaction without its method: append the method with `serverKey`.
 *
 * Undefined when the top Via is absent or malformed.
 */
export function requestIdentity(request: SipRequest): string | undefined {
  const via = topVia(request)
  if (via === undefined) return undefined
  const branch = via.params.get('branch')
  if (branch !== undefined && branch.length > MAGIC_COOKIE.length && branch.startsWith(MAGIC_COOKIE)) {
    // RFC 3261 17.2.3: branch and sent-by (and method, added by serverKey)
    return `${branch}|${via.host}:${via.port ?? ''}`
  }
  // RFC 3261 17.2.3: RFC 2543 clients are matched by Request-URI, To tag, From tag, Call-ID, CSeq and top Via
  return `|${toTag(request) ?? ''}|${identity2543(request)}`
}

export function serverKey(identity: string, method: string): string {
  return flatten(`${method}|${identity}`)
}

export function isCompliant(identity: string): boolean {
  return !identity.startsWith('|')
}

/**
 * RFC 3261 17.2.3: the ACK of an RFC 2543 client matches by the To tag "of the response sent by the server
 * transaction".
 */
export function ackKey2543(request: SipRequest, toTagOfResponse: string): string {
  return flatten(`ACK|${toTagOfResponse}|${identity2543(request)}`)
}

function identity2543(request: SipRequest): string {
  const via = request.headers.get('via') ?? ''
  const sequence = cseq(request)?.sequence ?? ''
  return `${fromTag(request) ?? ''}|${callId(request)}|${sequence}|${request.uri}|${via}`
}

/** RFC 3261 17.1.3: branch of the top Via and method of CSeq. */
export function responseKey(response: SipResponse): string | undefined {
  const branch = topVia(response)?.params.get('branch')
  const method = cseq(response)?.method
  return branch === undefined || method === undefined ? undefined : clientKey(branch, method)
}

export function clientKey(branch: string, method: string): string {
  return flatten(`${method}|${branch}`)
}

/** RFC 3261 8.2.2.2: From tag, Call-ID and CSeq of a request without To tag; undefined for one with a To tag. */
export function mergeKey(request: SipRequest): string | undefined {
  if (toTag(request) !== undefined) return undefined
  return flatten(`${fromTag(request) ?? ''}|${callId(request)}|${request.headers.get('cseq') ?? ''}`)
}
