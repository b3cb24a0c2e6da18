/** Bodies of SIP messages as calls use them: a description alone, or one part of several (RFC 2046, RFC 5621). */
import { type ParsedSdp, parseSdp } from '@tandem/sdp/parse.ts'
import type { SipMessage } from '@tandem/sip/message/message.ts'
import { contentType } from '@tandem/sip/message/read.ts'

export const SDP_TYPE = 'application/sdp'
const MAX_PARTS = 16

export interface BodyPart {
  readonly type: string
  readonly text: string
}

/** The parts of a message's body; one part when it is not a multipart, none when it is empty. */
export function partsOf(message: SipMessage): BodyPart[] {
  if (message.body.length === 0) return []
  const { body } = message
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  const type = contentType(message)
  if (type === undefined) return []
  if (!type.type.startsWith('multipart/')) return [{ type: type.type, text }]
  const boundary = type.params.get('boundary')
  return boundary === undefined ? [] : split(text, boundary)
}

export type Description =
  | { readonly kind: 'none' }
  | (ParsedSdp & { readonly kind: 'sdp'; readonly text: string })
  | { readonly kind: 'invalid'; readonly reason: string }
  /** A body that holds no description: 415. */
  | { readonly kind: 'other' }

/** The session description that a message carries. */
export function descriptionOf(message: SipMessage): Description {
  if (message.body.length === 0) return { kind: 'none' }
  const parts = partsOf(message)
  const found = parts.find((part) => part.type === SDP_TYPE)
  if (found === undefined) return { kind: 'other' }
  const parsed = parseSdp(found.text)
  return parsed.kind === 'sdp' ? { ...parsed, text: found.text } : { kind: 'invalid', reason: parsed.reason }
}

/** RFC 2046 5.1.1: parts stand between lines of two dashes and the boundary. */
function split(text: string, boundary: string): BodyPart[] {
  const parts: BodyPart[] = []
  const pieces = `\r\n${text}`.split(`\r\n--${boundary}`, MAX_PARTS + 2)
  for (const piece of pieces.slice(1)) {
    if (piece.startsWith('--')) break
    const head = piece.indexOf('\r\n\r\n')
    if (head < 0) continue
    const type = /^content-type[ \t]*:[ \t]*([^\s;]+)/im.exec(piece.slice(0, head))?.[1]?.toLowerCase() ?? 'text/plain'
    parts.push({ type, text: piece.slice(head + 4) })
  }
  return parts
}

export interface WrittenPart {
  readonly type: string
  readonly text: string
  readonly headers?: readonly (readonly [string, string])[]
}

/** A multipart/mixed body; `boundary` must not occur in the parts (a random one does not). */
export function writeMultipart(parts: readonly WrittenPart[], boundary: string): { type: string; text: string } {
  let text = ''
  for (const part of parts) {
    text += `--${boundary}\r\nContent-Type: ${part.type}\r\n`
    for (const [name, value] of part.headers ?? []) text += `${name}: ${value}\r\n`
    text += `\r\n${part.text}`
    if (!part.text.endsWith('\r\n')) text += '\r\n'
  }
  return { type: `multipart/mixed;boundary=${boundary}`, text: `${text}--${boundary}--\r\n` }
}
