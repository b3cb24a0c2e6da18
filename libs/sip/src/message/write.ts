/** Messages as bytes (RFC 3261 7). Content-Length is always written, from the body. */

import { headerKey } from './header-list.ts'
import type { SipMessage } from './message.ts'

export function writeMessage(message: SipMessage): Buffer {
  let head =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${message.reason}\r\n`
  let length = false
  for (const [name, value] of message.headers.entries()) {
    if (headerKey(name) === 'content-length') {
      if (length) continue
      length = true
      head += `${name}: ${message.body.length}\r\n`
    } else head += `${name}: ${value}\r\n`
  }
  if (!length) head += `Content-Length: ${message.body.length}\r\n`
  head += '\r\n'
  if (message.body.length === 0) return Buffer.from(head, 'utf8')
  return Buffer.concat([Buffer.from(head, 'utf8'), message.body])
}
