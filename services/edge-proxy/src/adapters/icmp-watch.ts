/**
 * Hears at once when nobody listens at a carrier's UDP port (edge.md E5, RFC 3261 18.4): Node tells of ICMP on connected
 * sockets only, so each address of a trunk has one beside the listener, bound to the same address and port. What comes in
 * on it is handled like everything else of the listener.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'

/** Connected sockets of one listener; further addresses are found out by timers alone. */
const MAX_WATCHED = 256
const ICMP = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET'])

export interface IcmpWatch {
  /** Resolves when the address has a socket of its own, or can have none; never rejects. */
  add(address: string, port: number): Promise<void>
  /** The socket that packets to this address leave by, if it has one. */
  socketTo(address: string, port: number): Socket | undefined
  close(): Promise<void>
}

export function createIcmpWatch(parts: {
  readonly local: { readonly address: string; readonly port: number; readonly family: 4 | 6 }
  readonly received: (bytes: Buffer, from: RemoteInfo) => void
  readonly unreachable: (address: string, port: number, why: string) => void
}): IcmpWatch {
  const { local } = parts
  const sockets = new Map<string, { socket: Socket; ready: boolean; done: Promise<void> }>()
  let closed = false

  const open = (address: string, port: number, key: string): Promise<void> => {
    const socket = createSocket({
      type: `udp${local.family}`,
      reuseAddr: true,
      lookup: (host, _options, done) => done(null, host, local.family),
    })
    const done = new Promise<void>((settle) => {
      const entry = { socket, ready: false, done: Promise.resolve() }
      sockets.set(key, entry)
      const forget = () => {
        if (sockets.get(key) === entry) sockets.delete(key)
        settle()
      }
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (entry.ready && ICMP.has(error.code ?? '')) return parts.unreachable(address, port, error.message)
        if (entry.ready) return
        // no socket can be had beside the listener: timers do
        forget()
        socket.close()
      })
      socket.on('message', (bytes, from) => parts.received(bytes, from))
      socket.on('close', forget)
      socket.bind({ address: local.address, port: local.port }, () => {
        if (closed) return
        socket.connect(port, address, () => {
          entry.ready = true
          settle()
        })
      })
    })
    const entry = sockets.get(key)
    if (entry) entry.done = done
    return done
  }

  return {
    add(address, port) {
      const key = `${address} ${port}`
      const known = sockets.get(key)
      if (known) return known.done
      return closed || sockets.size >= MAX_WATCHED ? Promise.resolve() : open(address, port, key)
    },
    socketTo(address, port) {
      const entry = sockets.get(`${address} ${port}`)
      return entry?.ready ? entry.socket : undefined
    },
    async close() {
      closed = true
      const all = [...sockets.values()]
      sockets.clear()
      await Promise.all(all.map(({ socket }) => new Promise<void>((done) => void socket.close(() => done()))))
    },
  }
}
