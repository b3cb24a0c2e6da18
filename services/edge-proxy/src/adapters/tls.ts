/** TLS listeners: TLS 1.2 or newer with the certificate that the configuration names. */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { Listener } from '@tandem/config/defaults.ts'
import { type Environment, findFile } from '@tandem/config/secrets.ts'
import type { Clock } from '../edge.ts'
import type { Inward } from './received.ts'
import { openStream, type StreamKind, type StreamListener } from './tcp.ts'

const HANDSHAKE_MS = 10_000

export function openTls(listener: Listener, env: Environment, clock: Clock, inward: Inward): Promise<StreamListener> {
  const cert = readNamed(listener, 'certificate', env)
  const key = readNamed(listener, 'privateKey', env)
  return openStream(listener, tls(cert, key), clock, inward)
}

function tls(cert: Buffer, key: Buffer): StreamKind {
  return {
    transport: 'TLS',
    serve(accept) {
      const server = createServer(
        { cert, key, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_MS, noDelay: true },
        accept,
      )
      // a handshake that fails is the peer's trouble: its socket is closed by node
      server.on('tlsClientError', (_error, socket) => socket.destroy())
      return server
    },
    dial(socket) {
      return new Promise<Socket>((done, fail) => {
        // the name check of outgoing connections comes with the trunk's TLS settings (edge.md E9)
        const secure = connect({ socket, minVersion: 'TLSv1.2', rejectUnauthorized: false })
        secure.once('error', fail)
        secure.once('secureConnect', () => {
          secure.off('error', fail)
          done(secure)
        })
      })
    },
  }
}

function readNamed(listener: Listener, which: 'certificate' | 'privateKey', env: Environment): Buffer {
  const named = listener[which]
  if (named === null) throw new Error(`listener ${listener.name} (${listener.url}): tls needs a ${which}`)
  const path = findFile(named, env)
  if (path === null) {
    throw new Error(
      `listener ${listener.name} (${listener.url}): there is no file ${named} for ${which}: make one with openssl, or let "tandem up" make one`,
    )
  }
  return readFileSync(path)
}
