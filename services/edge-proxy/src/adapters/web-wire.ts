/** One WebSocket as a wire (RFC 7118): each message of it is one SIP message, whole. */
import { isUtf8 } from 'node:buffer'
import { parseDatagram } from '@tandem/sip/message/parse.ts'
import type { WebSocket } from 'ws'
import type { Clock, Proof, Wire } from '../edge.ts'
import type { Inward } from './received.ts'

/** Bytes that a slow reader may leave unsent before its connection is closed. */
const MAX_UNSENT = 1024 * 1024
/** A connection that never said anything of sense, ms. */
const SILENT_MS = 30_000
/** A connection that did, when nothing lives on it, ms. */
const IDLE_MS = 600_000
/** RFC 7118 6: a ping that often; without its pong by the next one the browser is gone, ms. */
const PING_MS = 25_000
/** RFC 6455 7.4.1 */
const GOING_AWAY = 1001

const PONG = '\r\n'

let opened = 0

export interface WebWireParts {
  readonly socket: WebSocket
  readonly transport: 'WS' | 'WSS'
  readonly listener: string
  readonly local: { readonly host: string; readonly port: number }
  readonly remote: { readonly address: string; readonly port: number }
  readonly clock: Clock
  readonly inward: Inward
  readonly proof: Proof | undefined
  readonly onClose: (wire: WebWire) => void
}

export class WebWire implements Wire {
  readonly reliable = true
  readonly transport: 'WS' | 'WSS'
  readonly listener: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly sentBy: string
  readonly name: string
  readonly flow: string
  readonly proof: Proof | undefined
  readonly #parts: WebWireParts
  #alive = true
  #sensible = false
  #answered = true
  #lastMs: number
  #pingMs: number
  #keepMs = 0

  constructor(parts: WebWireParts) {
    const { socket, transport, listener, local, remote, clock } = parts
    this.#parts = parts
    this.transport = transport
    this.listener = listener
    this.remoteAddress = remote.address
    this.remotePort = remote.port
    this.localAddress = local.host
    this.localPort = local.port
    this.sentBy = `${local.host}:${local.port}`
    const kind = transport.toLowerCase()
    this.name = `${kind} ${this.sentBy} > ${remote.address}:${remote.port}`
    this.flow = `${listener}/${kind}/${remote.address}/${remote.port}/${++opened}`
    this.proof = parts.proof
    this.#lastMs = clock.now()
    this.#pingMs = this.#lastMs
    socket.on('message', (data) => this.#read(data as Buffer))
    socket.on('pong', () => {
      this.#answered = true
    })
    socket.on('error', () => {})
    socket.on('close', () => this.close('closed by the peer'))
  }

  get alive(): boolean {
    return this.#alive
  }

  send(bytes: Uint8Array): void {
    const { socket, inward, clock } = this.#parts
    if (!this.#alive) {
      queueMicrotask(() => inward.failed(this, 'the connection is closed'))
      return
    }
    inward.seen?.('sent', bytes, this)
    this.#lastMs = clock.now()
    // RFC 7118 4.2: text where it is UTF-8, as browsers like it, else binary
    socket.send(bytes, { binary: !isUtf8(bytes) }, (error) => {
      if (error) this.close('cannot be written')
    })
    if (socket.bufferedAmount > MAX_UNSENT) this.close('the peer does not read')
  }

  keepUntil(ms: number): void {
    this.#keepMs = Math.max(this.#keepMs, ms)
  }

  close(why: string): void {
    if (!this.#alive) return
    this.#alive = false
    const { socket, onClose, inward } = this.#parts
    // a peer that does not read or answer is not waited for
    if (socket.bufferedAmount > MAX_UNSENT || !this.#answered) socket.terminate()
    else socket.close(GOING_AWAY)
    onClose(this)
    inward.failed(this, why)
  }

  /** Called now and then by the listener. */
  sweep(now: number): void {
    if (now >= this.#keepMs && now - this.#lastMs > (this.#sensible ? IDLE_MS : SILENT_MS))
      return void this.close('idle')
    if (now - this.#pingMs < PING_MS) return
    if (!this.#answered) return void this.close('no answer to a ping')
    this.#pingMs = now
    this.#answered = false
    this.#parts.socket.ping()
  }

  #read(data: Buffer): void {
    const { inward, socket } = this.#parts
    if (!this.#alive) return
    this.#lastMs = this.#parts.clock.now()
    const outcome = parseDatagram(data)
    if (outcome.kind === 'keep-alive') {
      this.#sensible = true
      // RFC 7118 6, RFC 5626 4.4.1: a double CRLF is answered with a single one
      if (outcome.ping) socket.send(PONG)
      return
    }
    if (outcome.kind === 'more') return
    // RFC 7118 4.1: messages other than SIP MUST NOT be sent over this connection
    if (outcome.kind === 'close') return void this.close('no SIP')
    if (outcome.kind === 'message') this.#sensible = true
    inward.seen?.('received', data, this)
    inward.received(outcome, this)
  }
}
