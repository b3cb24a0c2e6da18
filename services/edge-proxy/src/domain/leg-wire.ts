/** On which wire requests of a leg's dialog go. */
import { type Dialog, nextHop } from '@tandem/sip/dialog/dialog.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { Edge, Wire } from '../edge.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts } from './call-parts.ts'
import { cameThrough } from './flow-token.ts'

/** RFC 3261 19.1.1; RFC 7118 5.2: `ws` also where the WebSocket is secure. */
export function transportParameter(transport: string): string {
  if (transport === 'UDP') return ''
  return `;transport=${transport === 'WSS' ? 'ws' : transport.toLowerCase()}`
}

/** Contact of ours on that wire; the user part is an opaque id. */
export function contactOf(wire: Pick<Wire, 'sentBy' | 'through'> & { transport: string }, id: string): string {
  const { through } = wire
  // the phone's requests come over its own flow, and its edge reads in the user part where they go on to
  if (through) return `<sip:${through.back(id)}@${through.sentBy}${transportParameter(through.transport)}>`
  return `<sip:${id}@${wire.sentBy}${transportParameter(wire.transport)}>`
}

/**
 * RFC 3261 12.2.1.1: requests go to the topmost Route or the remote target. A user is reached on the flow that its
 * INVITE or registration came on (RFC 5626 5.3: whatever NAT makes of its Contact); a trunk where its dialog says.
 * `run` is called at once when the wire is the one that we have.
 */
export function withDialogWire(edge: Edge, leg: CallLeg, dialog: Dialog, run: () => void): void {
  if (leg.party.kind !== 'trunk') {
    if (!leg.wire.alive) leg.wire = flowsOf(edge, leg)[0] ?? leg.wire
    return void run()
  }
  const uri = parseUri(nextHop(dialog))
  if (uri === undefined || leadsTo(leg, uri.host, uri.port, uri.params.get('transport'))) return void run()
  edge.wires.toUri(leg.wire.listener, uri, leg.party.trunk).then(
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

/**
 * The connection broke and the phone has registered over another one, at this edge or another: those of its user at its
 * address, the one first that calls itself as the phone of this leg does.
 */
export function flowsOf(edge: Edge, leg: CallLeg): readonly Wire[] {
  if (leg.party.kind !== 'user') return []
  const name = parseUri(leg.dialog?.remoteTarget ?? '')?.user
  const found: Wire[] = []
  for (const binding of edge.bindings.of(leg.party.user)) {
    const wire = binding.wire()
    if (!wire?.alive || wire.remoteAddress !== leg.wire.remoteAddress) continue
    if (name !== undefined && binding.contact.uri.user === name) found.unshift(wire)
    else found.push(wire)
  }
  return found
}

/** The same of a phone behind a NAT: with the very Contact of this leg, over another flow than it had. */
export function remappedFlowsOf(edge: Edge, leg: CallLeg): readonly Wire[] {
  const target = parseUri(leg.dialog?.remoteTarget ?? '')
  if (leg.party.kind !== 'user' || target === undefined) return []
  return edge.bindings.of(leg.party.user).flatMap((binding) => {
    const { user, host, port } = binding.contact.uri
    const wire = binding.wire()
    const same = user === target.user && host === target.host && port === target.port
    const fits = wire?.alive && wire.remoteAddress === leg.wire.remoteAddress && wire.flow !== leg.wire.flow
    return same && fits ? [wire] : []
  })
}

/** The peer is there now, and is to answer us there: what our Contact said may have led through an edge that is gone. */
export function moveTo({ held }: Pick<CallParts, 'held'>, callId: string, leg: CallLeg, wire: Wire): void {
  leg.wire = wire
  leg.contact = contactOf(wire, held.keyOf(callId))
}

/**
 * A phone is reached where it was last heard, whatever NAT or a new connection makes of it; what another edge has passed on
 * does not come from where the phone is.
 */
export function heardAt(parts: Pick<CallParts, 'held'>, callId: string, leg: CallLeg, uri: string, wire: Wire): void {
  if (leg.party.kind === 'trunk') return
  if (!cameThrough(uri)) leg.wire = wire
  else if (!leg.wire.alive && wire.remoteAddress === leg.wire.remoteAddress) moveTo(parts, callId, leg, wire)
}

function leadsTo(leg: CallLeg, host: string, port: number | undefined, transport: string | undefined): boolean {
  const { wire } = leg
  if (!wire.alive) return false
  if (transport !== undefined && transport.toUpperCase() !== wire.transport) return false
  const address = host.startsWith('[') ? host.slice(1, -1) : host
  if (address !== wire.remoteAddress) return false
  // an incoming connection has the peer's ephemeral port: it is the way back all the same (RFC 5923)
  return wire.reliable || (port ?? 5060) === wire.remotePort
}
