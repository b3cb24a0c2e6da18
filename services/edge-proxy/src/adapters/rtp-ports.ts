/**
 * The UDP ports of the embedded relay: even for RTP, the next one for RTCP (RFC 3550 11). Binding costs some 40 µs a
 * socket, so a pair stays bound when a call gives it back and serves the next one; it rests first, so that packets of
 * the old call do not reach the new one.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'

/** How long a pair rests after a call while there are others, ms. */
const QUARANTINE_MS = 5000
/** A port that somebody else holds is tried again after this, ms. */
const RETRY_BUSY_MS = 60_000
/** Of every hundred pairs, so many are kept for emergency calls (one at least). */
const RESERVE_PERCENT = 2

export interface PairUser {
  rtp(packet: Buffer, from: RemoteInfo): void
  rtcp(packet: Buffer, from: RemoteInfo): void
}

export interface PortPair {
  readonly port: number
  readonly rtp: Socket
  readonly rtcp: Socket
  user: PairUser | undefined
  releasedMs: number
}

export interface PortPool {
  /** A bound pair; undefined when none is left. The reserve is for emergency calls only. */
  take(user: PairUser, emergency: boolean): PortPair | undefined
  give(pair: PortPair): void
  readonly used: number
  readonly free: number
  close(): Promise<void>
}

export interface PortPoolSettings {
  readonly address: string
  readonly firstPort: number
  readonly lastPort: number
  /** Monotonic, ms. */
  readonly now: () => number
  readonly quarantineMs?: number
}

export function openPortPool(settings: PortPoolSettings): PortPool {
  const { address, now } = settings
  const quarantine = settings.quarantineMs ?? QUARANTINE_MS
  const first = settings.firstPort + (settings.firstPort % 2)
  const capacity = Math.max(0, Math.floor((settings.lastPort - first + 1) / 2))
  const reserve = capacity < 4 ? 0 : Math.max(1, Math.floor((capacity * RESERVE_PERCENT) / 100))
  const resting: PortPair[] = []
  let head = 0
  const busy: { port: number; untilMs: number }[] = []
  const sockets = new Set<Socket>()
  let next = first
  let used = 0

  const oldest = (atLeastMs: number): PortPair | undefined => {
    const pair = resting[head]
    if (pair === undefined || now() - pair.releasedMs < atLeastMs) return undefined
    head++
    // the consumed front is cut off now and then, not each time
    if (head > 1024 && head * 2 > resting.length) {
      resting.splice(0, head)
      head = 0
    }
    return pair
  }

  const bindNext = (): PortPair | undefined => {
    for (;;) {
      let port: number
      if (next + 1 <= settings.lastPort) {
        port = next
        next += 2
      } else if ((busy[0]?.untilMs ?? Number.POSITIVE_INFINITY) <= now()) port = busy.shift()?.port as number
      else return undefined
      const pair = bindPair(address, port, sockets)
      if (pair) return pair
      busy.push({ port, untilMs: now() + RETRY_BUSY_MS })
    }
  }

  return {
    get used() {
      return used
    },
    get free() {
      return Math.max(0, capacity - busy.length - used)
    },
    take(user, emergency) {
      if (!emergency && capacity - busy.length - used <= reserve) return undefined
      const pair = oldest(quarantine) ?? bindNext() ?? oldest(0)
      if (pair === undefined) return undefined
      pair.user = user
      used++
      return pair
    },
    give(pair) {
      pair.user = undefined
      pair.releasedMs = now()
      used--
      resting.push(pair)
    },
    async close() {
      await Promise.all([...sockets].map((socket) => new Promise<void>((done) => socket.close(() => done()))))
      sockets.clear()
    },
  }
}

function bindPair(address: string, port: number, sockets: Set<Socket>): PortPair | undefined {
  const rtp = bind(address, port)
  if (rtp === undefined) return undefined
  const rtcp = bind(address, port + 1)
  if (rtcp === undefined) {
    rtp.close()
    return undefined
  }
  sockets.add(rtp).add(rtcp)
  const pair: PortPair = { port, rtp, rtcp, user: undefined, releasedMs: 0 }
  rtp.on('message', (packet, from) => pair.user?.rtp(packet, from))
  rtcp.on('message', (packet, from) => pair.user?.rtcp(packet, from))
  return pair
}

/** Binds at once: with a look-up that answers at once Node does it within the call. Undefined: the port is taken. */
function bind(address: string, port: number): Socket | undefined {
  const family = isIPv6(address) ? 6 : 4
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    // addresses are literal: no look-up a packet
    lookup: (host, _options, done) => done(null, host, family),
  })
  let bound = false
  socket.once('listening', () => {
    bound = true
  })
  // an unreachable peer (ICMP) or a refused bind must not end the relay
  socket.on('error', () => {})
  socket.bind({ address, port, exclusive: true })
  if (bound) return socket
  socket.close()
  return undefined
}
