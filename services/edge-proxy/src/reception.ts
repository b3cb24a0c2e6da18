/**
 * A call at the door: its caller's leg is made and named before anybody is asked, and ends here when no call comes of it.
 */

import { type Context, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api'
import type { Asked } from '@tandem/bus/outcome.ts'
import type { Configuration } from '@tandem/config/schema.ts'
import type { LegRole } from '@tandem/contracts/call.ts'
import { ResolveRoute, type RouteDecision } from '@tandem/contracts/routing.ts'
import type { UasVerdict } from '@tandem/sip/dialog/session-timer.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { callId, elements, fromTag, maxForwards } from '@tandem/sip/message/read.ts'
import { wantsReliable } from '@tandem/sip/message/reliable.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { B2bCall } from './domain/b2b-call.ts'
import type { Description } from './domain/call-body.ts'
import type { CallFacts } from './domain/call-facts.ts'
import { CallLeg } from './domain/call-leg.ts'
import type { CallParts, LiveCall } from './domain/call-parts.ts'
import { callerNumber, nameOf, natted, partyOf, routeQuestion } from './domain/call-question.ts'
import { type CallerSide, incomingCaller } from './domain/caller-side.ts'
import { forgetLeg } from './domain/leg-end.ts'
import { allowsUpdate, asksPrivacy, passInvite, passReason } from './domain/leg-headers.ts'
import type { CallPlan } from './domain/leg-launcher.ts'
import { contactOf } from './domain/leg-wire.ts'
import { mediaPolicy } from './domain/media-policy.ts'
import { networkTable } from './domain/networks.ts'
import { ReliableProvisionals } from './domain/reliable-provisionals.ts'
import type { Peer, Wire } from './edge.ts'

/** The router's answer is waited for this long, so that a 503 goes out within a second (E11), ms. */
export const ROUTE_MS = 800

export interface Incoming {
  readonly transaction: ServerTransaction
  readonly wire: Wire
  readonly peer: Peer
  readonly trusted?: boolean
  readonly request: SipRequest
  readonly id: string
  readonly dialled: string
  readonly offer: Description & { readonly kind: 'sdp' | 'none' }
  readonly span: Span
  readonly context: Context
  readonly leg: CallLeg
  readonly caller: CallerSide
  readonly facts: CallFacts
}

export interface Arrival {
  readonly transaction: ServerTransaction
  readonly wire: Wire
  readonly peer: Peer
  readonly request: SipRequest
  readonly dialled: string
  readonly emergency: boolean
  readonly offer: Incoming['offer']
  readonly timer: UasVerdict & { kind: 'accept' }
  /** It comes into a call that is there (RFC 3891). */
  readonly joins?: { readonly facts: CallFacts; readonly role: LegRole }
}

export type Reception = ReturnType<typeof createReception>

export function createReception(parts: CallParts, calls: Map<string, LiveCall>) {
  const { edge, random, tell } = parts
  let sites: { config: Configuration; find(address: string): string | undefined } | undefined

  const siteOf = (address: string): string | undefined => {
    const config = edge.config()
    if (sites?.config !== config) {
      const table = networkTable(
        Object.values(config.sites).flatMap((s) => s.networks.map((n) => [n, s.name] as const)),
      )
      sites = { config, find: (a) => table.find(a) }
    }
    return sites.find(address)
  }

  const begin = (seed: Arrival): Incoming => {
    const { transaction, wire, peer, request, dialled, offer, emergency } = seed
    const id = seed.joins?.facts.callId ?? random()
    const legId = random()
    const span = parts.tracer.startSpan(
      'call',
      { kind: SpanKind.SERVER, attributes: { 'tandem.call': id } },
      ROOT_CONTEXT,
    )
    const context = trace.setSpan(ROOT_CONTEXT, span)
    const party = partyOf(peer, wire)
    const far = { address: wire.remoteAddress, behindNat: peer.kind !== 'trunk' && natted(request, wire) }
    const leg = new CallLeg({
      legId,
      role: seed.joins?.role ?? 'caller',
      party,
      direction: 'in',
      wire,
      peer: far,
      media: parts.media.openLeg({ legId, emergency, ...mediaPolicy(edge.config(), party, wire.listener, far) }),
      sipCallId: callId(request),
      localTag: transaction.toTag,
      attempt: 1,
      contact: contactOf(wire, parts.held.keyOf(id)),
      startedMs: edge.clock.now(),
      startedWall: edge.clock.wall(),
    })
    leg.context = context
    leg.tryingMs = 0
    leg.callerTag = fromTag(request)
    leg.withheld = asksPrivacy(request)
    leg.takesUpdate = allowsUpdate(request)
    if (offer.kind === 'sdp') leg.heard = offer.text
    edge.capture.follow(leg.sipCallId, id, legId, nameOf(peer, wire))
    if (peer.kind === 'trunk') edge.trunks.callStarted(peer.trunk)
    const entry = { leg, owner: NOBODY }
    parts.dialogs.set(leg.key, entry)
    const number = callerNumber(request)
    const facts: CallFacts = seed.joins?.facts ?? {
      callId: id,
      edge: edge.node,
      from: number,
      dialled,
      to: undefined,
      emergency,
    }
    const caller = incomingCaller({
      edge,
      transaction,
      leg,
      facts,
      timer: seed.timer,
      random,
      onTag(known, tag) {
        const owner = parts.dialogs.get(known.key)?.owner ?? NOBODY
        parts.dialogs.delete(known.key)
        known.localTag = tag
        parts.dialogs.set(known.key, { leg: known, owner })
      },
    })
    if (wantsReliable(request) !== 'no') {
      leg.provisionals = new ReliableProvisionals({
        edge,
        transaction,
        leg,
        firstNumber: 1 + (Buffer.from(random()).readUInt32BE(0) >>> 2),
        // RFC 3262 3: without PRACK the INVITE "SHOULD" be rejected; a call for help goes on
        onLost: () => {
          if (!facts.emergency) calls.get(id)?.hangUp('no PRACK')
        },
      })
    }
    return {
      transaction,
      wire,
      peer,
      trusted: peer.kind === 'trunk' && edge.config().trunks[peer.trunk]?.trusted === true,
      request,
      id,
      dialled,
      offer,
      span,
      context,
      leg,
      caller,
      facts,
    }
  }

  /** The caller's leg ends here without a call having come about. */
  const refuse = (
    incoming: Incoming,
    status: number,
    headers: readonly (readonly [string, string])[] = [],
    reason?: string,
  ): void => {
    const { leg, caller, facts, span } = incoming
    if (leg.ended) return
    caller.refuse(status, headers)
    tell.ended(facts, leg, { by: 'tandem', status, reason })
    forgetLeg(parts, leg, status)
    span.setAttribute('sip.status', status)
    span.end()
  }

  /** While the router thinks the caller may go away. */
  const untilDecided = (incoming: Incoming): { gone: boolean } => {
    const state = { gone: false }
    incoming.transaction.onCancel = () => {
      state.gone = true
      const { leg, facts, span } = incoming
      incoming.caller.refuse(487, [])
      tell.ended(facts, leg, { by: 'caller', status: 487 })
      forgetLeg(parts, leg, 487)
      span.end()
    }
    return state
  }

  const start = (incoming: Incoming, plan: CallPlan): void => {
    const { id, leg, transaction, offer, request } = incoming
    const call = new B2bCall({
      parts,
      facts: incoming.facts,
      caller: incoming.caller,
      plan,
      offer: offer.kind === 'sdp' ? offer : undefined,
      // 0 has come this far only with a call for help
      maxForwards: maxForwards(request) || 70,
      passed: plan.marked ? [...passInvite(request), ['Priority', 'psap-callback']] : passInvite(request),
      identity: incoming.peer.kind === 'trunk' ? elements(request, 'identity').slice(0, 8) : [],
      askAgain: async ({ dialled, uri }, by) => {
        const question = routeQuestion({ ...incoming, wallMs: edge.clock.wall() }, siteOf, edge.revision())
        const { toUri: _, calledPartyId: __, ...rest } = question
        const asks = { ...rest, dialled: dialled.slice(0, 1024), requestUri: uri.slice(0, 2048), ...by }
        return decided(await edge.bus.ask(ResolveRoute, asks, { timeoutMs: ROUTE_MS, context: incoming.context }))
      },
      span: incoming.span,
      context: incoming.context,
    })
    calls.set(id, call)
    parts.dialogs.set(leg.key, { leg, owner: call })
    transaction.onCancel = (cancel) => call.callerGone(passReason(cancel))
    call.begin()
  }

  return { siteOf, begin, refuse, untilDecided, start }
}

/** A leg whose call is not decided yet: its dialog cannot be used. */
const NOBODY = {
  onRequest: (_leg: CallLeg, transaction: ServerTransaction) => void transaction.reply(481),
  onAck() {},
}

export function decided(asked: Asked<RouteDecision>): RouteDecision | undefined {
  return asked.kind === 'answer' ? asked.answer : undefined
}

/** What the router knows of the two sides goes into the facts. */
export function identify(incoming: Incoming, decision: RouteDecision): void {
  const { facts, leg } = incoming
  const { caller } = decision
  if (caller) {
    leg.identity = { user: caller.user, costCentre: caller.costCentre, site: caller.site }
    if (caller.number) facts.from = caller.number
  }
  if (decision.normalised) facts.to = decision.normalised
  if (decision.kind !== 'route') return
  // an inbound trunk leg belongs to whom it is for
  if (leg.party.kind === 'trunk') leg.identity.costCentre ??= decision.callee.costCentre
  facts.to ??= decision.callee.number
}
