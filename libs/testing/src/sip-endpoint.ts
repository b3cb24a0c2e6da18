/** Real SIP sockets of a test peer (UDP, TCP, TLS) with a transaction layer on them. */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, TLSSocket } from 'node:tls'
import { withReceived } from '@tandem/sip/message/make.ts'
import type { SipMessage, SipRequest } from '@tandem/sip/message/message.ts'
import { parseDatagram, parseStream } from '@tandem/sip/message/parse.ts'
import { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Wire } from '@tandem/sip/transaction/wire.ts'

export type Transport = 'udp' | 'tcp' | 'tls'

export interface SipAddress {
  readonly transport: Transport
  /** IPv4, IPv6 without brackets, or a name. */
  readonly host: string
  readonly port: number
}

/** `udp://127.0.0.1:5060`, `tcp://…`, `tls://…`; port 0 and no port are allowed where a port is not needed. */
export function readSipAddress(url: string): SipAddress {
  const parts = /^(udp|tcp|tls):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?$/.exec(url)
  if (!parts) throw new Error(`not an address like udp://127.0.0.1:5060: ${url}`)
  const transport = parts[1] as Transport
  const host = (parts[2] as string).replace(/^\[|\]$/g, '')
  return { transport, host, port: Number(parts[3] ?? (transport === 'tls' ? 5061 : 5060)) }
}

export interface SipEndpoint {
  readonly layer: TransactionLayer
  /** Our own address for Via and Contact: `host:port`. */
  readonly sentBy: string
  readonly host: string
  readonly port: number
  /** A wire to that address; for TCP and TLS a connection is made (or used again). */
  wireTo(address: SipAddress): Promise<Wire>
  /** Ends every connection. */
  disconnect(): void
  close(): Promise<void>
}

export interface SipEndpointParts {
  /** Our own address. */
  readonly host: string
  readonly port: number
  /** What is open on `port`: UDP and TCP may share it. None: only connections that we make, from `host`. */
  readonly listen: readonly Transport[]
  /** PEM, for `tls` in `listen`. */
  readonly certificate?: { readonly certificate: string; readonly privateKey: string } | undefined
  /** PEM of the authority whose certificate a TLS client must show. */
  readonly clientCa?: string | undefined
  /** Hears of each TLS client: the subject alternative names of its certificate, empty when it showed none. */
  onClient?(names: string): void
  /** PEM of the authority that the TLS server's certificate must come from; without it any certificate is taken. */
  readonly ca?: string | undefined
  onRequest(transaction: ServerTransaction): void
  onAck(ack: SipRequest): void
  /** Sees every message received; false: it is dropped as if the network had lost it. */
  onMessage?(message: SipMessage, wire: Wire): boolean
}

const MAX_BUFFERED = 256 * 1024

export async function openSipEndpoint(parts: SipEndpointParts): Promise<SipEndpoint> {
  const timers = new Set<NodeJS.Timeout>()
  const layer = new TransactionLayer({
    setTimer(ms, fire) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        fire()
      }, ms)
      timers.add(timer)
      return timer
    },
    clearTimer(handle) {
      clearTimeout(handle as NodeJS.Timeout)
      timers.delete(handle as NodeJS.Timeout)
    },
    now: () => performance.now(),
    random: () => randomBytes(8).toString('hex'),
    onRequest: parts.onRequest,
    onAck: (ack) => parts.onAck(ack),
  })
  const receive = (message: SipMessage, wire: Wire, address: string, port: number) => {
    if (parts.onMessage?.(message, wire) === false) return
    if (message.kind === 'request') withReceived(message, address, port)
    layer.receive(message, wire)
  }
  const { udp, tcp, port } = await openSockets(parts)
  const listening = parts.listen.includes('tls') ? 'TLS' : 'TCP'
  const host = parts.host
  const sentBy = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const datagramWires = new Map<string, Wire>()
  const streams = new Map<string, Promise<Wire>>()
  const open = new Set<Socket>()

  const datagramWire = (address: string, remotePort: number): Wire => {
    const name = `${address}:${remotePort}`
    const known = datagramWires.get(name)
    if (known) return known
    const wire: Wire = {
      reliable: false,
      transport: 'UDP',
      sentBy,
      name: `udp ${sentBy} > ${name}`,
      send: (bytes) => udp?.send(bytes, remotePort, address),
    }
    datagramWires.set(name, wire)
    return wire
  }
  const adopt = (socket: Socket, transport: 'TCP' | 'TLS'): Wire => {
    const { remoteAddress = '', remotePort = 0 } = socket
    open.add(socket)
    const wire: Wire = {
      reliable: true,
      transport,
      // a client's own port is that of the connection: the peer answers and calls over it
      sentBy: tcp ? sentBy : `${host}:${socket.localPort}`,
      name: `${transport.toLowerCase()} > ${remoteAddress}:${remotePort}`,
      send(bytes) {
        if (socket.destroyed) throw new Error('connection closed')
        socket.write(bytes)
      },
    }
    readStream(socket, (message) => receive(message, wire, remoteAddress, remotePort))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      open.delete(socket)
      layer.wireFailed(wire)
    })
    return wire
  }
  udp?.on('error', () => undefined)
  udp?.on('message', (bytes, source) => {
    const outcome = parseDatagram(bytes)
    if (outcome.kind === 'message') {
      receive(outcome.message, datagramWire(source.address, source.port), source.address, source.port)
    } else if (outcome.kind === 'refuse') {
      layer.replyStateless(outcome.request, outcome.status, datagramWire(source.address, source.port))
    }
  })
  tcp?.on(listening === 'TLS' ? 'secureConnection' : 'connection', (socket: Socket) => {
    if (socket instanceof TLSSocket) parts.onClient?.(socket.getPeerCertificate().subjectaltname ?? '')
    adopt(socket, listening)
  })

  const dial = async ({ transport, host: remote, port: remotePort }: SipAddress): Promise<Wire> => {
    const to = { host: remote, port: remotePort, localAddress: host }
    const socket =
      transport === 'tls'
        ? connectTls({ ...to, ...(parts.ca ? { ca: parts.ca } : { rejectUnauthorized: false }) })
        : connectTcp(to)
    await once(socket, transport === 'tls' ? 'secureConnect' : 'connect')
    return adopt(socket, transport === 'tls' ? 'TLS' : 'TCP')
  }

  return {
    layer,
    sentBy,
    host,
    port,
    wireTo(address) {
      if (address.transport === 'udp') return Promise.resolve(datagramWire(address.host, address.port))
      const key = `${address.transport} ${address.host}:${address.port}`
      const known = streams.get(key)
      if (known) return known
      const dialled = dial(address)
      streams.set(key, dialled)
      const forget = () => streams.delete(key)
      dialled.then((wire) => {
        const socket = [...open].at(-1)
        socket?.on('close', forget)
        return wire
      }, forget)
      return dialled
    },
    disconnect() {
      for (const socket of open) socket.destroy()
    },
    async close() {
      layer.close()
      for (const timer of timers) clearTimeout(timer)
      for (const socket of open) socket.destroy()
      const closing = []
      if (tcp) {
        closing.push(once(tcp, 'close'))
        tcp.close()
      }
      if (udp) {
        closing.push(once(udp, 'close'))
        udp.close()
      }
      await Promise.all(closing)
    },
  }
}

/** UDP and TCP on one port, as a carrier has them. */
async function openSockets({ host, port, listen, certificate, clientCa }: SipEndpointParts) {
  for (let attempt = 0; ; attempt++) {
    const udp = listen.includes('udp') ? createSocket(host.includes(':') ? 'udp6' : 'udp4') : undefined
    const tls = listen.includes('tls') && {
      ...{ cert: certificate?.certificate, key: certificate?.privateKey },
      ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true }),
    }
    const tcp = tls ? createTlsServer(tls) : listen.includes('tcp') ? createServer() : undefined
    try {
      if (udp) {
        udp.bind(port, host)
        await once(udp, 'listening')
      }
      const chosen = udp ? udp.address().port : port
      if (tcp) {
        tcp.listen(chosen, host)
        await once(tcp, 'listening')
      }
      const address = tcp?.address()
      return { udp, tcp, port: typeof address === 'object' && address ? address.port : chosen }
    } catch (error) {
      udp?.close()
      tcp?.close()
      // a random UDP port may be taken for TCP
      if (port !== 0 || attempt > 20) throw error
    }
  }
}

function readStream(socket: Socket, found: (message: SipMessage) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length > 0) {
      const outcome = parseStream(rest)
      if (outcome.kind === 'more') break
      if (outcome.kind === 'close') {
        socket.destroy()
        return
      }
      if (outcome.kind === 'message') found(outcome.message)
      else if (outcome.kind === 'keep-alive' && outcome.ping) socket.write('\r\n')
      rest = rest.subarray(outcome.length)
    }
    if (rest.length > MAX_BUFFERED) socket.destroy()
    return undefined
  })
}
