/** The head of a message: start line and header fields as they stand (RFC 3261 7.3, 25.1). */
import { fieldNumber, usualName } from './field-names.ts'
import { Fields } from './header-list.ts'
import { skipToken } from './scan.ts'
import { decodeText } from './text.ts'

/** Start line and header fields. The longest of RFC 4475 has 3.5 kB. */
export const MAX_HEAD_BYTES = 32_768
export const MAX_FIELDS = 256
/** One header field with its name. */
export const MAX_FIELD_BYTES = 8_192

const CR = 13

export interface Head {
  readonly start: string
  readonly headers: Fields
  /** Bytes up to and with the empty line; -1 when there is none. */
  readonly end: number
  /** The first thing wrong, undefined when nothing is. */
  readonly fault: string | undefined
}

/** Up to here the whole datagram is made one string at once, which is quicker than looking for the end first. */
const SMALL = 4_096

export function readHead(buffer: Buffer): Head {
  if (buffer.length <= SMALL) {
    const text = buffer.toString('utf8')
    // As many characters as bytes and none replaced: ASCII, so places in the text are places in the bytes.
    if (text.length === buffer.length && !text.includes('\ufffd')) return readLines(text)
  }
  const found = buffer.subarray(0, MAX_HEAD_BYTES + 4).indexOf('\r\n\r\n')
  const size = found < 0 ? Math.min(buffer.length, MAX_HEAD_BYTES) : found + 4
  const head = readLines(decodeText(buffer.subarray(0, size)))
  return { ...head, end: found < 0 ? -1 : size }
}

/** A fault does not end the reading: a refusal needs the fields after it. */
function readLines(text: string): Head {
  const headers = new Fields([], [], [])
  const startEnd = text.indexOf('\n')
  if (startEnd < 0) return { start: text, headers, end: -1, fault: NO_END }
  const start = text.slice(0, text.charCodeAt(startEnd - 1) === CR ? startEnd - 1 : startEnd)
  let fault = isLine(text, 0, startEnd) ? undefined : BARE
  for (let line = startEnd + 1; ; ) {
    let end = text.indexOf('\n', line)
    if (end < 0) return { start, headers, end: -1, fault: fault ?? NO_END }
    if (!isLine(text, line, end)) fault ??= BARE
    else if (end === line + 1) return { start, headers, end: end + 1, fault }
    let folded = false
    while (isSpace(text, end + 1)) {
      folded = true
      const next = text.indexOf('\n', end + 1)
      if (next < 0) return { start, headers, end: -1, fault: fault ?? NO_END }
      if (!isLine(text, end + 1, next)) fault ??= BARE
      end = next
    }
    const wrong = readField(headers, text, line, end, folded)
    fault ??= wrong
    line = end + 1
  }
}

/** One header field from `line` to its LF at `lf`; returns what is wrong with it. */
function readField(headers: Fields, text: string, line: number, lf: number, folded: boolean): string | undefined {
  let end = text.charCodeAt(lf - 1) === CR ? lf - 1 : lf
  const colon = text.indexOf(':', line)
  if (colon < 0 || colon > end) return 'Malformed header field'
  if (end - line > MAX_FIELD_BYTES) return 'Header field too long'
  if (headers.names.length >= MAX_FIELDS) return 'Too many header fields'
  let start = colon + 1
  while (isSpace(text, start)) start++
  // folds that hold nothing go too: written back, the last would be the empty line that ends the head
  while (end > start && (isSpace(text, end - 1) || (folded && isLineEnd(text, end - 1)))) end--
  if (start > end) start = end
  const value = text.slice(start, end)
  // RFC 3261 7.3.1: a fold reads as a single space.
  const read = folded ? value.replace(/\r?\n[ \t]+/g, ' ').trim() : value
  const known = usualName(text, line, colon)
  if (known !== undefined) headers.add(known.name, known.number, read, folded ? value : undefined)
  else {
    let nameEnd = colon
    while (isSpace(text, nameEnd - 1)) nameEnd--
    if (nameEnd <= line || skipToken(text, line) !== nameEnd) return 'Malformed header field'
    const name = text.slice(line, nameEnd)
    headers.add(name, fieldNumber(name), read, folded ? value : undefined)
  }
  return undefined
}

/** RFC 3261 7: a line ends in CRLF, and neither stands alone elsewhere. */
function isLine(text: string, start: number, lf: number): boolean {
  return lf > start && text.indexOf('\r', start) === lf - 1
}

function isLineEnd(text: string, i: number): boolean {
  const code = text.charCodeAt(i)
  return code === CR || code === 10
}

function isSpace(text: string, i: number): boolean {
  const code = i < text.length ? text.charCodeAt(i) : 0
  return code === 32 || code === 9
}

export const BARE = 'Bare CR or LF'
const NO_END = 'No empty line after the header fields'
