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
  return await (transport === 'udp' ? tryUdp : tryTcp)(address, port)
}

/** Below the ports that systems hand out by themselves (Linux from 32768), and those of the media relays of tests. */
const MEDIA = 20_000
const LOWEST = 10_240

/**
 * A port of loopback that is free for UDP and TCP, outside the range from which others get theirs by chance: it may be
 * closed and opened again. Not for more than some dozen at once.
 */
export async function steadyPort(address = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(LOWEST, MEDIA)
    if (await whyPortTaken('udp', address, port)) continue
    if (!(await whyPortTaken('tcp', address, port))) return port
  }
  throw new Error(`no free port on ${address} from ${LOWEST} to ${MEDIA}`)
}

/**
 * An address of loopback (127.0.0.0/8) that nobody else is likely to listen on: every port of it is free, whatever the
 * tests beside this one hold.
 */
export function ownLoopback(): string {
  return `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`
}

function tryTcp(address: string, port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => done(undefined)))
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
