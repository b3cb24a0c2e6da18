/** Messages made by us: requests, responses (RFC 3261 8.2.6), ACK to a non-2xx (17.1.1.3), CANCEL (9.1). */
import { CALL_ID, CSEQ, FROM, fieldNumber, RECORD_ROUTE, ROUTE, TO, VIA } from './field-names.ts'
import { Fields, fieldsOf } from './header-list.ts'
import type { SipRequest, SipResponse } from './message.ts'
import { cseq, topVia, toTag } from './read.ts'
import { hop, scanVia } from './scan.ts'
import { reasonOf } from './status.ts'
import { writeParam } from './uri.ts'

const EMPTY = new Uint8Array(0)

type Pairs = Iterable<readonly [name: string, value: string]>

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
  readonly headers?: Pairs | undefined
  readonly body?: Uint8Array | string | undefined
  readonly contentType?: string | undefined
}

export function makeRequest(parts: RequestParts): SipRequest {
  const headers = new Fields([], [], [])
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
  readonly headers?: Pairs | undefined
  readonly body?: Uint8Array | string | undefined
  readonly contentType?: string | undefined
}

// RFC 3261 8.2.6.2: From, Call-ID, CSeq and Via (all values, same order) MUST equal those of the request; so does To,
// to which a tag is added when it has none.
export function makeResponse(request: SipRequest, status: number, parts: ResponseParts = {}): SipResponse {
  const headers = new Fields([], [], [])
  const asked = fieldsOf(request.headers)
  headers.copy(asked, 'Via', VIA, true)
  if (parts.recordRoute) headers.copy(asked, 'Record-Route', RECORD_ROUTE, true)
  headers.copy(asked, 'From', FROM, false)
  const called = asked.first(TO)
  if (called !== undefined) {
    const tagged = parts.toTag === undefined || toTag(request) !== undefined
    headers.append('To', tagged ? called : `${called};tag=${parts.toTag}`)
  }
  headers.copy(asked, 'Call-ID', CALL_ID, false)
  headers.copy(asked, 'CSeq', CSEQ, false)
  // RFC 3261 8.2.6.1: a 100 copies Timestamp.
  if (status === 100) headers.copy(asked, 'Timestamp', fieldNumber('Timestamp'), false)
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
  const headers = new Fields([], [], [])
  const asked = fieldsOf(invite.headers)
  const via = asked.first(VIA)
  // RFC 3261 17.1.1.3 and 9.1: a single Via, equal to the top one.
  if (via !== undefined) headers.append('Via', topElement(via))
  headers.append('Max-Forwards', '70')
  headers.copy(asked, 'Route', ROUTE, true)
  headers.copy(asked, 'From', FROM, false)
  headers.append('To', to)
  headers.copy(asked, 'Call-ID', CALL_ID, false)
  headers.append('CSeq', `${cseq(invite)?.sequence ?? 0} ${method}`)
  headers.append('Content-Length', '0')
  return { kind: 'request', method, uri: invite.uri, headers, body: EMPTY }
}

function topElement(via: string): string {
  const end = scanVia(via, 0)
  return end > 0 && end < via.length ? via.slice(0, end).trimEnd() : via
}

/**
 * RFC 3261 18.2.1 and RFC 3581 4: notes in the top Via where the request really came from, so that the response finds
 * its way. Changes the request's headers in place and returns it. What the sender itself wrote into `received` is not
 * believed.
 */
export function withReceived(request: SipRequest, address: string, port: number): SipRequest {
  const fields = fieldsOf(request.headers)
  const at = fields.numbers.indexOf(VIA)
  const via = topVia(request)
  if (at < 0 || via === undefined) return request
  const value = fields.values[at] as string
  const asksPort = via.params.has('rport')
  // RFC 3261 18.2.1: received MUST be added when sent-by is a name or another address; RFC 3581 4: always with rport.
  const differs = via.host !== address && via.host !== `[${address}]`
  if (!asksPort && !differs && !via.params.has('received')) return request
  const end = scanVia(value, 0)
  let marked = value.slice(0, hop.portEnd > 0 ? hop.portEnd : hop.hostEnd)
  for (const [name, text] of via.params) {
    if (name === 'rport') marked += `;rport=${port}`
    else if (name !== 'received') marked += writeParam(name, text)
  }
  if (asksPort || differs) marked += `;received=${address}`
  fields.replace(at, marked + value.slice(end))
  return request
}

function finish(
  headers: Fields,
  parts: { headers?: Pairs | undefined; body?: Uint8Array | string | undefined; contentType?: string | undefined },
): Uint8Array {
  if (parts.headers) for (const [name, value] of parts.headers) headers.append(name, value)
  const body = typeof parts.body === 'string' ? Buffer.from(parts.body, 'utf8') : (parts.body ?? EMPTY)
  if (parts.contentType !== undefined && body.length > 0) headers.append('Content-Type', parts.contentType)
  headers.append('Content-Length', String(body.length))
  return body
}
