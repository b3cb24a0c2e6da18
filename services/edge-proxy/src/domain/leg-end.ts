import type { CallLeg } from './call-leg.ts'
import type { CallParts, LegOwner } from './call-parts.ts'

/** Gives back what a leg held: ports, its place in the tables, its places on trunk and links, its span. */
export function forgetLeg(parts: CallParts, leg: CallLeg, status: number): void {
  const { edge, dialogs } = parts
  leg.media.close()
  leg.unacked?.stop()
  edge.transactions.timers.clear(leg.sessionTimer)
  edge.transactions.timers.clear(leg.expiryTimer)
  // they know the whole call, and the transaction of the INVITE knows the leg for 32 s more
  leg.sessionTimer = undefined
  leg.expiryTimer = undefined
  dialogs.delete(leg.key)
  edge.capture.forget(leg.sipCallId)
  leg.held?.release()
  if (leg.party.kind === 'trunk') edge.trunks.callEnded(leg.party.trunk)
  leg.span?.setAttribute('sip.status', status)
  leg.span?.end()
}

/**
 * The same for a leg that is still to be sent a BYE when the ACK of our 2xx has come (RFC 3261 15): until then, or until
 * it is clear that none comes, that ACK finds its leg.
 */
export function forgetUntilAck(parts: CallParts, leg: CallLeg, status: number, owner: LegOwner): void {
  const { unacked } = leg
  const waits = leg.byeAfterAck !== undefined
  if (waits) leg.unacked = undefined
  forgetLeg(parts, leg, status)
  if (!waits) return
  leg.unacked = unacked
  parts.dialogs.set(leg.key, { leg, owner })
}
