/**
 * Before a request costs anything (edge.md E8): banned sources and floods get no answer. Trunks, registered flows and
 * flows that proved themselves pass always; a site is never banned, and its calls for help pass always.
 */
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { type AbuseGuard, isScanner, SITE, STRANGER } from './domain/abuse-guard.ts'
import type { Doorkeeper, Source } from './doorkeeper.ts'
import type { Clock, Wire } from './edge.ts'

/** Flows that took part in a dialog or proved a password. */
const MAX_PROVEN = 65_536

export interface ProvenFlows {
  add(flow: string): void
  has(flow: string): boolean
}

export function provenFlows(): ProvenFlows {
  const flows = new Set<string>()
  return {
    add(flow) {
      flows.delete(flow)
      if (flows.size >= MAX_PROVEN) for (const oldest of flows) if (flows.delete(oldest)) break
      flows.add(flow)
    },
    has: (flow) => flows.has(flow),
  }
}

export interface AbuseGate {
  /** False: drop it, no answer. `request`: undefined when it could not be read. */
  admits(request: SipRequest | undefined, wire: Wire): boolean
  /** Before anything is read: true when the source is banned. */
  ignores(source: Source): boolean
  /** Requests and connections dropped. */
  dropped(): number
}

export function createAbuseGate(parts: { guard: AbuseGuard; door: Doorkeeper; clock: Clock }): AbuseGate {
  const { guard, door, clock } = parts
  let dropped = 0
  const drop = () => {
    dropped++
    return false
  }
  return {
    admits(request, wire) {
      if (door.spared(wire)) return true
      const now = clock.now()
      const { remoteAddress: address } = wire
      const inside = door.site(address) !== undefined
      if (!inside && guard.banned(address, now)) return drop()
      if (request && !inside && isScanner(request.headers.get('user-agent'))) {
        door.refused(request, wire, 'scanner', undefined, Number.POSITIVE_INFINITY)
        return drop()
      }
      if (guard.admits(address, inside ? SITE : STRANGER, now)) return true
      if (inside && request && door.urgent(request, wire)) return true
      if (request) door.tellRefused(request, wire, 'flood')
      return drop()
    },
    ignores(source) {
      if (!guard.banned(source.remoteAddress, clock.now())) return false
      if (door.spared(source) || door.site(source.remoteAddress) !== undefined) return false
      dropped++
      return true
    },
    dropped: () => dropped,
  }
}
