/**
 * A phone whose way went with an edge: its own connection, when its call was taken over, or the edge that passed on what
 * it and we said (docs/adr/0120). It is found again by its next registration at any edge, or by what it asks in its call,
 * and told at once where its call is now (RFC 3261 14.1).
 *
 * A phone behind a NAT is told where it was, too: if that gets through, it is the quickest. If not, nobody waits for the end of
 * that request: what it registers from is its address now.
 *
 * A user may have several phones at one address: the one that knows nothing of the call says so (RFC 3261 12.2.2), which
 * is not the end of it: the next one is asked, or waited for.
 */
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts, LiveCall } from './call-parts.ts'
import type { CallSession } from './call-session.ts'
import { flowsOf, moveTo, remappedFlowsOf } from './leg-wire.ts'

/** What the phone itself asks in its call is noticed within this, ms. */
const LOOK_MS = 500

export interface Patience {
  /** Clock ms. */
  readonly untilMs: number
  /** It has not come back until then. */
  readonly over: () => void
}

/** Without patience it is waited for as long as the call lasts. */
export function tellWhenBack(parts: CallParts, session: CallSession, leg: CallLeg, patience?: Patience): void {
  const { edge } = parts
  const { timers } = edge.transactions
  const lost = leg.wire
  /** Flows of others at its address. */
  const strangers = new Set<string>()
  /** By UDP, through a NAT that may let nobody in but the edge that is lost. */
  const doubtful = lost.alive && lost.transport === 'UDP' && leg.peer.behindNat
  let asked = false
  let timer: WheelTimer | undefined
  let unwatch = () => {}

  const wait = () => {
    leg.awaited = true
    if (leg.party.kind === 'user') unwatch = edge.bindings.onBound(leg.party.user, look)
    look()
  }
  const stop = () => {
    leg.awaited = false
    unwatch()
  }

  const look = () => {
    if (!leg.awaited) return
    timers.clear(timer)
    if (leg.ended || session.over) return stop()
    // its way outlives edges, or it has asked for something over a way of its own
    const where = doubtful && leg.wire === lost ? 'behind' : leg.wire.alive ? 'there' : 'lost'
    if (where === 'there') return found()
    if (where === 'behind' && asked && !leg.moved) return stop()
    if (where === 'behind' && !asked) {
      asked = true
      session.reanchor(leg, () => {})
    }
    const ways = where === 'behind' ? remappedFlowsOf(edge, leg) : flowsOf(edge, leg)
    const wire = ways.find(({ flow }) => !strangers.has(flow))
    if (wire) {
      if (leg.exchange.kind === 'ours') leg.exchange = { kind: 'none' }
      moveTo(parts, session.facts.callId, leg, wire)
      return found(() => {
        strangers.add(wire.flow)
        if (leg.wire === wire) leg.wire = lost
        wait()
      })
    }
    if (patience !== undefined && edge.clock.now() > patience.untilMs) {
      stop()
      return patience.over()
    }
    timer = timers.after(LOOK_MS, look)
  }

  const found = (stranger?: () => void) => {
    stop()
    session.reanchor(leg, stranger)
  }

  wait()
}

/** Edges are gone: phones of calls here that were reached through one of them are waited for. */
export function tellThoseBehind(parts: CallParts, calls: Iterable<LiveCall>): void {
  for (const { session } of calls) {
    if (session === undefined || session.over) continue
    for (const leg of session.legs) {
      const lost = leg.wire.through !== undefined && !leg.wire.alive
      if (lost && !leg.ended && !leg.awaited) tellWhenBack(parts, session, leg)
    }
  }
}
