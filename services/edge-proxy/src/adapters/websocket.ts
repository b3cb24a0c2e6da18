/** A WebSocket listener for browsers (RFC 7118): wss, or ws on loopback behind a reverse proxy. */
import { createServer as createHttp, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Listener } from '@tandem/config/defaults.ts'
import type { Environment } from '@tandem/config/secrets.ts'
import { WebSocketServer } from 'ws'
import type { TlsDemand } from '../domain/tls-demand.ts'
import type { Clock, Timer } from '../edge.ts'
import { MAX_MESSAGE } from './frame.ts'
import { advertised, type Inward, listen, type OpenListener } from './received.ts'
import { type ServerTls, serverTls } from './server-tls.ts'
import { plain } from './stream.ts'
import { WebWire } from './web-wire.ts'

/** Connections of one listener, and of one source address on it; a reverse proxy brings all of them. */
const MAX_CONNECTIONS = 20_000
const MAX_PER_SOURCE = 2_000
/** Sockets that are not upgraded yet count too. */
const MAX_SOCKETS = MAX_CONNECTIONS + 2_000
const SWEEP_MS = 2_000
/** From the first byte to the end of the HTTP head, ms. */
const HEAD_MS = 10_000
const SUBPROTOCOL = 'sip'

export async function openWebSocket(
  listener: Listener,
  demand: TlsDemand,
  env: Environment,
  clock: Clock,
  inward: Inward,
): Promise<OpenListener> {
  const tls = listener.transport === 'wss' ? serverTls(listener, demand, env) : undefined
  const transport = tls ? 'WSS' : 'WS'
  const server = httpServer(tls)
  const upgrades = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_MESSAGE,
    perMessageDeflate: false,
    // RFC 7118 4.1: the answer MUST contain "sip"
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  })
  const wires = new Set<WebWire>()
  const perSource = new Map<string, number>()
  let local = advertised(listener.advertise, listener.address, listener.port)

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {})
    const { remoteAddress = '', remotePort = 0 } = request.socket
    const address = plain(remoteAddress)
    if (inward.ignores?.({ listener: listener.name, remoteAddress: address, remotePort, flow: '' })) {
      return void socket.destroy()
    }
    if (wires.size >= MAX_CONNECTIONS || (perSource.get(address) ?? 0) >= MAX_PER_SOURCE) {
      return refuse(socket, '503 Service Unavailable')
    }
    // RFC 7118 4.1: the client MUST include "sip"
    if (!offers(request)) return refuse(socket, '400 Bad Request', 'the subprotocol is sip (RFC 7118)')
    const proof = tls?.proofOf(request.socket as TLSSocket)
    upgrades.handleUpgrade(request, socket, head, (web) => {
      const wire = new WebWire({
        ...{ socket: web, transport, listener: listener.name, local, clock, inward, proof },
        remote: { address, port: remotePort },
        onClose(gone) {
          wires.delete(gone)
          const left = (perSource.get(address) ?? 1) - 1
          if (left > 0) perSource.set(address, left)
          else perSource.delete(address)
        },
      })
      wires.add(wire)
      perSource.set(address, (perSource.get(address) ?? 0) + 1)
    })
  })
  const port = await listen(server, listener)
  local = advertised(listener.advertise, listener.address, port)
  server.on('error', () => {})

  let sweeper: Timer
  const sweep = () => {
    const now = clock.now()
    for (const wire of wires) wire.sweep(now)
    sweeper = clock.setTimer(SWEEP_MS, sweep)
  }
  sweeper = clock.setTimer(SWEEP_MS, sweep)

  return {
    name: listener.name,
    transport,
    address: listener.address,
    port,
    url: listener.url.replace(/:0$/, `:${port}`),
    connections: () => wires.size,
    ...(tls ? { renew: tls.renew } : {}),
    async close() {
      clock.clearTimer(sweeper)
      const closed = new Promise<void>((done) => server.close(() => done()))
      for (const wire of [...wires]) wire.close('the edge is stopping')
      server.closeAllConnections()
      upgrades.close()
      await closed
    },
  }
}

function httpServer(tls: ServerTls | undefined): Server {
  const limits = { requestTimeout: HEAD_MS, headersTimeout: HEAD_MS, connectionsCheckingInterval: SWEEP_MS }
  const server = tls ? createHttps({ ...limits, ...tls.options() }) : createHttp(limits)
  if (tls) tls.follow(server as ReturnType<typeof createHttps>)
  server.maxConnections = MAX_SOCKETS
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  server.on('clientError', (_error, socket) => socket.destroy())
  server.on('request', (_request, response) => {
    // RFC 9110 15.5.22
    response.writeHead(426, { Upgrade: 'websocket', Connection: 'close', 'Content-Type': 'text/plain' })
    response.end('SIP over WebSocket (RFC 7118)\n')
  })
  return server
}

function offers(request: IncomingMessage): boolean {
  const header = request.headers['sec-websocket-protocol'] ?? ''
  return header.split(',').some((p) => p.trim() === SUBPROTOCOL)
}

function refuse(socket: Duplex, status: string, why = ''): void {
  const body = why === '' ? '' : `${why}\n`
  const length = Buffer.byteLength(body)
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${body}`)
}
