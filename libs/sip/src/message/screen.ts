/**
 * What a user agent server refuses before it looks at what a request wants (RFC 3261 8.2.1 to 8.2.3, 16.3): pure, told
 * by the caller what it supports. The parser has already refused what is malformed.
 */
import { readAuthorization } from '../auth/digest.ts'
import { KNOWN_METHODS } from './grammar.ts'
import type { SipRequest, SipResponse } from './message.ts'
import { contacts, contentType, elements, maxForwards, requestUri, to, tokens } from './read.ts'
import { reasonOf } from './status.ts'

export interface Capabilities {
  /** Methods answered here; ACK and CANCEL always are. */
  readonly methods: readonly string[]
  /** Lower case: `sip`, `sips`, `tel`. */
  readonly schemes: readonly string[]
  /** Option tags (RFC 3261 19.2) honoured in Require. */
  readonly supported: readonly string[]
  /** Option tags honoured in Proxy-Require; a B2BUA stands where proxies stand. Default: `supported`. */
  readonly proxySupported?: readonly string[]
  /** Bodies understood: `application/sdp`, or a whole range as `multipart/*` … */
  readonly contentTypes: readonly string[]
  /** Content-Encoding understood. Default: none but identity. */
  readonly contentEncodings?: readonly string[]
  /** The request would travel on from here: Max-Forwards 0 is too many hops (16.3); an endpoint does not mind. */
  readonly forwards?: boolean
  /** Asked of REGISTER and whatever else `methods` names: without Digest credentials for `realm` it is a 401. */
  readonly authenticate?: {
    readonly methods: readonly string[]
    readonly realm: string
    /** Values for WWW-Authenticate, made on demand. */
    readonly challenges: () => readonly string[]
  }
}

export type Screening =
  | { readonly kind: 'ok' }
  | {
      readonly kind: 'refuse'
      readonly status: number
      readonly reason: string
      /** Fields that the response must carry. */
      readonly headers: readonly (readonly [name: string, value: string])[]
    }

const OK: Screening = { kind: 'ok' }

export function screenRequest(request: SipRequest, can: Capabilities): Screening {
  // RFC 3261 17.1.1.3: an ACK is never answered, so there is nothing to refuse.
  if (request.method === 'ACK') return OK
  return (
    screenMethod(request, can) ??
    screenTarget(request, can) ??
    screenHops(request, can) ??
    screenCredentials(request, can) ??
    screenExtensions(request, can) ??
    screenBody(request, can) ??
    screenAccept(request) ??
    OK
  )
}

/**
 * RFC 3261 8.1.3.3: a response with more than one Via went astray, and one to a broadcast address would harm others
 * (RFC 4475 3.3.10). We are an endpoint to both sides: ours is the only Via there can be.
 */
export function screenResponse(response: SipResponse): 'ok' | 'discard' {
  return elements(response, 'via').length === 1 ? 'ok' : 'discard'
}

type Refusal = Screening | undefined

function refuse(status: number, headers: readonly (readonly [string, string])[] = [], reason?: string): Screening {
  return { kind: 'refuse', status, reason: reason ?? reasonOf(status), headers }
}

// RFC 3261 8.2.1: a method recognised but not supported gets 405 with Allow; one not recognised 501 (21.5.2).
function screenMethod(request: SipRequest, can: Capabilities): Refusal {
  if (request.method === 'CANCEL' || can.methods.includes(request.method)) return undefined
  const allow = [['Allow', can.methods.join(', ')]] as const
  return KNOWN_METHODS.has(request.method) ? refuse(405, allow) : refuse(501, allow)
}

// RFC 3261 8.2.2.1: a Request-URI with a scheme that is not supported gets 416.
function screenTarget(request: SipRequest, can: Capabilities): Refusal {
  const uri = requestUri(request)
  if (!uri || !can.schemes.includes(uri.scheme)) return refuse(416)
  if (request.method === 'REGISTER') return screenRegister(request)
  // RFC 3261 8.1.1.8: an INVITE MUST hold exactly one Contact, a SIP or SIPS URI: nobody could reach the caller else.
  if (request.method !== 'INVITE') return undefined
  const contact = contacts(request)
  const scheme = contact === '*' ? undefined : contact[0]?.uri.scheme
  if (contact !== '*' && contact.length === 0 && !request.headers.has('contact')) {
    // RFC 2543 callers may leave it out (RFC 4475 3.4.1); From stands in for it then.
    return request.headers.has('max-forwards') ? refuse(400, [], 'Missing Contact') : undefined
  }
  return contact.length === 1 && (scheme === 'sip' || scheme === 'sips') ? undefined : refuse(400, [], 'Bad Contact')
}

// RFC 3261 10.3: To holds the address-of-record, which MUST be a SIP or SIPS URI; `*` stands alone, with Expires 0.
function screenRegister(request: SipRequest): Refusal {
  const record = to(request)?.uri
  if (record?.scheme !== 'sip' && record?.scheme !== 'sips') return refuse(400, [], 'Address-of-record is no SIP URI')
  const all = elements(request, 'contact')
  if (!all.includes('*')) return undefined
  const alone = all.length === 1 && /^0+$/.test(request.headers.get('expires') ?? '')
  return alone ? undefined : refuse(400, [], 'Contact * needs Expires 0 and no other Contact')
}

// RFC 3261 16.3 item 3: 483, except that OPTIONS may be answered by the element that it got to (11).
function screenHops(request: SipRequest, can: Capabilities): Refusal {
  return can.forwards && maxForwards(request) === 0 ? refuse(483) : undefined
}

// RFC 3261 22.2. A scheme we do not know is as good as no credentials (RFC 4475 3.3.7).
function screenCredentials(request: SipRequest, can: Capabilities): Refusal {
  const ask = can.authenticate
  if (!ask?.methods.includes(request.method)) return undefined
  const given = request.headers.getAll('authorization')
  if (given.some((value) => readAuthorization(value)?.realm === ask.realm)) return undefined
  return refuse(
    401,
    ask.challenges().map((value) => ['WWW-Authenticate', value] as const),
  )
}

// RFC 3261 8.2.2.3: option tags that are not understood get 420 with Unsupported; not in a CANCEL. 16.3 item 5 the
// same for Proxy-Require.
function screenExtensions(request: SipRequest, can: Capabilities): Refusal {
  if (request.method === 'CANCEL') return undefined
  const unknown = (name: string, known: readonly string[]): string[] =>
    tokens(request, name).filter((tag) => !known.includes(tag.toLowerCase()))
  const required = unknown('require', can.supported)
  const unsupported = required.length > 0 ? required : unknown('proxy-require', can.proxySupported ?? can.supported)
  return unsupported.length > 0 ? refuse(420, [['Unsupported', unsupported.join(', ')]]) : undefined
}

// RFC 3261 8.2.3: a body that is not understood and not optional gets 415 with Accept (and Accept-Encoding).
function screenBody(request: SipRequest, can: Capabilities): Refusal {
  if (
    request.body.length === 0 ||
    /;\s*handling\s*=\s*optional/i.test(request.headers.get('content-disposition') ?? '')
  ) {
    return undefined
  }
  const encodings = tokens(request, 'content-encoding').map((token) => token.toLowerCase())
  if (encodings.some((name) => name !== 'identity' && !can.contentEncodings?.includes(name))) {
    return refuse(415, [['Accept-Encoding', ['identity', ...(can.contentEncodings ?? [])].join(', ')]])
  }
  const type = contentType(request)?.type
  // RFC 3261 20.15: Content-Type MUST be present with a body.
  if (type === undefined) return refuse(400, [], 'Missing or malformed Content-Type')
  return can.contentTypes.some((range) => inRange(type, range)) ? undefined : refuse(415, [accept(can)])
}

function accept(can: Capabilities): readonly [string, string] {
  return ['Accept', can.contentTypes.join(', ')]
}

// RFC 3261 20.1: no Accept means application/sdp; one that leaves it out cannot be given our answer.
function screenAccept(request: SipRequest): Refusal {
  if (request.method !== 'INVITE' || !request.headers.has('accept')) return undefined
  const ranges = elements(request, 'accept').map((range) => (range.split(';')[0] as string).trim().toLowerCase())
  if (ranges.some((range) => inRange('application/sdp', range))) return undefined
  return refuse(406, [['Warning', '399 tandem "no answer can be formulated in the formats of Accept"']])
}

/** Whether a media type falls into a range such as `text/plain`, `text/*` or any. */
function inRange(type: string, range: string): boolean {
  if (range === type || range === '*/*') return true
  return range.endsWith('/*') && type.startsWith(range.slice(0, -1))
}
