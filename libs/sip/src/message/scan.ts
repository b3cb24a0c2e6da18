/**
 * The small pieces of the grammar (RFC 3261 25.1) as scanners over text: each takes a position and returns the next
 * one, or -1 when the text is malformed. All are linear and make no objects, so that hostile text costs no more than
 * honest text of that length.
 */

const TOKEN = 1
const SPACE = 2
const VALUE = 4
const HOST = 8
const HEX = 16
const PLAIN = 32

const classes = new Uint8Array(256)
mark(TOKEN, "-.!%*_+`'~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
mark(SPACE, ' \t')
mark(HOST, '-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
mark(HEX, '0123456789ABCDEFabcdef')
// A parameter value is a token, a host or a quoted-string; what else peers put there passes as long as it cannot be
// taken for the end of the value.
for (let code = 0x21; code < 0x100; code++) if (!';,"<>\x7f'.includes(String.fromCharCode(code))) set(code, VALUE)

// What may stand in a URI: more than the grammar lets in, but nothing that could end it, and no second @.
for (let code = 0x21; code < 0x100; code++) if (!'"<>@%\x7f'.includes(String.fromCharCode(code))) set(code, PLAIN)

function mark(bit: number, characters: string): void {
  for (const character of characters) set(character.charCodeAt(0), bit)
}

function set(code: number, bit: number): void {
  classes[code] = (classes[code] as number) | bit
}

const QUOTE = 0x22
const PERCENT = 0x25
const COMMA = 0x2c
const SLASH = 0x2f
const COLON = 0x3a
const SEMICOLON = 0x3b
const LESS = 0x3c
const EQUALS = 0x3d
const QUESTION = 0x3f
const OPEN = 0x5b
const BACKSLASH = 0x5c

function skip(text: string, from: number, bit: number): number {
  let i = from
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255 || ((classes[code] as number) & bit) === 0) break
  }
  return i
}

/** Whether all from `start` to `end` may stand in a URI; each % must begin an escape (RFC 3261 25.1). */
export function isPlain(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code > 255 || ((classes[code] as number) & PLAIN) !== 0) continue
    if (code !== PERCENT || i + 2 >= end || !isHex(text, i + 1) || !isHex(text, i + 2)) return false
    i += 2
  }
  return true
}

function isHex(text: string, i: number): boolean {
  const code = text.charCodeAt(i)
  return code < 256 && ((classes[code] as number) & HEX) !== 0
}

function codeAt(text: string, i: number): number {
  return i < text.length ? text.charCodeAt(i) : -1
}

export function skipSpace(text: string, from: number): number {
  let i = from
  while (i < text.length && (text.charCodeAt(i) === 0x20 || text.charCodeAt(i) === 0x09)) i++
  return i
}

export function skipToken(text: string, from: number): number {
  return skip(text, from, TOKEN)
}

export function isToken(text: string): boolean {
  return text !== '' && skip(text, 0, TOKEN) === text.length
}

/** `from` stands at the opening quote; returns the place after the closing one. */
export function skipQuoted(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) return i + 1
    if (code === BACKSLASH) i++
  }
  return -1
}

/** Between the quotes, quoted-pairs resolved. */
export function unquote(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1)
  return inner.includes('\\') ? inner.replace(/\\(.)/gs, '$1') : inner
}

/** A host name, IPv4 address or bracketed IPv6 reference. */
export function skipHost(text: string, from: number): number {
  if (codeAt(text, from) !== OPEN) {
    const end = skip(text, from, HOST)
    return end > from ? end : -1
  }
  let i = from + 1
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // IPv6 with an IPv4 tail: hex digits, colons, dots.
    if (code !== COLON && code !== 0x2e && !isHex(text, i)) break
  }
  return codeAt(text, i) === 0x5d && i >= from + 3 ? i + 1 : -1
}

/** One to five digits, at most 65535. */
export function skipPort(text: string, from: number): number {
  let port = 0
  let i = from
  for (; i < text.length && i < from + 6; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) break
    port = port * 10 + digit
  }
  return i > from && port <= 65535 && i < from + 6 ? i : -1
}

const NONE: ReadonlyMap<string, string> = new Map()

/** The parameters that were scanned last: names lower case, quotes removed. */
export const scanned: { params: ReadonlyMap<string, string> } = { params: NONE }

/**
 * `*(SEMI generic-param)` up to the end or a comma. What was found stands in `scanned`; the first of one name wins
 * (RFC 3261 7.3.1 forbids a second).
 */
export function scanParams(text: string, from: number): number {
  let found: Map<string, string> | undefined
  for (let i = from; ; ) {
    i = skipSpace(text, i)
    if (i >= text.length || text.charCodeAt(i) === COMMA) {
      scanned.params = found ?? NONE
      return i
    }
    if (text.charCodeAt(i) !== SEMICOLON) return -1
    const start = skipSpace(text, i + 1)
    const end = skipToken(text, start)
    if (end === start) return -1
    found ??= new Map()
    const name = paramName(text, start, end)
    i = skipSpace(text, end)
    if (codeAt(text, i) !== EQUALS) {
      if (!found.has(name)) found.set(name, '')
      continue
    }
    const value = skipSpace(text, i + 1)
    const quoted = codeAt(text, value) === QUOTE
    i = quoted ? skipQuoted(text, value) : skipValue(text, value)
    if (i <= value) return -1
    if (!found.has(name)) found.set(name, quoted ? unquote(text, value, i) : text.slice(value, i))
  }
}

/** Parameters met in nearly every message, found without making a string; by length and first letter. */
const usual: (string | undefined)[] = []
for (const name of 'tag branch rport received expires transport lr ob user q maddr +sip.instance reg-id'.split(' ')) {
  usual[(name.length << 5) | (name.charCodeAt(0) & 31)] = name
}

export function paramName(text: string, start: number, end: number): string {
  const name = usual[((end - start) << 5) | (text.charCodeAt(start) & 31)]
  return name !== undefined && text.startsWith(name, start) ? name : text.slice(start, end).toLowerCase()
}

function skipValue(text: string, from: number): number {
  let i = from
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 256 && ((classes[code] as number) & VALUE) === 0) break
  }
  return i
}

/** Where the parts of the name-addr scanned last stand; `name` is -1 when there is none. */
export const address = { name: -1, nameEnd: -1, quoted: false, uri: 0, uriEnd: 0 }

/** name-addr or addr-spec with its parameters (RFC 3261 20.10), up to the end or a comma. The URI itself is not looked into. */
export function scanAddress(text: string, from: number): number {
  const start = skipSpace(text, from)
  address.name = -1
  address.quoted = false
  let open = start
  if (codeAt(text, start) === QUOTE) {
    const end = skipQuoted(text, start)
    if (end < 0) return -1
    address.name = start
    address.nameEnd = end
    address.quoted = true
    open = skipSpace(text, end)
    if (codeAt(text, open) !== LESS) return -1
  } else if (codeAt(text, start) !== LESS) {
    open = skipDisplayName(text, start)
    if (codeAt(text, open) !== LESS) return scanAddrSpec(text, start)
    address.name = start
    address.nameEnd = open
  }
  const close = text.indexOf('>', open)
  if (close < 0) return -1
  address.uri = open + 1
  address.uriEnd = close
  return scanParams(text, close + 1)
}

/** *(token LWS); letters beyond ASCII pass unquoted too, we write names quoted. */
function skipDisplayName(text: string, from: number): number {
  let i = from
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 128 && ((classes[code] as number) & (TOKEN | SPACE)) === 0) break
  }
  return i
}

// RFC 3261 20: a URI with a comma, question mark or semicolon MUST be in angle brackets; without them, what follows a
// semicolon are parameters of the header field.
function scanAddrSpec(text: string, start: number): number {
  let i = start
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === SEMICOLON || code === COMMA || code === 0x20 || code === 0x09) break
    if (code === QUESTION || code === LESS || code === 0x3e || code === QUOTE) return -1
  }
  if (i === start) return -1
  address.uri = start
  address.uriEnd = i
  return scanParams(text, i)
}

/** Where the parts of the Via element scanned last stand; `port` is -1 when there is none. */
export const hop = { transport: 0, transportEnd: 0, host: 0, hostEnd: 0, port: -1, portEnd: -1 }

/** via-parm, up to the end or a comma. */
export function scanVia(text: string, from: number): number {
  let i = skipSpace(text, from)
  if (text.startsWith('SIP/2.0/', i)) i += 8
  else i = skipProtocol(text, i)
  if (i < 0) return -1
  hop.transport = skipSpace(text, i)
  hop.transportEnd = skipToken(text, hop.transport)
  hop.host = skipSpace(text, hop.transportEnd)
  if (hop.transportEnd === hop.transport || hop.host === hop.transportEnd) return -1
  hop.hostEnd = skipHost(text, hop.host)
  if (hop.hostEnd < 0) return -1
  hop.port = hop.portEnd = -1
  i = skipSpace(text, hop.hostEnd)
  if (codeAt(text, i) === COLON) {
    hop.port = skipSpace(text, i + 1)
    i = hop.portEnd = skipPort(text, hop.port)
    if (i < 0) return -1
  }
  return scanParams(text, i)
}

/** `SIP / 2.0 /` with white space around the slashes and in any case. */
function skipProtocol(text: string, from: number): number {
  if (text.slice(from, from + 3).toUpperCase() !== 'SIP') return -1
  let i = skipSpace(text, from + 3)
  if (codeAt(text, i) !== SLASH) return -1
  i = skipSpace(text, i + 1)
  if (!text.startsWith('2.0', i)) return -1
  i = skipSpace(text, i + 3)
  return codeAt(text, i) === SLASH ? i + 1 : -1
}

/** 1*DIGIT up to `most`, leading zeros allowed; -1 for anything else. */
export function readNumeral(text: string, most: number): number {
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
    if (value > most) return -1
  }
  return text === '' ? -1 : value
}
