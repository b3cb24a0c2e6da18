/**
 * A phone whose flow ends at another edge, as a wire: each request to it gets the Route to that flow on top (RFC 3261
 * 16.12, RFC 5626 5.3.1), so that calls, messages and transfers need not know.
 */
import type { Through, Wire } from '../edge.ts'

export interface RelayedWireParts {
  readonly listener: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly through: Through
  /** `<sip:flow.…@edge;lr>` */
  readonly route: string
  /** Of the way to the other edge. */
  readonly transport: 'UDP' | 'TCP'
  readonly own: { readonly localAddress: string; readonly localPort: number }
  readonly name: string
  alive(): boolean
  send(bytes: Uint8Array, wire: Wire): void
  keepUntil(ms: number): void
}

export class RelayedWire implements Wire {
  /** False unless each part of the way is: retransmissions of ours go all the way (RFC 3261 16.11: the hop has none). */
  readonly reliable: boolean
  readonly transport: 'UDP' | 'TCP'
  readonly listener: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly sentBy: string
  readonly name: string
  readonly flow: string
  readonly through: Through
  readonly #parts: RelayedWireParts
  readonly #route: Uint8Array

  constructor(parts: RelayedWireParts) {
    this.#parts = parts
    this.transport = parts.transport
    this.reliable = parts.transport === 'TCP' && parts.through.transport !== 'UDP'
    this.listener = parts.listener
    this.remoteAddress = parts.remoteAddress
    this.remotePort = parts.remotePort
    this.localAddress = parts.own.localAddress
    this.localPort = parts.own.localPort
    this.sentBy = `${this.localAddress}:${this.localPort}`
    this.name = parts.name
    this.flow = `through/${parts.route}`
    this.through = parts.through
    this.#route = Buffer.from(`Route: ${parts.route}\r\n`)
  }

  get alive(): boolean {
    return this.#parts.alive()
  }

  send(bytes: Uint8Array): void {
    this.#parts.send(withLine(bytes, this.#route), this)
  }

  keepUntil(ms: number): void {
    this.#parts.keepUntil(ms)
  }
}

/** After the start line of a request; a response has no Route. */
function withLine(bytes: Uint8Array, line: Uint8Array): Uint8Array {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = message.indexOf('\r\n') + 2
  if (end < 2 || message.subarray(0, 4).toString('latin1') === 'SIP/') return bytes
  return Buffer.concat([message.subarray(0, end), line, message.subarray(end)])
}
