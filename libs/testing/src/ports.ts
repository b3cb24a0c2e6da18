/** Ports of this machine: is one taken, and which is free. */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

/** Undefined when the address and port can be bound now, else the system's word for why not (`EADDRINUSE`, `EACCES`, …). */
export async function whyPortTaken(
  transport: 'udp' | 'tcp',
  address: string,
  port: number,
): Promise<string | undefined> {
  return transport === 'udp' ? await tryUdp(address, port) : (await tryTcp(address, port)).error
}

/** A TCP port of loopback that is free just now. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  const { port, error } = await tryTcp(address, 0)
  if (port === undefined) throw new Error(`no free port on ${address}: ${error}`)
  return port
}

/** Below it no system hands out ports by itself (Linux 32768, IANA 49152). */
const EPHEMERAL = 32_768
const LOWEST = 10_240

/**
 * A port of loopback that is free for UDP and TCP, outside the range from which others get theirs by chance: it may be
 * closed and opened again. Not for more than some dozen at once.
 */
export async function steadyPort(address = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(LOWEST, EPHEMERAL)
    if (await whyPortTaken('udp', address, port)) continue
    if (!(await whyPortTaken('tcp', address, port))) return port
  }
  throw new Error(`no free port on ${address} from ${LOWEST} to ${EPHEMERAL}`)
}

function tryTcp(address: string, port: number): Promise<{ port?: number; error?: string }> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => done({ error: error.code ?? error.message }))
    server.listen({ host: address, port, exclusive: true }, () => {
      const bound = server.address()
      server.close(() => done(typeof bound === 'object' && bound ? { port: bound.port } : {}))
    })
  })
}

function tryUdp(address: string, port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      done(error.code ?? error.message)
    })
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => done(undefined)))
  })
}
