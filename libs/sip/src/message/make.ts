/** Messages made by us: requests, responses (RFC 3261 8.2.6), ACK to a non-2xx (17.1.1.3), CANCEL (9.1). */
import { type HeaderList, headerList } from './header-list.ts'
import type { SipRequest, SipResponse } from './message.ts'
import { splitCommas } from './read.ts'
import { reasonOf } from './status.ts'

const EMPTY = new Uint8Array(0)

type Fields = Iterable<readonly [name: string, value: string]>

export interface RequestParts {
  readonly method: string
  readonly uri: string
  /** The whole Via value; left out when the transaction layer adds it later (`headers.prepend('Via', …)`). */
  readonly via?: string | undefined
  /** Whole field values, with tags. */
  readonly from: string
  readonly to: string
  readonly callId: string
  readonly cseq: number
  /** Default 70. */
  readonly maxForwards?: number | undefined
  readonly route?: readonly string[] | undefined
  readonly contact?: string | undefined
  /** Further fields, in order, after those above. */
  readonly headers?: Fields | undefined
  readonly body?: Uint8Array | string | undefined
  readonly contentType?: string | undefined
}

export function makeRequest(parts: RequestParts): SipRequest {
  const headers = headerList()
  if (parts.via !== undefined) headers.append('Via', parts.via)
  headers.append('Max-Forwards', String(parts.maxForwards ?? 70))
  if (parts.route) for (const route of parts.route) headers.append('Route', route)
  headers.append('From', parts.from)
  headers.append('To', parts.to)
  headers.append('Call-ID', parts.callId)
  headers.append('CSeq', `${parts.cseq} ${parts.method}`)
  if (parts.contact !== undefined) headers.append('Contact', parts.contact)
  const body = finish(headers, parts)
  return { kind: 'request', method: parts.method, uri: parts.uri, headers, body }
}

export interface ResponseParts {
  /** Default: the phrase of the RFC. */
  readonly reason?: string | undefined
  /** Added to To when the request has none there (RFC 3261 8.2.6.2); a 100 needs none. */
  readonly toTag?: string | undefined
  readonly contact?: string | undefined
  /** RFC 3261 12.1.1: a response that makes a dialog copies Record-Route. */
  readonly recordRoute?: boolean | undefined
  readonly headers?: Fields | undefined
  readonly body?: Uint8Array | string | undefined
  readonly contentType?: string | undefined
}

// RFC 3261 8.2.6.2: From, Call-ID, CSeq and Via (all values, same order) MUST equal those of the request; so does To,
// to which a tag is added when it has none.
export function makeResponse(request: SipRequest, status: number, parts: ResponseParts = {}): SipResponse {
  const headers = headerList()
  copy(request, headers, 'Via')
  if (parts.recordRoute) copy(request, headers, 'Record-Route')
  copyOne(request, headers, 'From')
  const to = request.headers.get('to')
  if (to !== undefined) {
    const tagged = parts.toTag === undefined || /;\s*tag\s*=/i.test(to.slice(to.lastIndexOf('>') + 1))
    headers.append('To', tagged ? to : `${to};tag=${parts.toTag}`)
  }
  copyOne(request, headers, 'Call-ID')
  copyOne(request, headers, 'CSeq')
  // RFC 3261 8.2.6.1: a 100 copies Timestamp.
  if (status === 100) copyOne(request, headers, 'Timestamp')
  if (parts.contact !== undefined) headers.append('Contact', parts.contact)
  const body = finish(headers, parts)
  return { kind: 'response', status, reason: parts.reason ?? reasonOf(status), headers, body }
}

// RFC 3261 17.1.1.3: Call-ID, From, Request-URI and top Via of the INVITE, To of the response, same Route.
export function makeAck(invite: SipRequest, response: SipResponse): SipRequest {
  return derive(invite, 'ACK', response.headers.get('to') ?? invite.headers.get('to') ?? '')
}

// RFC 3261 9.1: Request-URI, Call-ID, To, number of CSeq, From, top Via and Route of the request.
export function makeCancel(invite: SipRequest): SipRequest {
  return derive(invite, 'CANCEL', invite.headers.get('to') ?? '')
}

function derive(invite: SipRequest, method: string, to: string): SipRequest {
  const headers = headerList()
  const via = splitCommas(invite.headers.get('via') ?? '')[0]
  if (via !== undefined) headers.append('Via', via)
  headers.append('Max-Forwards', '70')
  copy(invite, headers, 'Route')
  copyOne(invite, headers, 'From')
  headers.append('To', to)
  copyOne(invite, headers, 'Call-ID')
  headers.append('CSeq', `${Number.parseInt(invite.headers.get('cseq') ?? '0', 10)} ${method}`)
  headers.append('Content-Length', '0')
  return { kind: 'request', method, uri: invite.uri, headers, body: EMPTY }
}

/**
 * RFC 3261 18.2.1 and RFC 3581 4: notes in the top Via where the request really came from. Changes the request's
 * headers in place and returns it.
 */
export function withReceived(request: SipRequest, address: string, port: number): SipRequest {
  const value = request.headers.get('via')
  if (value === undefined) return request
  const [top = '', ...others] = splitCommas(value)
  const sentBy = /^\S+\s*\/\s*\S+\s*\/\s*\S+\s+(\[[^\]]*\]|[^\s:;]+)/.exec(top)?.[1]?.toLowerCase()
  let marked = top.replace(/;\s*received\s*=[^;]*/i, '')
  const rport = /;\s*rport(?:\s*=[^;]*)?(?=\s*(?:;|$))/i
  const asked = rport.test(marked)
  if (asked) marked = marked.replace(rport, `;rport=${port}`)
  const bare = address.toLowerCase()
  if (asked || (sentBy !== bare && sentBy !== `[${bare}]`)) marked += `;received=${address}`
  const first = [marked, ...others].join(', ')
  const rest = request.headers.getAll('via').slice(1)
  request.headers.set('Via', first)
  if (rest.length > 0) {
    request.headers.remove('Via')
    for (const via of [first, ...rest].reverse()) request.headers.prepend('Via', via)
  }
  return request
}

function copy(request: SipRequest, headers: HeaderList, name: string): void {
  for (const value of request.headers.getAll(name)) headers.append(name, value)
}

function copyOne(request: SipRequest, headers: HeaderList, name: string): void {
  const value = request.headers.get(name)
  if (value !== undefined) headers.append(name, value)
}

function finish(
  headers: HeaderList,
  parts: { headers?: Fields | undefined; body?: Uint8Array | string | undefined; contentType?: string | undefined },
): Uint8Array {
  if (parts.headers) for (const [name, value] of parts.headers) headers.append(name, value)
  const body = typeof parts.body === 'string' ? Buffer.from(parts.body, 'utf8') : (parts.body ?? EMPTY)
  if (parts.contentType !== undefined && body.length > 0) headers.append('Content-Type', parts.contentType)
  headers.append('Content-Length', String(body.length))
  return body
}
