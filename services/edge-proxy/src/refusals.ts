/** Who was refused at the door: told, but not as often as it happens, and held against the source (edge.md E8). */
import { SecurityRefused } from '@tandem/contracts/security.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import type { AbuseGuard } from './domain/abuse-guard.ts'
import type { Edge, Wire } from './edge.ts'

/** Security facts per second at most: a flood of refusals must not become a flood on the bus. */
const FACTS_PER_SECOND = 20

export interface Refusals {
  /** Told, and held against the source; `strikes` beyond the limit ban it at once. */
  refused(request: SipRequest, wire: Wire, why: string, user?: string, strikes?: number): void
  /** Told once a minute for each source. */
  tellRefused(request: SipRequest, wire: Wire, why: string, user?: string): void
  /** Held against the source. */
  strike(request: SipRequest, wire: Wire, why: string, strikes?: number): void
}

export interface RefusalsParts {
  readonly edge: Pick<Edge, 'node' | 'bus' | 'log' | 'clock'>
  readonly guard: AbuseGuard
  /** Never shut out. */
  readonly pardoned: (wire: Wire) => boolean
}

export function createRefusals({ edge, guard, pardoned }: RefusalsParts): Refusals {
  let second = 0
  let toldInSecond = 0

  const tell = (request: SipRequest, wire: Wire, why: string, user?: string) => {
    const now = Math.floor(edge.clock.now() / 1000)
    if (now !== second) toldInSecond = 0
    second = now
    if (++toldInSecond > FACTS_PER_SECOND) return
    edge.bus.tell(SecurityRefused, {
      edge: edge.node,
      at: new Date(edge.clock.wall()).toISOString(),
      source: `${wire.remoteAddress}:${wire.remotePort}`,
      listener: wire.listener,
      method: request.method.slice(0, 32),
      why: why.slice(0, 1024),
      ...(user === undefined ? {} : { user }),
    })
  }

  const tellRefused = (request: SipRequest, wire: Wire, why: string, user?: string) => {
    const held = guard.tells(wire.remoteAddress, edge.clock.now())
    if (held === undefined) return
    edge.log.info({ source: wire.name, method: request.method, why, user, held }, 'refused')
    tell(request, wire, held === 0 ? why : `${why} (and ${held} more since the last)`, user)
  }

  const strike = (request: SipRequest, wire: Wire, why: string, strikes = 1) => {
    if (pardoned(wire)) return
    const ms = guard.strike(wire.remoteAddress, strikes, edge.clock.now())
    if (ms === undefined) return
    edge.log.warn({ source: wire.name, why, seconds: ms / 1000 }, 'banned')
    tell(request, wire, `banned for ${ms / 1000} s: ${why}`)
  }

  return {
    tellRefused,
    strike,
    refused(request, wire, why, user, strikes) {
      tellRefused(request, wire, why, user)
      strike(request, wire, why, strikes)
    },
  }
}
