/**
 * TCP and TLS alike: one connection as a wire, with the bounds that a stranger needs (RFC 3261 18, RFC 5626 4.4.1).
 */
import type { Socket } from 'node:net'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { topVia } from '@tandem/sip/message/read.ts'
import type { Clock, Proof, Wire } from '../edge.ts'
import { type Framed, StreamFramer } from './frame.ts'
import type { Inward } from './received.ts'

/** Bytes that a slow reader may leave unsent before its connection is closed. */
const MAX_UNSENT = 1024 * 1024
/** A message that was begun must be whole after this time, ms (slow loris). */
const MESSAGE_MS = 10_000
/** A connection that never said anything of sense, ms. */
const SILENT_MS = 30_000
/** A connection that did, without traffic, when nothing lives on it, ms. */
const IDLE_MS = 600_000

/** For bytes that are still to be written when the connection is closed, ms. */
const LINGER_MS = 2_000

const PONG = Buffer.from('\r\n')
const PING = Buffer.from('\r\n\r\n')
/** RFC 5626 4.4.1: no pong by then is a dead flow, ms. */
const PONG_MS = 10_000

let opened = 0

export interface StreamParts {
  readonly socket: Socket
  readonly transport: 'TCP' | 'TLS'
  readonly listener: string
  readonly local: { readonly host: string; readonly port: number }
  readonly clock: Clock
  readonly inward: Inward
  /** RFC 5923: our own requests offer the connection for those of the peer. */
  readonly alias?: boolean
  /** A request offers this connection for requests to the port of its Via (RFC 5923). */
  readonly onAlias?: (wire: StreamWire, sentByPort: number) => void
  readonly onClose: (wire: StreamWire) => void
  readonly proof: Proof | undefined
}

export class StreamWire implements Wire {
  readonly reliable = true
  readonly transport: 'TCP' | 'TLS'
  readonly listener: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly sentBy: string
  readonly name: string
  readonly flow: string
  readonly proof: Proof | undefined
  readonly alias: boolean
  readonly #socket: Socket
  readonly #parts: StreamParts
  readonly #framer = new StreamFramer()
  #alive = true
  #sensible = false
  #lastMs: number
  #begunMs: number | undefined
  #keepMs = 0
  #heardMs: number
  /** Nothing heard for so long: the flow is dead, ms. */
  #signsMs = Number.POSITIVE_INFINITY
  /** Waits for a pong, or anything else that shows life. */
  #pinged: (() => void) | undefined

  constructor(parts: StreamParts) {
    this.#parts = parts
    this.#socket = parts.socket
    this.transport = parts.transport
    this.listener = parts.listener
    this.remoteAddress = plain(parts.socket.remoteAddress ?? '')
    this.remotePort = parts.socket.remotePort ?? 0
    this.localAddress = parts.local.host
    this.localPort = parts.local.port
    this.sentBy = `${this.localAddress}:${this.localPort}`
    this.name = `${parts.transport.toLowerCase()} ${this.sentBy} > ${this.remoteAddress}:${this.remotePort}`
    this.flow = `${parts.listener}/${parts.transport.toLowerCase()}/${this.remoteAddress}/${this.remotePort}/${++opened}`
    this.proof = parts.proof
    this.alias = parts.alias ?? false
    this.#lastMs = parts.clock.now()
    this.#heardMs = this.#lastMs
    parts.socket.setNoDelay(true)
    parts.socket.on('data', (chunk: Buffer) => this.#read(chunk))
    parts.socket.on('error', () => {})
    parts.socket.on('end', () => this.close('closed by the peer'))
    parts.socket.on('close', () => this.close('closed'))
  }

  get alive(): boolean {
    return this.#alive
  }

  send(bytes: Uint8Array): void {
    if (!this.#alive) {
      queueMicrotask(() => this.#parts.inward.failed(this, 'the connection is closed'))
      return
    }
    this.#parts.inward.seen?.('sent', bytes, this)
    this.#lastMs = this.#parts.clock.now()
    this.#socket.write(bytes)
    if (this.#socket.writableLength > MAX_UNSENT) this.close('the peer does not read')
  }

  keepUntil(ms: number): void {
    this.#keepMs = Math.max(this.#keepMs, ms)
  }

  expectSigns(ms: number): void {
    this.#signsMs = ms
  }

  ping(expected: boolean): Promise<{ readonly mapped?: string } | undefined> {
    if (!this.#alive) return Promise.resolve(undefined)
    this.#socket.write(PING)
    if (!expected) return Promise.resolve({})
    const { clock } = this.#parts
    return new Promise((done) => {
      const late = clock.setTimer(PONG_MS, () => {
        this.#pinged = undefined
        this.close('no answer to a keep-alive')
        done(undefined)
      })
      this.#pinged = () => {
        this.#pinged = undefined
        clock.clearTimer(late)
        done(this.#alive ? {} : undefined)
      }
    })
  }

  close(why: string): void {
    if (!this.#alive) return
    this.#alive = false
    this.#pinged?.()
    // a last answer still goes out, if the peer takes it
    this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy())
    if (this.#socket.writableLength > MAX_UNSENT) this.#socket.destroy()
    else this.#socket.destroySoon()
    this.#parts.onClose(this)
    this.#parts.inward.failed(this, why)
  }

  /** Called now and then by the listener. */
  sweep(now: number): void {
    if (this.#begunMs !== undefined && now - this.#begunMs > MESSAGE_MS) this.close('a message did not come to its end')
    else if (now - this.#heardMs > this.#signsMs) this.close('no keep-alive within the Flow-Timer')
    else if (now < this.#keepMs) return
    else if (now - this.#lastMs > (this.#sensible ? IDLE_MS : SILENT_MS)) this.close('idle')
  }

  #offered(request: SipRequest): void {
    const via = topVia(request)
    if (via?.params.has('alias')) this.#parts.onAlias?.(this, via.port ?? 5061)
  }

  #read(chunk: Buffer): void {
    const now = this.#parts.clock.now()
    this.#lastMs = now
    this.#heardMs = now
    const waited = this.#framer.waiting > 0
    let whole = false
    const ok = this.#framer.push(chunk, (outcome, bytes) => {
      whole = true
      this.#pinged?.()
      this.#hand(outcome, bytes)
    })
    if (!ok) this.close('no SIP')
    else if (this.#framer.waiting === 0) this.#begunMs = undefined
    else if (whole || !waited) this.#begunMs = now
  }

  #hand(outcome: Framed, bytes: Uint8Array): void {
    const { inward } = this.#parts
    if (outcome.kind === 'keep-alive') {
      this.#sensible = true
      // RFC 5626 4.4.1: a double CRLF is answered with a single one
      if (outcome.ping && this.#alive) this.#socket.write(PONG)
      return
    }
    if (outcome.kind === 'close') {
      if (outcome.refusal) inward.received({ kind: 'refuse', ...outcome.refusal, length: bytes.length }, this)
      return
    }
    if (outcome.kind === 'message') {
      this.#sensible = true
      if (this.proof && outcome.message.kind === 'request') this.#offered(outcome.message)
    }
    inward.seen?.('received', bytes, this)
    inward.received(outcome, this)
  }
}

/** An IPv4 peer of a dual-stack socket as it is written everywhere else. */
export function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
