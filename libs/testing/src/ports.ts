/** Ports of this machine: is one taken, and which is free. */
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
