/** A UDP listener: one socket, a wire for each remote address. */
import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Listener } from '@tandem/config/defaults.ts'
import { parseDatagram } from '@tandem/sip/message/parse.ts'
import { responsePort } from '@tandem/sip/transaction/response-port.ts'
import { bindingAnswer, bindingRequest, looksLikeStun, readStun, type StunMessage } from '../domain/stun.ts'
import type { Wire } from '../edge.ts'
import { createIcmpWatch, type IcmpWatch } from './icmp-watch.ts'
import { advertised, bindProblem, type Inward, type OpenListener } from './received.ts'

/** Wires kept for reuse; one is a few hundred bytes, a forgotten one is made anew. */
const MAX_WIRES = 65_536
const RECEIVE_BUFFER = 4 * 1024 * 1024
/** RFC 5389 7.2.1: retransmitted at these times, failed at the last, ms (RTO 500 ms, Rc 7, Rm 16). */
const STUN_MS = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 39_500]
const MAX_PINGS = 4_096

export interface UdpListener extends OpenListener {
  wireTo(address: string, port: number): Wire
  /** A carrier's address: that nobody listens there is known at once. Resolves when it is watched; never rejects. */
  watch(address: string, port: number): Promise<void>
}

export async function openUdp(listener: Listener, inward: Inward): Promise<UdpListener> {
  const family = isIPv6(listener.address) ? 6 : 4
  await proveFree(listener, family)
  const socket = createSocket({
    type: `udp${family}`,
    // for the sockets of the carriers beside it
    reuseAddr: true,
    // addresses are always literal here, and of the socket's family: no look-up per datagram
    lookup: (host, _options, done) => done(null, host, family),
  })
  await bind(socket, listener)
  const bound = socket.address()
  const { host, port } = advertised(listener.advertise, listener.address, bound.port)
  const wires = new Map<string, UdpWire>()
  const pings: Pings = new Map()
  const watch = createIcmpWatch({
    local: { address: listener.address, port: bound.port, family },
    received: (bytes, from) => received(bytes, from),
    unreachable: (address, remotePort, why) => inward.unreachable?.(wireTo(address, remotePort), why),
  })

  const wireTo = (remoteAddress: string, remotePort: number): UdpWire => {
    const key = `${remoteAddress} ${remotePort}`
    const known = wires.get(key)
    if (known) return known
    if (wires.size >= MAX_WIRES) for (const oldest of wires.keys()) if (wires.delete(oldest)) break
    const wire = new UdpWire(socket, inward, listener.name, remoteAddress, remotePort, host, port, pings, watch)
    wires.set(key, wire)
    return wire
  }
  // an answer to what we sent is read from everybody
  const ignored = (bytes: Buffer, { address, port: remotePort }: RemoteInfo): boolean =>
    inward.ignores !== undefined &&
    !isAnswer(bytes) &&
    inward.ignores({
      listener: listener.name,
      remoteAddress: address,
      remotePort,
      flow: flowOf(listener.name, address, remotePort),
    })
  // RFC 5626 8: a limited STUN server on the very port
  const stun = (bytes: Buffer, { address, port: remotePort }: RemoteInfo): void => {
    const message = readStun(bytes)
    if (!message) return
    if (message.kind !== 'request') {
      pings.get(message.id)?.(message, `${address} ${remotePort}`)
      return
    }
    try {
      socket.send(bindingAnswer(message, address, remotePort), remotePort, address, () => {})
    } catch {
      // the socket is closing
    }
  }
  const received = (bytes: Buffer, from: RemoteInfo): void => {
    if (ignored(bytes, from)) return
    if (looksLikeStun(bytes)) {
      stun(bytes, from)
      return
    }
    const outcome = parseDatagram(bytes)
    // `more` and `close` are of streams; a keep-alive by datagram needs no answer (RFC 5626 4.4 has STUN for UDP)
    if (outcome.kind === 'more' || outcome.kind === 'close' || outcome.kind === 'keep-alive') return
    const wire = wireTo(from.address, from.port)
    inward.seen?.('received', bytes, wire)
    const request =
      outcome.kind === 'refuse' ? outcome.request : outcome.kind === 'message' ? outcome.message : undefined
    const back = request?.kind === 'request' ? responsePort(request, from.address, from.port) : from.port
    inward.received(outcome, wire, back === from.port ? wire : wireTo(from.address, back))
  }
  socket.on('message', received)
  // ICMP errors of one peer must not end the listener
  socket.on('error', () => {})
  return {
    name: listener.name,
    transport: 'UDP',
    address: listener.address,
    port: bound.port,
    url: listener.url.replace(/:0$/, `:${bound.port}`),
    wireTo,
    watch: watch.add,
    connections: () => wires.size,
    async close() {
      await watch.close()
      await new Promise<void>((done) => void socket.close(() => done()))
    },
  }
}

/** Begins with `SIP/`. */
function isAnswer(bytes: Buffer): boolean {
  return bytes.length > 4 && bytes.readUInt32BE(0) === 0x5349502f
}

function flowOf(listener: string, address: string, port: number): string {
  return `${listener}/udp/${address}/${port}`
}

/** With reuseAddr two edges could bind one port, each unaware of the other: the first bind is without. */
async function proveFree(listener: Listener, family: 4 | 6): Promise<void> {
  if (listener.port === 0) return
  const socket = createSocket({ type: `udp${family}`, lookup: (host, _options, done) => done(null, host, family) })
  await bind(socket, listener)
  await new Promise<void>((done) => void socket.close(() => done()))
}

function bind(socket: Socket, listener: Listener): Promise<void> {
  return new Promise((done, fail) => {
    const refused = (error: NodeJS.ErrnoException) => fail(bindProblem(listener.name, listener.url, error))
    socket.once('error', refused)
    socket.bind({ address: listener.address, port: listener.port, exclusive: true }, () => {
      socket.off('error', refused)
      try {
        socket.setRecvBufferSize(RECEIVE_BUFFER)
      } catch {
        // the system allows less: what it gives is used
      }
      done()
    })
  })
}

/** STUN requests of ours by transaction id; told what came, and from where. */
type Pings = Map<string, (answer: StunMessage, from: string) => void>

class UdpWire implements Wire {
  readonly reliable = false
  readonly transport = 'UDP'
  readonly alive = true
  readonly listener: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly sentBy: string
  readonly name: string
  readonly flow: string
  large?: () => Wire | undefined
  readonly #socket: Socket
  readonly #inward: Inward
  readonly #pings: Pings
  readonly #watch: IcmpWatch

  constructor(
    socket: Socket,
    inward: Inward,
    listener: string,
    remoteAddress: string,
    remotePort: number,
    localAddress: string,
    localPort: number,
    pings: Pings,
    watch: IcmpWatch,
  ) {
    this.#pings = pings
    this.#watch = watch
    this.#socket = socket
    this.#inward = inward
    this.listener = listener
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
    this.localAddress = localAddress
    this.localPort = localPort
    this.sentBy = `${localAddress}:${localPort}`
    this.name = `udp ${this.sentBy} > ${remoteAddress}:${remotePort}`
    this.flow = flowOf(listener, remoteAddress, remotePort)
  }

  send(bytes: Uint8Array): void {
    this.#inward.seen?.('sent', bytes, this)
    this.#guarded(() => {
      const own = this.#watch.socketTo(this.remoteAddress, this.remotePort)
      if (!own) this.#sendFrom(bytes)
      else {
        own.send(bytes, (error) => {
          // an ICMP error that waited for the next packet took it away: it goes out by the listener itself
          if (error) this.#guarded(() => this.#sendFrom(bytes))
        })
      }
    })
  }

  /** Closed socket, port 0 in a Contact: the peer cannot be reached this way. */
  #guarded(send: () => void): void {
    try {
      send()
    } catch (error) {
      queueMicrotask(() => this.#inward.failed(this, (error as Error).message))
    }
  }

  #sendFrom(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.remotePort, this.remoteAddress, (error) => {
      if (error) this.#inward.failed(this, error.message)
    })
  }

  ping(expected: boolean): Promise<{ readonly mapped?: string | undefined } | undefined> {
    // RFC 5626 8: not without a word of the other side that it knows STUN; our answers are small, so is the table
    if (!expected || this.#pings.size >= MAX_PINGS) return Promise.resolve({})
    const id = randomBytes(12).toString('hex')
    const bytes = bindingRequest(id)
    return new Promise((done) => {
      const timers = STUN_MS.map((ms, i) =>
        setTimeout(() => (i === STUN_MS.length - 1 ? finish(undefined) : this.#sendRaw(bytes)), ms).unref(),
      )
      const finish = (answer: { mapped?: string | undefined } | undefined) => {
        for (const timer of timers) clearTimeout(timer)
        this.#pings.delete(id)
        done(answer)
      }
      this.#pings.set(id, (answer, from) => {
        if (from !== `${this.remoteAddress} ${this.remotePort}`) return
        finish(answer.kind === 'success' ? { mapped: answer.mapped } : undefined)
      })
    })
  }

  #sendRaw(bytes: Uint8Array): void {
    try {
      this.#socket.send(bytes, this.remotePort, this.remoteAddress, () => {})
    } catch {
      // the socket is closing: the ping goes without an answer
    }
  }

  keepUntil(): void {}
}
