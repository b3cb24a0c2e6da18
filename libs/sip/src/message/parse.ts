/**
 * Bytes from the network as messages (RFC 3261 7, 18.3, 25; RFC 4475). Never throws, and takes time in proportion to
 * the bytes given.
 *
 * Here is framing: start line, header fields, body. `grammar.ts` holds what each field must look like.
 */
import { CONTENT_LENGTH, VIA } from './field-names.ts'
import { fieldFault, KNOWN_METHODS, uriFault, WRONG_METHOD } from './grammar.ts'
import { BARE, type Head, MAX_HEAD_BYTES, readHead } from './head.ts'
import type { Fields } from './header-list.ts'
import type { ParseOutcome, SipRequest, SipResponse } from './message.ts'
import { isToken } from './scan.ts'

/** A UDP datagram cannot be larger. */
export const MAX_DATAGRAM_BYTES = 65_535
/** Body of a message on a stream: SDP, PIDF-LO and a certificate fit many times. */
export const MAX_BODY_BYTES = 262_144

const EMPTY = new Uint8Array(0)
const CR = 13
const LF = 10

/** One datagram. What follows the body is noise (RFC 3261 18.3); a body that is cut short is refused. */
export function parseDatagram(bytes: Uint8Array): ParseOutcome {
  return parse(bytes, false)
}

/** The first message at the start of what a stream has given so far; call again with the rest after `length` bytes. */
export function parseStream(bytes: Uint8Array): ParseOutcome {
  return parse(bytes, true)
}

function parse(bytes: Uint8Array, stream: boolean): ParseOutcome {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (buffer.length === 0) return stream ? { kind: 'more' } : { kind: 'drop', why: 'empty', length: 0 }
  if (buffer[0] === CR || buffer[0] === LF) return keepAlive(buffer, stream)
  if (!stream && buffer.length > MAX_DATAGRAM_BYTES) return { kind: 'drop', why: 'too large', length: buffer.length }
  const head = readHead(buffer)
  if (head.end < 0 && stream) {
    return buffer.length > MAX_HEAD_BYTES ? { kind: 'close', why: 'header fields without end' } : { kind: 'more' }
  }
  return frame(buffer, head, stream)
}

// RFC 5626 3.5.1 and 4.4.1: a double CRLF is a ping, a single one its answer. RFC 3261 7.5: on a stream any CRLF
// before the start line MUST be ignored; a lone one reads as an answer to a ping, which nobody minds.
function keepAlive(buffer: Buffer, stream: boolean): ParseOutcome {
  if (buffer[0] === CR && buffer.length === 1 && stream) return { kind: 'more' }
  if (buffer[0] !== CR || buffer[1] !== LF) return lost('no SIP', buffer, stream)
  if (buffer.length === 3 && buffer[2] === CR && stream) return { kind: 'more' }
  const ping = buffer[2] === CR && buffer[3] === LF
  return { kind: 'keep-alive', ping, length: stream ? (ping ? 4 : 2) : buffer.length }
}

function lost(why: string, buffer: Buffer, stream: boolean): ParseOutcome {
  return stream ? { kind: 'close', why } : { kind: 'drop', why, length: buffer.length }
}

/** Finds the body, then tells request from response. */
function frame(buffer: Buffer, head: Head, stream: boolean): ParseOutcome {
  const { headers } = head
  const bodyStart = head.end < 0 ? buffer.length : head.end
  const room = buffer.length - bodyStart
  let fault = head.fault
  let size = room
  // Where a line ends is read differently by different peers: so would be where the next message begins.
  let framed = !(stream && head.fault === BARE)
  const text = headers.first(CONTENT_LENGTH)
  const twice =
    text !== undefined && headers.numbers.indexOf(CONTENT_LENGTH) !== headers.numbers.lastIndexOf(CONTENT_LENGTH)
  if (text === undefined) framed = !stream
  else if (twice) {
    // RFC 4475 3.3.9: from a framing perspective, several are the same as none.
    framed = false
    fault ??= 'Several Content-Length'
  } else {
    size = contentLength(text)
    if (size < 0) {
      framed = false
      fault ??= 'Malformed Content-Length'
    }
  }
  if (!framed) fault ??= 'No Content-Length'
  if (stream && (!framed || size > MAX_BODY_BYTES)) {
    const status = framed ? 413 : 400
    return close(
      readStart(head.start, headers, EMPTY, fault, 0),
      status,
      status === 413 ? 'Request Entity Too Large' : fault,
    )
  }
  if (size > room) {
    if (stream) return { kind: 'more' }
    // RFC 3261 18.3: a datagram that ends before its body does MUST be refused with 400.
    fault ??= 'Content-Length larger than the datagram'
    size = room
  }
  const kept = framed ? size : room
  const body = kept === 0 ? EMPTY : buffer.subarray(bodyStart, bodyStart + kept)
  return readStart(head.start, headers, body, fault, stream ? bodyStart + size : buffer.length)
}

/** -1 when it is no number. More digits than a body can have are as good as a number too large. */
function contentLength(text: string): number {
  let size = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    size = Math.min(size * 10 + digit, Number.MAX_SAFE_INTEGER / 16)
  }
  return text === '' ? -1 : size
}

/** Framing of a stream is lost: what could be read may be answered, then the connection goes. */
function close(outcome: ParseOutcome, status: number, why = 'framing lost'): ParseOutcome {
  if (outcome.kind === 'refuse')
    return { kind: 'close', why, refusal: { status, reason: why, request: outcome.request } }
  if (outcome.kind === 'message' && outcome.message.kind === 'request' && outcome.message.method !== 'ACK') {
    return { kind: 'close', why, refusal: { status, reason: why, request: outcome.message } }
  }
  return { kind: 'close', why }
}

function readStart(
  start: string,
  headers: Fields,
  body: Uint8Array,
  fault: string | undefined,
  length: number,
): ParseOutcome {
  // RFC 3261 7.1: SIP-Version is case-insensitive. No method can hold a slash.
  if (start.slice(0, 8).toUpperCase() === 'SIP/2.0 ') return readStatusLine(start, headers, body, fault, length)
  return readRequestLine(start, headers, body, fault, length)
}

// RFC 3261 7.2. RFC 4475 3.1.2.5 and 3.1.2.19: a response that is wrong is simply dropped.
function readStatusLine(
  start: string,
  headers: Fields,
  body: Uint8Array,
  fault: string | undefined,
  length: number,
): ParseOutcome {
  const status = contentLength(start.slice(8, 11))
  // The space before an empty reason is required; without it the line is clear all the same (RFC 4475 3.1.1.13).
  const spaced = start.length === 11 || start.charCodeAt(11) === 32
  if (status < 100 || status > 699 || !spaced) return { kind: 'drop', why: 'Malformed status line', length }
  const response: SipResponse = { kind: 'response', status, reason: start.slice(12), headers, body }
  const why = fault ?? fieldFault(headers, undefined)
  return why === undefined ? { kind: 'message', message: response, length } : { kind: 'drop', why, length }
}

// RFC 3261 7.1: Method SP Request-URI SP SIP-Version CRLF, a single SP each.
function readRequestLine(
  start: string,
  headers: Fields,
  body: Uint8Array,
  headFault: string | undefined,
  length: number,
): ParseOutcome {
  const line = start.endsWith(' SIP/2.0') ? start : start.trimEnd()
  const space = line.indexOf(' ')
  const last = line.lastIndexOf(' ')
  const method = knownMethod(line.slice(0, Math.max(space, 0)))
  const version = line.slice(last + 1)
  if (method === '' || last === space || !(version === 'SIP/2.0' || /^SIP\/\d{1,9}\.\d{1,9}$/i.test(version))) {
    return { kind: 'drop', why: 'no SIP start line', length }
  }
  const uri = line.slice(space + 1, last)
  const request: SipRequest = { kind: 'request', method, uri: uri.trim(), headers, body }
  if (headers.first(VIA) === undefined) return { kind: 'drop', why: 'no Via to answer to', length }
  if (version.length !== 7 || !version.endsWith('/2.0')) {
    return refuse(request, 505, 'Version Not Supported', length)
  }
  let fault = headFault
  if (line.length !== start.length) fault ??= 'Space at the end of the request line'
  fault ??= uriFault(headers, uri) ?? fieldFault(headers, method)
  if (fault === undefined) return { kind: 'message', message: request, length }
  // RFC 4475 3.1.2.18: 501 for a method that we do not know anyway "has better future-proof characteristics".
  if (fault === WRONG_METHOD && !KNOWN_METHODS.has(method)) return refuse(request, 501, 'Not Implemented', length)
  return refuse(request, 400, fault, length)
}

const shared: ReadonlyMap<string, string> = new Map([...KNOWN_METHODS].map((method) => [method, method]))

/** One string for each known method, so that none keeps a datagram alive; empty when it is no token. */
function knownMethod(method: string): string {
  return shared.get(method) ?? (isToken(method) ? method : '')
}

/** RFC 3261 17.1.1.3: an ACK is never answered. */
function refuse(request: SipRequest, status: number, reason: string, length: number): ParseOutcome {
  if (request.method === 'ACK') return { kind: 'drop', why: reason, length }
  return { kind: 'refuse', status, reason, request, length }
}
