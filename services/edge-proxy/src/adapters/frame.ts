/** Cuts a stream into SIP messages (RFC 3261 18.3). Bounded; a message that drips in is not parsed again and again. */
import type { ParseOutcome } from '@tandem/sip/message/message.ts'
import { parseStream } from '@tandem/sip/message/parse.ts'

/** Bytes of head and body together. */
export const MAX_MESSAGE = 256 * 1024
const MAX_HEAD = 65_536

export type Framed = Exclude<ParseOutcome, { kind: 'more' }>

export class StreamFramer {
  #chunks: Buffer[] = []
  #size = 0
  /** Bytes that must be there before a look makes sense. */
  #need = 1

  /** Bytes that wait for the rest of their message. */
  get waiting(): number {
    return this.#size
  }

  /** Hands each whole message on, with its own bytes. False: framing is lost, close the connection. */
  push(chunk: Buffer, found: (outcome: Framed, bytes: Uint8Array) => void): boolean {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size < this.#need) return true
    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks)
    for (;;) {
      const outcome = rest.length === 0 ? undefined : parseStream(rest)
      if (outcome === undefined || outcome.kind === 'more') break
      if (outcome.kind === 'close') {
        found(outcome, rest)
        return false
      }
      // a parser that consumes nothing would turn here for ever
      if (outcome.length <= 0) return false
      found(outcome, rest.subarray(0, outcome.length))
      rest = rest.subarray(outcome.length)
    }
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#size = rest.length
    this.#need = needed(rest)
    return this.#need <= MAX_MESSAGE && this.#size <= MAX_MESSAGE
  }
}

/** How long a started message will be, as far as its head tells. */
function needed(rest: Buffer): number {
  const end = rest.indexOf('\r\n\r\n')
  // the head goes on: look again when it has grown by a line's worth, at once when the end may be there
  if (end < 0) return rest.length > MAX_HEAD ? MAX_MESSAGE + 1 : rest.length + 1
  const length = /(?:^|\r\n)(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*(?:\r\n|$)/i.exec(
    rest.toString('latin1', 0, end),
  )
  return length ? end + 4 + Number(length[1]) : rest.length + 1
}
