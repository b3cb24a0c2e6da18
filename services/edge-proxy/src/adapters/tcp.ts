/** A TCP or TLS listener: accepts connections within limits and opens those that we need ourselves. */
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import type { Listener } from '@tandem/config/defaults.ts'
import type { Clock, Proof, Timer, Wire } from '../edge.ts'
import { offersAlias, peerKey, provenAs, type TlsPeer } from './client-tls.ts'
import { advertised, type Inward, listen, type OpenListener } from './received.ts'
import { plain, StreamWire } from './stream.ts'

/** Connections of one listener, and of one source address on it. */
const MAX_CONNECTIONS = 20_000
const MAX_PER_SOURCE = 2_000
const SWEEP_MS = 2_000
/** edge.md E1: no connection in 500 ms counts as none. */
export const CONNECT_MS = 500

export interface StreamListener extends OpenListener {
  /** The open connection to this address, or a new one within 500 ms. `peer`: who must be there, proven by TLS. */
  connect(address: string, port: number, peer?: TlsPeer): Promise<Wire>
}

/** How TCP and TLS differ. */
export interface StreamKind {
  readonly transport: 'TCP' | 'TLS'
  serve(accept: (socket: Socket) => void): Server
  /** Resolves when the connection can carry SIP. */
  dial(socket: Socket, peer: TlsPeer | undefined): Promise<Socket>
  /** What the certificate of an accepted connection proves. */
  proofOf?(socket: Socket): Proof | undefined
}

export const TCP: StreamKind = {
  transport: 'TCP',
  serve: (accept) => createServer({ pauseOnConnect: false, noDelay: true }, accept),
  dial: async (socket) => socket,
}

export function openTcp(listener: Listener, clock: Clock, inward: Inward): Promise<StreamListener> {
  return openStream(listener, TCP, clock, inward)
}

export async function openStream(
  listener: Listener,
  kind: StreamKind,
  clock: Clock,
  inward: Inward,
): Promise<StreamListener> {
  const wires = new Map<string, Set<StreamWire>>()
  const perSource = new Map<string, number>()
  /** RFC 5923: connections of carriers that call us, by the address at which they say they listen. */
  const aliases = new Map<string, StreamWire>()
  const dialling = new Map<string, Promise<Wire>>()
  let count = 0
  let local = advertised(listener.advertise, listener.address, listener.port)

  const adopt = (socket: Socket, as = '', proof?: Proof, alias = false): StreamWire | undefined => {
    const source = socket.remoteAddress
    // the peer may be gone before we look
    if (source === undefined || count >= MAX_CONNECTIONS || (perSource.get(source) ?? 0) >= MAX_PER_SOURCE) {
      socket.on('error', () => {})
      socket.destroy()
      return undefined
    }
    const { name } = listener
    const { transport } = kind
    const wire = new StreamWire({
      socket,
      transport,
      listener: name,
      local,
      clock,
      inward,
      onClose,
      proof,
      alias,
      onAlias,
    })
    count++
    perSource.set(source, (perSource.get(source) ?? 0) + 1)
    const key = `${wire.remoteAddress} ${wire.remotePort} ${as}`
    const known = wires.get(key)
    if (known) known.add(wire)
    else wires.set(key, new Set([wire]))
    return wire

    // RFC 5923 9.2: "If the client does not present a certificate, the server MUST proceed as if [alias] was not present"
    function onAlias(from: StreamWire, sentByPort: number): void {
      if (proof && aliases.size < MAX_CONNECTIONS) aliases.set(`${from.remoteAddress} ${sentByPort}`, from)
    }

    function onClose(gone: StreamWire): void {
      count--
      for (const [at, wire] of gone.proof ? aliases : []) if (wire === gone) aliases.delete(at)
      const left = (perSource.get(source as string) ?? 1) - 1
      if (left > 0) perSource.set(source as string, left)
      else perSource.delete(source as string)
      const same = wires.get(key)
      same?.delete(gone)
      if (same?.size === 0) wires.delete(key)
    }
  }
  const server = kind.serve((socket) => {
    const { remoteAddress = '', remotePort = 0 } = socket
    const source = { listener: listener.name, remoteAddress: plain(remoteAddress), remotePort, flow: '' }
    if (!inward.ignores?.(source)) return void adopt(socket, '', kind.proofOf?.(socket))
    socket.on('error', () => {})
    socket.destroy()
  })
  const port = await listen(server, listener)
  local = advertised(listener.advertise, listener.address, port)
  server.on('error', () => {})

  let sweeper: Timer
  const sweep = () => {
    const now = clock.now()
    for (const same of wires.values()) for (const wire of same) wire.sweep(now)
    sweeper = clock.setTimer(SWEEP_MS, sweep)
  }
  sweeper = clock.setTimer(SWEEP_MS, sweep)

  const open = async (address: string, remotePort: number, peer: TlsPeer | undefined): Promise<Wire> => {
    const socket = await dial(kind, listener.address, address, remotePort, peer)
    const wire = adopt(socket, asOf(peer), undefined, kind.transport === 'TLS' && offersAlias(peer))
    if (!wire) throw new Error(`no more connections from listener ${listener.name}`)
    return wire
  }
  return {
    name: listener.name,
    transport: kind.transport,
    address: listener.address,
    port,
    url: listener.url.replace(/:0$/, `:${port}`),
    connections: () => count,
    connect(address, remotePort, peer) {
      const alias = peer && aliases.get(`${address} ${remotePort}`)
      if (alias?.alive && peer && provenAs(alias.proof, peer)) return Promise.resolve(alias)
      const key = `${address} ${remotePort} ${asOf(peer)}`
      // RFC 3261 18: a connection that is there SHOULD be used again
      for (const wire of wires.get(key) ?? []) if (wire.alive) return Promise.resolve(wire)
      const running = dialling.get(key)
      if (running) return running
      const fresh = open(address, remotePort, peer).finally(() => dialling.delete(key))
      dialling.set(key, fresh)
      return fresh
    },
    async close() {
      clock.clearTimer(sweeper)
      const closed = new Promise<void>((done) => server.close(() => done()))
      for (const same of [...wires.values()]) for (const wire of [...same]) wire.close('the edge is stopping')
      await closed
    },
  }
}

/** A connection whose other end was proven is used again for the same proof only; nobody who called us is taken for it. */
const asOf = (peer: TlsPeer | undefined): string => (peer ? peerKey(peer) : '')

function dial(
  kind: StreamKind,
  localAddress: string,
  host: string,
  port: number,
  peer: TlsPeer | undefined,
): Promise<Socket> {
  return new Promise((done, fail) => {
    const wild = localAddress === '0.0.0.0' || localAddress === '::'
    const socket = connectTcp({ host, port, ...(wild ? {} : { localAddress }) })
    const giveUp = (why: string) => {
      clearTimeout(limit)
      socket.destroy()
      fail(new Error(`${kind.transport} ${host}:${port}: ${why}`))
    }
    const limit = setTimeout(() => giveUp(`no connection in ${CONNECT_MS} ms`), CONNECT_MS)
    const failed = (error: Error) => giveUp(error.message)
    socket.once('error', failed)
    socket.once('connect', () => {
      kind.dial(socket, peer).then((ready) => {
        clearTimeout(limit)
        socket.off('error', failed)
        done(ready)
      }, failed)
    })
  })
}
