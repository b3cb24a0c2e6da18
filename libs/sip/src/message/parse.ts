/** Bytes from the network as messages (RFC 3261 7, 18.3, 25; RFC 4475). Never throws. */
import { headerList } from './header-list.ts'
import type { ParseOutcome, SipMessage, SipRequest } from './message.ts'
import { cseq } from './read.ts'

const EMPTY = new Uint8Array(0)

export function parseDatagram(bytes: Uint8Array): ParseOutcome {
  return parse(bytes, false)
}

export function parseStream(bytes: Uint8Array): ParseOutcome {
  return parse(bytes, true)
}

function parse(bytes: Uint8Array, stream: boolean): ParseOutcome {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (buffer.length >= 2 && buffer[0] === 13 && buffer[1] === 10) {
    const ping = buffer.length >= 4 && buffer[2] === 13 && buffer[3] === 10
    if (stream || buffer.length <= 4) return { kind: 'keep-alive', ping, length: ping ? 4 : 2 }
  }
  const end = buffer.indexOf('\r\n\r\n')
  if (end < 0)
    return stream
      ? bytes.length > 65535
        ? { kind: 'close', why: 'head too large' }
        : { kind: 'more' }
      : { kind: 'drop', why: 'no end of headers', length: bytes.length }
  const lines = buffer
    .toString('utf8', 0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  const start = lines.shift() ?? ''
  const headers = headerList()
  let bad: string | undefined
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1) bad ??= 'malformed header field'
    else headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim())
  }
  const lengthText = headers.get('content-length')
  const room = buffer.length - end - 4
  let size = room
  if (lengthText !== undefined) {
    if (!/^\d{1,9}$/.test(lengthText)) bad ??= 'malformed Content-Length'
    else size = Number(lengthText)
  } else if (stream) size = 0
  if (size > room) {
    if (stream) return { kind: 'more' }
    bad ??= 'Content-Length larger than the datagram'
    size = room
  }
  const length = stream ? end + 4 + size : buffer.length
  const body = size === 0 ? EMPTY : buffer.subarray(end + 4, end + 4 + size)
  const status = /^SIP\/2\.0 (\d{3}) (.*)$/s.exec(start)
  let message: SipMessage
  if (status) message = { kind: 'response', status: Number(status[1]), reason: status[2] as string, headers, body }
  else {
    const request = /^(\S+) (\S+) SIP\/(\S+)$/.exec(start)
    if (!request) return { kind: 'drop', why: 'no SIP start line', length }
    const made: SipRequest = { kind: 'request', method: request[1] as string, uri: request[2] as string, headers, body }
    if (request[3] !== '2.0')
      return { kind: 'refuse', status: 505, reason: 'Version Not Supported', request: made, length }
    message = made
  }
  for (const name of ['via', 'from', 'to', 'call-id', 'cseq']) if (!headers.has(name)) bad ??= `missing ${name}`
  const sequence = cseq(message)
  if (!sequence || (message.kind === 'request' && sequence.method !== message.method)) bad ??= 'bad CSeq'
  if (bad === undefined) return { kind: 'message', message, length }
  if (message.kind === 'response' || message.method === 'ACK') return { kind: 'drop', why: bad, length }
  return { kind: 'refuse', status: 400, reason: bad, request: message, length }
}
