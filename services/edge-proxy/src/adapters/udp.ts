/** A UDP listener: one socket, a wire for each remote address. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Listener } from '@tandem/config/defaults.ts'
import { parseDatagram } from '@tandem/sip/message/parse.ts'
import { responsePort } from '@tandem/sip/transaction/response-port.ts'
import type { Wire } from '../edge.ts'
import { advertised, bindProblem, type Inward, type OpenListener } from './received.ts'

/** Wires kept for reuse; one is a few hundred bytes, a forgotten one is made anew. */
const MAX_WIRES = 65_536
const RECEIVE_BUFFER = 4 * 1024 * 1024

export interface UdpListener extends OpenListener {
  wireTo(address: string, port: number): Wire
}

export async function openUdp(listener: Listener, inward: Inward): Promise<UdpListener> {
  const family = isIPv6(listener.address) ? 6 : 4
  const socket = createSocket({
    type: `udp${family}`,
    // addresses are always literal here, and of the socket's family: no look-up per datagram
    lookup: (host, _options, done) => done(null, host, family),
  })
  await bind(socket, listener)
  const bound = socket.address()
  const { host, port } = advertised(listener.advertise, listener.address, bound.port)
  const wires = new Map<string, UdpWire>()

  const wireTo = (remoteAddress: string, remotePort: number): UdpWire => {
    const key = `${remoteAddress} ${remotePort}`
    const known = wires.get(key)
    if (known) return known
    if (wires.size >= MAX_WIRES) for (const oldest of wires.keys()) if (wires.delete(oldest)) break
    const wire = new UdpWire(socket, inward, listener.name, remoteAddress, remotePort, host, port)
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
  socket.on('message', (bytes: Buffer, from: RemoteInfo) => {
    if (ignored(bytes, from)) return
    const outcome = parseDatagram(bytes)
    // `more` and `close` are of streams; a keep-alive by datagram needs no answer (RFC 5626 4.4 has STUN for UDP)
    if (outcome.kind === 'more' || outcome.kind === 'close' || outcome.kind === 'keep-alive') return
    const wire = wireTo(from.address, from.port)
    inward.seen?.('received', bytes, wire)
    const request =
      outcome.kind === 'refuse' ? outcome.request : outcome.kind === 'message' ? outcome.message : undefined
    const back = request?.kind === 'request' ? responsePort(request, from.address, from.port) : from.port
    inward.received(outcome, wire, back === from.port ? wire : wireTo(from.address, back))
  })
  // ICMP errors of one peer must not end the listener
  socket.on('error', () => {})
  return {
    name: listener.name,
    transport: 'UDP',
    address: listener.address,
    port: bound.port,
    url: listener.url.replace(/:0$/, `:${bound.port}`),
    wireTo,
    connections: () => wires.size,
    close: () => new Promise((done) => socket.close(() => done())),
  }
}

/** Begins with `SIP/`. */
function isAnswer(bytes: Buffer): boolean {
  return bytes.length > 4 && bytes.readUInt32BE(0) === 0x5349502f
}

function flowOf(listener: string, address: string, port: number): string {
  return `${listener}/udp/${address}/${port}`
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

  constructor(
    socket: Socket,
    inward: Inward,
    listener: string,
    remoteAddress: string,
    remotePort: number,
    localAddress: string,
    localPort: number,
  ) {
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
    try {
      this.#socket.send(bytes, this.remotePort, this.remoteAddress, (error) => {
        if (error) this.#inward.failed(this, error.message)
      })
    } catch (error) {
      // closed socket, port 0 in a Contact: the peer cannot be reached this way
      queueMicrotask(() => this.#inward.failed(this, (error as Error).message))
    }
  }

  keepUntil(): void {}
}
