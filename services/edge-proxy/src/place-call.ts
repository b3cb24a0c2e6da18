/**
 * A call that the console asks for (`tandem call`): the user's phones are rung first, then the number is dialled in the
 * user's name. The phone is offered the codecs that every carrier has; what it takes is what the callee is offered, so
 * that neither side needs a re-INVITE when the two are joined.
 */

import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import type { Configuration } from '@tandem/config/schema.ts'
import { ResolveRoute, type RoutePlan } from '@tandem/contracts/routing.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { agreedAsUac } from '@tandem/sip/dialog/session-timer.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import { B2bCall } from './domain/b2b-call.ts'
import { descriptionOf, SDP_TYPE } from './domain/call-body.ts'
import type { CallFacts } from './domain/call-facts.ts'
import { CallLeg } from './domain/call-leg.ts'
import type { CallParts, LiveCall } from './domain/call-parts.ts'
import type { CallerSide } from './domain/caller-side.ts'
import { emergencyDialled } from './domain/emergency-number.ts'
import { instant } from './domain/instant.ts'
import { forgetLeg } from './domain/leg-end.ts'
import { ALLOW, SUPPORTED } from './domain/leg-headers.ts'
import { identityOf } from './domain/leg-identity.ts'
import { contactOf } from './domain/leg-wire.ts'
import { mediaPolicy, PLAIN_MEDIA } from './domain/media-policy.ts'
import { OutInvite } from './domain/out-invite.ts'
import { placedCaller } from './domain/placed-caller.ts'
import type { LiveBinding, Wire } from './edge.ts'

/** The user has that long to pick up, ms. */
const RING_MS = 30_000

export type Placed =
  | { readonly kind: 'placed'; readonly callId: string }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string }

/** Our own offer to the phone; its addresses are replaced by the relay's. */
const OFFER = [
  'v=0',
  'o=- 1 1 IN IP4 192.0.2.1',
  's=-',
  'c=IN IP4 192.0.2.1',
  't=0 0',
  'm=audio 9 RTP/AVP 0 8 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'a=ptime:20',
  'a=sendrecv',
  '',
].join('\r\n')

export function createPlacer(parts: CallParts, calls: Map<string, LiveCall>) {
  const { edge, random, tell } = parts

  const place = async (user: string, dialled: string): Promise<Placed> => {
    const config = edge.config()
    const known = config.users[user]
    if (known === undefined) return refused(404, `there is no user ${user}`)
    if (emergencyDialled(config, dialled, '', { user }) !== undefined) {
      return refused(403, 'an emergency call is made from the phone that is in the emergency')
    }
    const bindings = edge.bindings.of(user)
    const wire = bindings[0]?.wire()
    if (bindings.length === 0 || wire === undefined) return refused(480, `no phone of ${user} is registered`)
    const id = random()
    const span = parts.tracer.startSpan(
      'call',
      { kind: SpanKind.SERVER, attributes: { 'tandem.call': id } },
      ROOT_CONTEXT,
    )
    const context = trace.setSpan(ROOT_CONTEXT, span)
    const question = { ...questionOf(config, id, user, dialled, wire, edge.clock.wall()), revision: edge.revision() }
    const asked = await edge.bus.ask(ResolveRoute, question, { context })
    const decision = asked.kind === 'answer' ? asked.answer : undefined
    if (decision?.kind !== 'route') {
      span.end()
      return decision ? refused(decision.status, decision.reason) : refused(503, 'nobody decides where calls go')
    }
    const facts: CallFacts = {
      callId: id,
      edge: edge.node,
      from: decision.caller.number ?? known.did ?? user,
      dialled,
      to: decision.normalised,
      emergency: false,
    }
    ring({ id, facts, plan: decision, bindings, span, context, user, known, domain: config.domain })
    return { kind: 'placed', callId: id }
  }

  interface Ring {
    readonly id: string
    readonly facts: CallFacts
    readonly plan: RoutePlan
    readonly bindings: readonly LiveBinding[]
    readonly span: ReturnType<CallParts['tracer']['startSpan']>
    readonly context: ReturnType<typeof trace.setSpan>
    readonly user: string
    readonly known: Configuration['users'][string]
    readonly domain: string
  }

  const ring = (r: Ring): void => {
    const invites: OutInvite[] = []
    let decided = false
    const timer = edge.transactions.timers.after(RING_MS, () => {
      if (decided) return
      decided = true
      for (const invite of invites) drop(r, invite, 480)
      r.span.end()
    })
    const done = () => {
      decided = true
      edge.transactions.timers.clear(timer)
    }
    for (const binding of r.bindings) {
      const wire = binding.wire()
      if (wire === undefined) continue
      const leg = newLeg(r, binding, wire)
      const invite = inviteOf(r, leg, binding, {
        onProvisional: (response) => {
          if (response.status === 100 || leg.ringingMs !== undefined) return
          leg.ringingMs = edge.clock.now() - leg.startedMs
          tell.ringing(r.facts, leg, response.status, false)
        },
        onAnswer: (response) => {
          if (decided) return invite.discard(response)
          done()
          for (const other of invites) if (other !== invite) drop(r, other, 487)
          pickedUp(r, invite, response)
        },
        onFailed: (status) => {
          if (leg.ended) return
          tell.ended(r.facts, leg, { by: 'caller', status })
          forgetLeg(parts, leg, status)
          if (decided || invites.some((i) => !i.leg.ended)) return
          done()
          r.span.end()
        },
      })
      invites.push(invite)
      tell.started(r.facts, leg)
    }
    for (const invite of invites) invite.send()
  }

  const drop = (r: Ring, invite: OutInvite, status: number): void => {
    invite.cancel()
    if (invite.leg.ended) return
    tell.ended(r.facts, invite.leg, { by: 'tandem', status })
    forgetLeg(parts, invite.leg, status)
  }

  const newLeg = (r: Ring, binding: LiveBinding, wire: Wire): CallLeg => {
    const legId = random()
    const host = binding.contact.uri.host.replace(/^\[|\]$/g, '')
    const party = { kind: 'user', user: r.user } as const
    const peer = { address: wire.remoteAddress, behindNat: host !== wire.remoteAddress }
    // it is told our address before it is known whom it will talk to
    const policy = { ...mediaPolicy(edge.config(), party, wire.listener, peer), bypass: undefined }
    const leg = new CallLeg({
      legId,
      role: 'caller',
      party,
      direction: 'out',
      wire,
      peer,
      media: parts.media.openLeg({ legId, emergency: false, ...policy }),
      sipCallId: random(),
      localTag: random(),
      attempt: 1,
      contact: contactOf(wire, parts.held.keyOf(r.id)),
      startedMs: edge.clock.now(),
      startedWall: edge.clock.wall(),
    })
    leg.context = r.context
    leg.identity = { user: r.user, site: r.known.site, costCentre: r.known.costCentre ?? undefined }
    edge.capture.follow(leg.sipCallId, r.id, legId, `user:${r.user}`)
    return leg
  }

  const inviteOf = (
    r: Ring,
    leg: CallLeg,
    binding: LiveBinding,
    handlers: ConstructorParameters<typeof OutInvite>[0]['handlers'],
  ): OutInvite => {
    const identity = identityOf({
      caller: { number: r.plan.normalised ?? r.facts.dialled, display: undefined, withheld: false },
      called: r.user,
      calledHost: r.domain,
      domain: r.domain,
      tag: leg.localTag,
      trusted: true,
    })
    const invite = new OutInvite({
      edge,
      leg,
      uri: binding.contact.uriText,
      from: identity.from,
      to: identity.to,
      routes: binding.path,
      maxForwards: 70,
      headers: [['Allow', ALLOW], ['Supported', SUPPORTED], ...identity.headers],
      credentials: undefined,
      timer: { interval: edge.config().edge.sessionTimerS, minSe: 90, refresher: 'us' },
      cnonce: random,
      handlers,
    })
    offerTo(leg, invite)
    return invite
  }

  /** An offer of our own, by a leg that nobody is behind. */
  const offerTo = (leg: CallLeg, invite: OutInvite): void => {
    const offer = parseSdp(OFFER)
    if (offer.kind !== 'sdp') return
    const nobody = parts.media.openLeg({ legId: `${leg.legId}-offer`, emergency: false, ...PLAIN_MEDIA })
    nobody.offer(offer.sdp, { address: '192.0.2.1', behindNat: false }, leg.media, (text, why = 503) => {
      nobody.close()
      leg.said = text
      // a leg without media is over before its phone rings; the handlers hear of it
      if (text === undefined) setImmediate(() => invite.abandon(why))
      else invite.carry({ body: text, contentType: SDP_TYPE })
    })
  }

  /** The user is there: dial. */
  const pickedUp = (r: Ring, invite: OutInvite, response: SipResponse): void => {
    const { leg } = invite
    const answer = descriptionOf(response)
    invite.ack()
    const caller = placedCaller(edge, leg)
    const now = edge.clock.now()
    leg.setupMs = now - leg.startedMs
    leg.answeredAtMs = now
    if (invite.request) leg.session = agreedAsUac(invite.request, response)
    tell.answered(r.facts, leg)
    if (answer.kind !== 'sdp') {
      caller.refuse(488, [])
      tell.ended(r.facts, leg, { by: 'tandem', status: 488 })
      forgetLeg(parts, leg, 488)
      r.span.end()
      return
    }
    leg.heard = answer.text
    start(r, caller, answer.sdp, answer.text)
  }

  const start = (r: Ring, caller: CallerSide, sdp: Sdp, text: string): void => {
    const { plan } = r
    const { user, costCentre, site } = plan.callee
    const call = new B2bCall({
      parts,
      facts: r.facts,
      caller,
      plan: {
        branches: plan.branches,
        shown: {
          number: plan.caller.number ?? r.facts.from,
          display: plan.caller.display ?? r.known.displayName,
          withheld: false,
        },
        callee: { user, costCentre, site },
        costCentre: plan.caller.costCentre ?? r.known.costCentre ?? undefined,
        emergency: undefined,
      },
      offer: { sdp, text },
      maxForwards: 70,
      passed: [],
      span: r.span,
      context: r.context,
    })
    calls.set(r.id, call)
    parts.dialogs.set(caller.leg.key, { leg: caller.leg, owner: call })
    call.begin()
  }

  return place
}

function refused(status: number, reason: string): Placed {
  return { kind: 'refused', status, reason }
}

function questionOf(config: Configuration, id: string, user: string, dialled: string, wire: Wire, wallMs: number) {
  const known = config.users[user]
  return {
    callId: id,
    source: { kind: 'user' as const, user, ...(known === undefined ? {} : { site: known.site }) },
    sourceAddress: wire.remoteAddress,
    dialled,
    requestUri: `sip:${encodeURIComponent(dialled)}@${config.domain}`,
    from: { number: user },
    at: instant(wallMs),
  }
}
