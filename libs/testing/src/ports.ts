/** Ports of this machine: is one taken, and which is free; no two test processes are given the same (ADR 172). */
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

/** Below the ports that systems hand out by themselves (Linux from 32768), and those of the media of tests. */
const LOWEST = 10_240
const MEDIA = 20_000
const EPHEMERAL = 32_768
/** Ports for media are given by so many. */
const BLOCK = 200

/**
 * A port of loopback that is free for UDP and TCP, outside the range from which others get theirs by chance, and that
 * no other test is given as long as this process lives: it may be closed and opened again, or left to nobody. Not for
 * more than some dozen at once.
 */
export async function steadyPort(address = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = randomInt(LOWEST, MEDIA)
    if (await whyPortTaken('udp', address, port)) continue
    if (!(await whyPortTaken('tcp', address, port)) && claimed(port)) return port
  }
  throw new Error(`no free port on ${address} from ${LOWEST} to ${MEDIA}`)
}

/**
 * The first, even, of so many ports for media that no other test is given as long as this process lives; any below
 * those of the system when there are not so many in a row.
 */
export function mediaPorts(count = BLOCK): number {
  const blocks = Math.floor((EPHEMERAL - MEDIA) / BLOCK)
  const wanted = Math.ceil(count / BLOCK)
  const start = randomInt(blocks)
  const held: number[] = []
  for (let i = 0; i < blocks; i++) {
    const block = (start + i) % blocks
    if (block === 0) held.length = 0
    const port = MEDIA + block * BLOCK
    if (!claimed(port)) held.length = 0
    else if (held.push(port) === wanted) return held[0] as number
  }
  return wanted < blocks ? MEDIA + BLOCK * randomInt(blocks - wanted) : EPHEMERAL - wanted * BLOCK
}

/**
 * Whether this process may have the port: the claim is a socket without a file (Linux: unix(7), abstract), which goes
 * with the process however that ends. Other systems have none: there chance decides.
 */
function claimed(port: number): boolean {
  if (process.platform !== 'linux') return true
  const claim = createServer().unref()
  claim.on('error', () => {})
  claim.listen(`\0tandem-test-port-${port}`)
  return claim.listening
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
