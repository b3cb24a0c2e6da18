/**
 * Requests over 1300 bytes to a trunk go by TCP where its carrier proved that it takes SIP there (edge.md E1, RFC 3261
 * 18.1.1). Proved: it answered an OPTIONS on the connection. Until then, and after a refusal, UDP: no call waits.
 */
import type { Clock, Wire, Wires } from './edge.ts'

/** A refusal is remembered that long, ms. */
const REFUSED_MS = 600_000

export interface LargeRequests {
  /** After a sign of life over UDP. Resolves when it is known whether the peer takes TCP; never rejects. */
  offer(udp: Wire): Promise<void>
}

export function createLargeRequests(parts: {
  clock: Clock
  wires: Pick<Wires, 'to' | 'twins'>
  /** An OPTIONS over that wire got its answer. */
  proves: (wire: Wire) => Promise<boolean>
}): LargeRequests {
  const proved = new Map<string, Wire>()
  const refusedUntilMs = new Map<string, number>()

  return {
    async offer(udp) {
      const { flow: peer } = udp
      if (udp.transport !== 'UDP' || (refusedUntilMs.get(peer) ?? 0) > parts.clock.now()) return
      if (proved.get(peer)?.alive && udp.large) return
      try {
        const tcp = await parts.wires.to(udp.listener, 'TCP', udp.remoteAddress, udp.remotePort)
        // edge.md E10: a listener for phones must not show itself to a carrier
        const own = parts.wires.twins(udp.listener).includes(tcp.listener)
        if (!own || !(await parts.proves(tcp))) throw new Error('no SIP over TCP')
        proved.set(peer, tcp)
        udp.large = () => (proved.get(peer)?.alive ? proved.get(peer) : undefined)
      } catch {
        proved.delete(peer)
        refusedUntilMs.set(peer, parts.clock.now() + REFUSED_MS)
      }
    },
  }
}
