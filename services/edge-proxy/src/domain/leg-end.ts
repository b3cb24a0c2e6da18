import type { CallLeg } from './call-leg.ts'
import type { CallParts } from './call-parts.ts'

/** Gives back what a leg held: ports, its place in the tables, its places on trunk and links, its span. */
export function forgetLeg(parts: CallParts, leg: CallLeg, status: number): void {
  const { edge, dialogs } = parts
  leg.media.close()
  leg.unacked?.stop()
  edge.transactions.timers.clear(leg.sessionTimer)
  edge.transactions.timers.clear(leg.expiryTimer)
  dialogs.delete(leg.key)
  edge.capture.forget(leg.sipCallId)
  leg.held?.release()
  if (leg.party.kind === 'trunk') edge.trunks.callEnded(leg.party.trunk)
  leg.span?.setAttribute('sip.status', status)
  leg.span?.end()
}
