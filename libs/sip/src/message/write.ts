/** Messages as bytes (RFC 3261 7). Content-Length is always written, from the body. */
import { CONTENT_LENGTH } from './field-names.ts'
import { fieldsOf } from './header-list.ts'
import type { SipMessage } from './message.ts'
import { encodeText } from './text.ts'

/** Heads are put together here first; longer ones take another way. */
const scratch = Buffer.allocUnsafeSlow(16_384)

export function writeMessage(message: SipMessage): Buffer {
  const head = writeHead(message)
  const { body } = message
  if (head.length * 3 <= scratch.length) {
    const size = scratch.write(head, 0, 'utf8')
    // As many bytes as characters: ASCII, so nothing of it was odd.
    if (size === head.length) {
      const bytes = Buffer.allocUnsafe(size + body.length)
      scratch.copy(bytes, 0, 0, size)
      if (body.length > 0) bytes.set(body, size)
      return bytes
    }
  }
  return Buffer.concat([encodeText(head), body])
}

function writeHead(message: SipMessage): string {
  const { names, numbers, values, raw } = fieldsOf(message.headers)
  let head = startLine(message)
  let measured = false
  for (let i = 0; i < names.length; i++) {
    if (numbers[i] !== CONTENT_LENGTH) head += `${names[i]}: ${raw?.[i] ?? values[i]}\r\n`
    else if (!measured) {
      measured = true
      head += `${names[i]}: ${message.body.length}\r\n`
    }
  }
  return measured ? `${head}\r\n` : `${head}Content-Length: ${message.body.length}\r\n\r\n`
}

function startLine(message: SipMessage): string {
  const line =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`
  return `${/[\r\n]/.test(line) ? line.replace(/[\r\n]+/g, ' ') : line}\r\n`
}
