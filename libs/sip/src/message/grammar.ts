/**
 * What the header fields of a message must look like to be let in (RFC 3261 8.1.1, 20, 25.1; RFC 4475). A fault is the
 * reason phrase of the refusal, undefined when all is well. Fields not named here are nobody's business but the
 * reader's: they pass as they are.
 */

import { readCSeq } from './cseq.ts'
import {
  CALL_ID,
  CONTACT,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  CSEQ,
  DATE,
  FROM,
  MAX_FORWARDS,
  RECORD_ROUTE,
  ROUTE,
  TO,
  VIA,
} from './field-names.ts'
import type { Fields } from './header-list.ts'
import { readNumeral, scanVia } from './scan.ts'
import { parseNameAddr, parseNameAddrs, parseUri } from './uri.ts'
import { viaScanned } from './via.ts'

export const WRONG_METHOD = 'CSeq method does not match'

/** The methods of the registry: a request of another one gets 501 rather than 400. */
export const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'ACK',
  'BYE',
  'CANCEL',
  'INFO',
  'INVITE',
  'MESSAGE',
  'NOTIFY',
  'OPTIONS',
  'PRACK',
  'PUBLISH',
  'REFER',
  'REGISTER',
  'SUBSCRIBE',
  'UPDATE',
])

const bit = (number: number): number => 1 << number
// RFC 3261 7.3.1: only fields defined as a list may appear more than once.
const SINGLE =
  bit(FROM) |
  bit(TO) |
  bit(CALL_ID) |
  bit(CSEQ) |
  bit(MAX_FORWARDS) |
  bit(CONTENT_LENGTH) |
  bit(CONTENT_TYPE) |
  bit(DATE)
// RFC 3261 8.1.1. Max-Forwards is missing in what RFC 2543 peers send (RFC 4475 3.4.1).
const REQUIRED = bit(VIA) | bit(FROM) | bit(TO) | bit(CALL_ID) | bit(CSEQ)
/** In a response only what finds its transaction and dialog is worth dropping it for. */
const IN_RESPONSE = REQUIRED

const LABELS: Readonly<Record<number, string>> = {
  [VIA]: 'Via',
  [FROM]: 'From',
  [TO]: 'To',
  [CALL_ID]: 'Call-ID',
  [CSEQ]: 'CSeq',
  [MAX_FORWARDS]: 'Max-Forwards',
  [CONTENT_LENGTH]: 'Content-Length',
  [CONTENT_TYPE]: 'Content-Type',
  [DATE]: 'Date',
}

/** `method` is that of the request line, undefined for a response. */
export function fieldFault(headers: Fields, method: string | undefined): string | undefined {
  const { numbers, values } = headers
  let seen = 0
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number
    if (number === 0 || number > RECORD_ROUTE) continue
    const mask = 1 << number
    if (seen & mask & SINGLE) return `Several ${LABELS[number]}`
    const checked = method !== undefined || (mask & IN_RESPONSE) !== 0
    const fault = checked ? valueFault(headers, number, values[i] as string, method, (seen & mask) === 0) : undefined
    if (fault !== undefined) return fault
    seen |= mask
  }
  const missing = REQUIRED & ~seen
  // The lowest bit that is set is the first that is missing.
  return missing === 0 ? undefined : `Missing ${LABELS[31 - Math.clz32(missing & -missing)]}`
}

function valueFault(
  headers: Fields,
  number: number,
  value: string,
  method: string | undefined,
  first: boolean,
): string | undefined {
  switch (number) {
    case VIA:
      return first ? topViaFault(headers, value, method !== undefined) : restFault(value, scanVia(value, 0))
    case FROM:
      headers.fromText = value
      headers.from = parseNameAddr(value)
      return headers.from ? undefined : 'Malformed From'
    case TO:
      headers.toText = value
      headers.to = parseNameAddr(value)
      return headers.to ? undefined : 'Malformed To'
    case CALL_ID:
      return CALL_ID_SHAPE.test(value) ? undefined : 'Malformed Call-ID'
    case CSEQ:
      return cseqFault(value, method)
    case MAX_FORWARDS:
      // RFC 3261 20.22: 0 to 255; leading zeros pass (RFC 4475 3.1.1.1).
      return readNumeral(value, 255) < 0 ? 'Malformed Max-Forwards' : undefined
    case CONTACT:
      return contactFault(headers, value, first)
    case ROUTE:
      return parseNameAddrs(value) ? undefined : 'Malformed Route'
    case RECORD_ROUTE:
      return parseNameAddrs(value) ? undefined : 'Malformed Record-Route'
    case DATE:
      return SIP_DATE.test(value) ? undefined : 'Malformed Date'
    default:
      return undefined
  }
}

const CALL_ID_SHAPE = /^[^\s,;]+$/

// RFC 3261 25.1: the only time zone is GMT.
const SIP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/i

function contactFault(headers: Fields, value: string, first: boolean): string | undefined {
  const found = value === '*' ? [] : parseNameAddrs(value)
  if (first) {
    headers.contactText = value
    headers.contact = found
  }
  return found ? undefined : 'Malformed Contact'
}

const COOKIE = 'z9hG4bK'

function topViaFault(headers: Fields, value: string, request: boolean): string | undefined {
  const next = scanVia(value, 0)
  if (next < 0) return 'Malformed Via'
  headers.viaText = value
  headers.via = viaScanned(value)
  // RFC 4475 3.2.1: the cookie alone identifies nothing, and two such requests must not become one transaction.
  if (request && headers.via.params.get('branch') === COOKIE) return 'Branch without identifier'
  return restFault(value, next)
}

/** The elements after a comma, as many as there are. */
function restFault(value: string, from: number): string | undefined {
  let next = from
  while (next >= 0 && next < value.length) next = scanVia(value, next + 1)
  return next < 0 ? 'Malformed Via' : undefined
}

function cseqFault(value: string, method: string | undefined): string | undefined {
  const cseq = readCSeq(value)
  if (!cseq) return 'Malformed CSeq'
  // RFC 3261 8.1.1.5: the method part MUST match that of the request.
  return method === undefined || cseq.method === method ? undefined : WRONG_METHOD
}

// RFC 3261 7.1 and 25.1: no white space, no angle brackets; 19.1.1: no headers in the URI of a request line.
export function uriFault(headers: Fields, text: string): string | undefined {
  const uri = parseUri(text)
  if (!uri) return 'Malformed Request-URI'
  headers.requestUriText = text
  headers.requestUri = uri
  return uri.headers === undefined ? undefined : 'Header fields in the Request-URI'
}
