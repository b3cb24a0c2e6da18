/** On which wire requests of a leg's dialog go. */
import { type Dialog, nextHop } from '@tandem/sip/dialog/dialog.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { Edge } from '../edge.ts'
import type { CallLeg } from './call-leg.ts'

/** Contact of ours on that wire; the user part is an opaque id. */
export function contactOf(wire: { transport: string; sentBy: string }, id: string): string {
  const transport = wire.transport === 'UDP' ? '' : `;transport=${wire.transport.toLowerCase()}`
  return `<sip:${id}@${wire.sentBy}${transport}>`
}

/**
 * RFC 3261 12.2.1.1: requests go to the topmost Route or the remote target. A user is reached on the flow that its
 * INVITE or registration came on (RFC 5626 5.3: whatever NAT makes of its Contact); a trunk where its dialog says.
 * `run` is called at once when the wire is the one that we have.
 */
export function withDialogWire(edge: Edge, leg: CallLeg, dialog: Dialog, run: () => void): void {
  if (leg.party.kind !== 'trunk') return run()
  const uri = parseUri(nextHop(dialog))
  if (uri === undefined || leadsTo(leg, uri.host, uri.port, uri.params.get('transport'))) return run()
  edge.wires.toUri(leg.wire.listener, uri).then(
    (wires) => {
      if (wires[0] !== undefined) leg.wire = wires[0]
      run()
    },
    (error: unknown) => {
      // better the wire that worked so far than none
      edge.log.warn({ leg: leg.legId, why: String(error) }, 'the next hop of a dialog cannot be reached')
      run()
    },
  )
}

function leadsTo(leg: CallLeg, host: string, port: number | undefined, transport: string | undefined): boolean {
  const { wire } = leg
  if (transport !== undefined && transport.toUpperCase() !== wire.transport) return false
  const address = host.startsWith('[') ? host.slice(1, -1) : host
  if (address !== wire.remoteAddress) return false
  // an incoming connection has the peer's ephemeral port: it is the way back all the same (RFC 5923)
  return wire.reliable || (port ?? 5060) === wire.remotePort
}
