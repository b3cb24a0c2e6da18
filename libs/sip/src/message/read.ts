/**
 * Typed readers: what the rest of the platform asks of a message. Each reads its field on demand; a field that is
 * absent or malformed gives undefined (or an empty list). The parser has already refused messages whose mandatory
 * fields are missing or malformed.
 */
import { readCSeq } from './cseq.ts'
import { CONTACT, CSEQ, FROM, TO, VIA } from './field-names.ts'
import { fieldsOf } from './header-list.ts'
import type { CSeq, NameAddr, SipMessage, SipRequest, SipUri, Via } from './message.ts'
import { scanVia, skipQuoted } from './scan.ts'
import { parseHeaderParams, parseNameAddr, parseUri } from './uri.ts'
import { parseVia, viaScanned } from './via.ts'

export { parseVia } from './via.ts'

/** The elements of a comma-separated field over all its lines, in order. */
export function elements(message: SipMessage, name: string): string[] {
  return message.headers.getAll(name).flatMap(splitCommas)
}

/** Splits at commas outside quotes and angle brackets; empty elements are left out. */
export function splitCommas(value: string): string[] {
  const found: string[] = []
  const plain = !value.includes('"') && !value.includes('<')
  for (let start = 0; start < value.length; ) {
    let end = plain ? value.indexOf(',', start) : elementEnd(value, start)
    if (end < 0) end = value.length
    const element = value.slice(start, end).trim()
    if (element !== '') found.push(element)
    start = end + 1
  }
  return found
}

/** The next comma that separates; -1 when there is none. */
function elementEnd(value: string, from: number): number {
  let angle = false
  for (let i = from; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code === 0x22) {
      i = skipQuoted(value, i) - 1
      // A quote that is never closed: all the rest is one element.
      if (i < 0) return -1
    } else if (code === 0x3c) angle = true
    else if (code === 0x3e) angle = false
    else if (code === 0x2c && !angle) return i
  }
  return -1
}

/** The Request-URI read; undefined when a request of ours has a malformed one (the parser lets none in). */
export function requestUri(request: SipRequest): SipUri | undefined {
  const fields = fieldsOf(request.headers)
  if (fields.requestUriText !== request.uri) {
    fields.requestUriText = request.uri
    fields.requestUri = parseUri(request.uri)
  }
  return fields.requestUri
}

export function topVia(message: SipMessage): Via | undefined {
  const fields = fieldsOf(message.headers)
  const value = fields.first(VIA)
  if (value === undefined) return undefined
  if (value !== fields.viaText) {
    fields.viaText = value
    fields.via = scanVia(value, 0) > 0 ? viaScanned(value) : undefined
  }
  return fields.via
}

/** All Via elements, topmost first; malformed ones are left out. */
export function vias(message: SipMessage): Via[] {
  return elements(message, 'via')
    .map(parseVia)
    .filter((via) => via !== undefined)
}

export function from(message: SipMessage): NameAddr | undefined {
  const fields = fieldsOf(message.headers)
  const value = fields.first(FROM)
  if (value === undefined) return undefined
  if (value !== fields.fromText) {
    fields.fromText = value
    fields.from = parseNameAddr(value)
  }
  return fields.from
}

export function to(message: SipMessage): NameAddr | undefined {
  const fields = fieldsOf(message.headers)
  const value = fields.first(TO)
  if (value === undefined) return undefined
  if (value !== fields.toText) {
    fields.toText = value
    fields.to = parseNameAddr(value)
  }
  return fields.to
}

export function readNameAddr(message: SipMessage, name: string): NameAddr | undefined {
  const value = message.headers.get(name)
  return value === undefined ? undefined : parseNameAddr(value)
}

/** Every address of a comma-separated field (P-Asserted-Identity, Route, Path …); malformed ones are left out. */
export function nameAddrs(message: SipMessage, name: string): NameAddr[] {
  return elements(message, name)
    .map(parseNameAddr)
    .filter((address) => address !== undefined)
}

/** The tag of From; undefined when there is none (RFC 2543 peers). */
export function fromTag(message: SipMessage): string | undefined {
  return from(message)?.params.get('tag')
}

/** The tag of To; undefined outside a dialog. */
export function toTag(message: SipMessage): string | undefined {
  return to(message)?.params.get('tag')
}

export function callId(message: SipMessage): string {
  return message.headers.get('call-id') ?? ''
}

export function cseq(message: SipMessage): CSeq | undefined {
  const value = fieldsOf(message.headers).first(CSEQ)
  return value === undefined ? undefined : readCSeq(value)
}

/** `*` for the wildcard of REGISTER (RFC 3261 10.2.2). Malformed ones are left out. */
export function contacts(message: SipMessage): readonly NameAddr[] | '*' {
  const fields = fieldsOf(message.headers)
  const first = fields.numbers.indexOf(CONTACT)
  if (first < 0) return []
  const value = fields.values[first] as string
  if (fields.numbers.indexOf(CONTACT, first + 1) >= 0) return nameAddrs(message, 'contact')
  if (value === '*') return '*'
  return value === fields.contactText && fields.contact ? fields.contact : nameAddrs(message, 'contact')
}

/** The Record-Route of a message as uriTexts in the order received (`record-route`), or its Route (`route`). */
export function routeSet(message: SipMessage, name: 'record-route' | 'route' = 'record-route'): NameAddr[] {
  return nameAddrs(message, name)
}

/** 0 to 255; undefined when absent or malformed. */
export function maxForwards(message: SipMessage): number | undefined {
  return readNumber(message, 'max-forwards')
}

/** Seconds. */
export function expires(message: SipMessage): number | undefined {
  return readNumber(message, 'expires')
}

/** A field that holds a number, perhaps with parameters after it (Session-Expires, Min-SE, Retry-After …). */
export function readNumber(message: SipMessage, name: string): number | undefined {
  const digits = /^(\d{1,10})(?=$|[\s;(])/.exec(message.headers.get(name) ?? '')
  return digits ? Number(digits[1]) : undefined
}

export interface ContentType {
  /** Lower case `type/subtype`. */
  readonly type: string
  readonly params: ReadonlyMap<string, string>
}

export function contentType(message: SipMessage): ContentType | undefined {
  const value = message.headers.get('content-type')
  const parts = value === undefined ? null : /^([^\s/;]+)\s*\/\s*([^\s/;]+)\s*(;.*)?$/s.exec(value)
  if (!parts) return undefined
  return { type: `${parts[1]}/${parts[2]}`.toLowerCase(), params: parseHeaderParams(parts[3] ?? '') ?? new Map() }
}

/** The tokens of Supported, Require, Proxy-Require, Allow, Unsupported …; as written. */
export function tokens(message: SipMessage, name: string): string[] {
  return elements(message, name)
}
