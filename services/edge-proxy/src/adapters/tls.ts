/** TLS listeners: TLS 1.2 or newer with the certificates that the configuration names (edge.md E9). */
import { createServer, type TLSSocket } from 'node:tls'
import type { Listener } from '@tandem/config/defaults.ts'
import type { Environment } from '@tandem/config/secrets.ts'
import type { TlsDemand } from '../domain/tls-demand.ts'
import type { Clock } from '../edge.ts'
import type { ClientTls } from './client-tls.ts'
import type { Inward } from './received.ts'
import { serverTls } from './server-tls.ts'
import { openStream, type StreamListener } from './tcp.ts'

export async function openTls(
  listener: Listener,
  demand: TlsDemand,
  env: Environment,
  clock: Clock,
  inward: Inward,
  client: ClientTls,
): Promise<StreamListener> {
  const tls = serverTls(listener, demand, env)
  const open = await openStream(
    listener,
    {
      transport: 'TLS',
      serve(accept) {
        const server = createServer({ ...tls.options(), noDelay: true }, accept)
        tls.follow(server)
        // a handshake that fails is the peer's trouble: its socket is closed by node
        server.on('tlsClientError', (_error, socket) => socket.destroy())
        return server
      },
      dial: client.dial,
      proofOf: (socket) => tls.proofOf(socket as TLSSocket),
    },
    clock,
    inward,
  )
  return { ...open, renew: tls.renew }
}
