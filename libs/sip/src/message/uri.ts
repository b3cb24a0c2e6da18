/**
 * URIs and name-addr (RFC 3261 19.1, 20.10, 25.1; RFC 3966 for tel). Text comes from the network: a malformed text
 * gives undefined, nothing throws.
 */
import type { NameAddr, SipUri } from './message.ts'
import { address, isPlain, paramName, scanAddress, scanned, scanParams, skipHost, skipPort, unquote } from './scan.ts'

const NO_PARAMS: ReadonlyMap<string, string> = new Map()

/** Reads a URI; undefined when it is malformed. */
export function parseUri(text: string): SipUri | undefined {
  if (text.startsWith('sip:')) return parseSip(text, 'sip', 4)
  if (text.startsWith('sips:')) return parseSip(text, 'sips', 5)
  const colon = text.indexOf(':')
  if (colon < 1) return undefined
  const scheme = text.slice(0, colon).toLowerCase()
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) return undefined
  if (scheme === 'sip' || scheme === 'sips') return parseSip(text, scheme, colon + 1)
  if (scheme === 'tel') return parseTel(text, colon + 1)
  const opaque = text.slice(colon + 1)
  if (opaque === '' || /[\s<>"\p{Cc}]/u.test(opaque)) return undefined
  return uri(scheme, undefined, undefined, '', undefined, NO_PARAMS, undefined, opaque)
}

function parseSip(text: string, scheme: string, start: number): SipUri | undefined {
  const at = text.indexOf('@', start)
  let user: string | undefined
  let password: string | undefined
  let host = start
  if (at >= 0) {
    const colon = text.indexOf(':', start)
    const userEnd = colon >= 0 && colon < at ? colon : at
    user = text.slice(start, userEnd)
    if (userEnd < at) password = text.slice(userEnd + 1, at)
    if (user === '' || !isPlain(text, start, at)) return undefined
    host = at + 1
  }
  const hostEnd = skipHost(text, host)
  if (hostEnd < 0) return undefined
  let i = hostEnd
  let port: number | undefined
  if (i < text.length && text.charCodeAt(i) === 0x3a) {
    i = skipPort(text, hostEnd + 1)
    if (i < 0) return undefined
    port = Number(text.slice(hostEnd + 1, i))
  }
  const name = text.slice(host, hostEnd).toLowerCase()
  if (i === text.length) return uri(scheme, user, password, name, port, NO_PARAMS, undefined, undefined)
  if (!isPlain(text, i, text.length)) return undefined
  const question = text.indexOf('?', i)
  const end = question < 0 ? text.length : question
  if (i < end && text.charCodeAt(i) !== 0x3b) return undefined
  const headers = question < 0 ? undefined : text.slice(question + 1)
  if (headers === '') return undefined
  return uri(scheme, user, password, name, port, uriParams(text, i, end), headers, undefined)
}

function parseTel(text: string, start: number): SipUri | undefined {
  const semicolon = text.indexOf(';', start)
  const end = semicolon < 0 ? text.length : semicolon
  // RFC 3966 3: digits with visual separators; a local number may hold * # and hex digits.
  if (!/^\+?[0-9A-Fa-f*#().-]+$/.test(text.slice(start, end))) return undefined
  if (!isPlain(text, end, text.length)) return undefined
  const params = uriParams(text, end, text.length)
  return uri('tel', text.slice(start, end), undefined, '', undefined, params, undefined, undefined)
}

/** Every URI has the same hidden class. */
function uri(
  scheme: string,
  user: string | undefined,
  password: string | undefined,
  host: string,
  port: number | undefined,
  params: ReadonlyMap<string, string>,
  headers: string | undefined,
  opaque: string | undefined,
): SipUri {
  return { scheme, user, password, host, port, params, headers, opaque }
}

/** `;a=b;c` from `start`; empty parameters are passed over, the first of one name wins. */
function uriParams(text: string, start: number, end: number): ReadonlyMap<string, string> {
  if (start >= end) return NO_PARAMS
  const map = new Map<string, string>()
  for (let i = start; i < end; ) {
    const next = text.indexOf(';', i + 1)
    const stop = next < 0 || next > end ? end : next
    const equals = text.indexOf('=', i + 1)
    const nameEnd = equals < 0 || equals > stop ? stop : equals
    const name = nameEnd > i + 1 ? paramName(text, i + 1, nameEnd) : ''
    if (name !== '' && !map.has(name)) map.set(name, nameEnd < stop ? text.slice(nameEnd + 1, stop) : '')
    i = stop
  }
  return map
}

export function writeUri(uri: SipUri): string {
  if (uri.opaque !== undefined) return `${uri.scheme}:${uri.opaque}`
  let text = `${uri.scheme}:`
  if (uri.user !== undefined) {
    text += uri.user
    if (uri.password !== undefined) text += `:${uri.password}`
    if (uri.scheme !== 'tel') text += '@'
  }
  text += uri.host
  if (uri.port !== undefined) text += `:${uri.port}`
  for (const [name, value] of uri.params) text += value === '' ? `;${name}` : `;${name}=${value}`
  if (uri.headers !== undefined) text += `?${uri.headers}`
  return text
}

/**
 * The user part with its escapes resolved once (RFC 4475 3.1.1.3), for comparing and looking up; `%00` becomes a
 * character and cuts nothing off (3.1.1.4). What is no escape stays as it is.
 */
export function unescapeUser(user: string): string {
  if (!user.includes('%')) return user
  return user.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'))
}

/** RFC 3261 19.1.4: in one of the two only, these never match; any other parameter is ignored then. */
const MUST_MATCH = ['user', 'ttl', 'method', 'maddr', 'transport']

/** RFC 3261 19.1.4. */
export function sameUri(a: SipUri, b: SipUri): boolean {
  if (a.scheme !== b.scheme || a.opaque !== b.opaque || a.host !== b.host || a.port !== b.port) return false
  if ((a.user === undefined) !== (b.user === undefined)) return false
  if (unescapeUser(a.user ?? '') !== unescapeUser(b.user ?? '')) return false
  if (unescapeUser(a.password ?? '') !== unescapeUser(b.password ?? '')) return false
  for (const name of MUST_MATCH) if (a.params.has(name) !== b.params.has(name)) return false
  for (const [name, value] of a.params) {
    const other = b.params.get(name)
    if (other === undefined || other === value) continue
    if (unescapeUser(other).toLowerCase() !== unescapeUser(value).toLowerCase()) return false
  }
  return sameHeaders(a.headers, b.headers)
}

/** URI headers are never ignored; their order does not matter. */
function sameHeaders(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  return unescapeUser(a.split('&').sort().join('&')) === unescapeUser(b.split('&').sort().join('&'))
}

/** Reads one name-addr or addr-spec with its header parameters; undefined when malformed. */
export function parseNameAddr(text: string): NameAddr | undefined {
  return scanAddress(text, 0) === text.length ? addressScanned(text) : undefined
}

/** All elements of a comma-separated field value; undefined when any is malformed. */
export function parseNameAddrs(value: string): NameAddr[] | undefined {
  const found: NameAddr[] = []
  for (let i = -1; i < value.length; ) {
    i = scanAddress(value, i + 1)
    const one = i < 0 ? undefined : addressScanned(value)
    if (!one) return undefined
    found.push(one)
  }
  return found
}

/** What `scanAddress` has just found. */
function addressScanned(text: string): NameAddr | undefined {
  const { name, nameEnd, quoted } = address
  const uriText = text.slice(address.uri, address.uriEnd)
  const uri = parseUri(uriText)
  if (!uri) return undefined
  let displayName: string | undefined
  if (name >= 0) displayName = quoted ? unquote(text, name, nameEnd) : text.slice(name, nameEnd).trim() || undefined
  return { displayName, uri, uriText, params: scanned.params }
}

/** `;a=b;c="d"` -> map, values without quotes; undefined when malformed. */
export function parseHeaderParams(text: string): ReadonlyMap<string, string> | undefined {
  return scanParams(text, 0) === text.length ? scanned.params : undefined
}

/** Writes a name-addr; always with angle brackets, the display name quoted. */
export function writeNameAddr(address: {
  readonly displayName?: string | undefined
  readonly uri: SipUri | string
  readonly params?: ReadonlyMap<string, string> | undefined
}): string {
  const uriText = typeof address.uri === 'string' ? address.uri : writeUri(address.uri)
  let text = address.displayName === undefined ? '' : `"${address.displayName.replace(/["\\]/g, '\\$&')}" `
  text += `<${uriText}>`
  if (address.params) for (const [name, value] of address.params) text += writeParam(name, value)
  return text
}

/** `;name=value`, quoted where the value is no token or host. */
export function writeParam(name: string, value: string): string {
  if (value === '') return `;${name}`
  return /^[\w.!%*+`'~[\]:-]+$/.test(value) ? `;${name}=${value}` : `;${name}="${value.replace(/["\\]/g, '\\$&')}"`
}
