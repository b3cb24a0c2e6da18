/**
 * An INVITE outside any dialog: what it asks for is made out, the router is asked once, and the call begins
 * (edge.md E6, E8, E11). From here on a call runs by itself: nothing inside a dialog is asked of anybody.
 */
import { randomFillSync } from 'node:crypto'
import { type Context, context, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api'
import type { Asked } from '@tandem/bus/outcome.ts'
import type { Configuration } from '@tandem/config/schema.ts'
import type { LegRole } from '@tandem/contracts/call.ts'
import { Locate, type LocateAnswer } from '@tandem/contracts/location.ts'
import { ResolveRoute, type RouteDecision, type RoutePlan, type RouteQuestion } from '@tandem/contracts/routing.ts'
import type { Party } from '@tandem/contracts/values.ts'
import { answerAsUas, type UasVerdict } from '@tandem/sip/dialog/session-timer.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { callId, contacts, from, fromTag, maxForwards, nameAddrs, to, toTag } from '@tandem/sip/message/read.ts'
import { parseUri, unescapeUser } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { B2bCall } from './domain/b2b-call.ts'
import { type Description, descriptionOf, partsOf, SDP_TYPE } from './domain/call-body.ts'
import { type CallFacts, instant } from './domain/call-facts.ts'
import { CallLeg, legKey } from './domain/call-leg.ts'
import type { CallParts, RecordBox } from './domain/call-parts.ts'
import { createTeller } from './domain/call-tell.ts'
import { type CallerSide, incomingCaller } from './domain/caller-side.ts'
import { type EmergencyDialled, emergencyDialled } from './domain/emergency-number.ts'
import { answeredLocation, ladderOf, standingLocation, type WhereCalled } from './domain/emergency-order.ts'
import { startEmergency } from './domain/emergency-run.ts'
import { forgetLeg } from './domain/leg-end.ts'
import { allowsUpdate, asksPrivacy, passInvite, passReason } from './domain/leg-headers.ts'
import type { CallPlan } from './domain/leg-launcher.ts'
import { contactOf } from './domain/leg-wire.ts'
import type { MediaEngine } from './domain/media-engine.ts'
import { networkTable } from './domain/networks.ts'
import { trunkLimits } from './domain/trunk-limits.ts'
import type { Calls, Edge, Peer, Wire } from './edge.ts'
import { createPlacer, type Placed } from './place-call.ts'

/** s; told with a 503 when nobody decides. */
const RETRY_AFTER = '5'
/** The router's answer is waited for this long, so that a 503 goes out within a second (E11), ms. */
const ROUTE_MS = 800
const EMERGENCY_MS = 300

export interface CallsParts {
  readonly media: MediaEngine
  readonly outbox: RecordBox & { close(): Promise<void> }
}

export interface CallControl extends Calls {
  /** Ends a call of this node. */
  hangUp(callId: string, reason?: string): boolean
  drain(draining: boolean): void
  /** Rings the user, then dials in the user's name. */
  placeCall(user: string, to: string): Promise<Placed>
  /** Calls up or being set up, for tests and the console. */
  readonly calls: ReadonlyMap<string, B2bCall>
}

/** All calls of this edge. Closes what it was given (`media`, `outbox`) when it is closed. */
export function createCalls(edge: Edge, given: CallsParts): CallControl {
  const calls = new Map<string, B2bCall>()
  const parts: CallParts = {
    edge,
    media: given.media,
    outbox: given.outbox,
    limits: trunkLimits(),
    tell: createTeller(edge, given.outbox),
    tracer: trace.getTracer('tandem-edge'),
    random: randomTokens(),
    dialogs: new Map(),
    config: () => edge.config(),
    over: (id) => calls.delete(id),
  }
  const door = createFrontDoor(edge, parts, calls)
  return {
    calls,
    onInvite: door.onInvite,
    hangUp(id, reason = 'ended by an operator') {
      const call = calls.get(id)
      call?.hangUp(reason)
      return call !== undefined
    },
    drain: door.drain,
    placeCall: createPlacer(parts, calls),
    onInDialog(transaction) {
      const { request } = transaction
      const entry = parts.dialogs.get(legKey(callId(request), toTag(request) ?? ''))
      if (entry === undefined) return false
      // RFC 3261 12.2.2: a dialog is Call-ID and both tags
      const tag = entry.leg.dialog?.remoteTag
      if (tag !== undefined && tag !== (fromTag(request) ?? '')) return false
      entry.owner.onRequest(entry.leg, transaction)
      return true
    },
    onAck(ack) {
      const entry = parts.dialogs.get(legKey(callId(ack), toTag(ack) ?? ''))
      entry?.owner.onAck(entry.leg, ack)
    },
    status: () => {
      let legs = 0
      for (const call of calls.values()) legs += call.legs.length
      return { calls: calls.size, legs, outbox: given.outbox.size() }
    },
    async close() {
      for (const call of [...calls.values()]) call.hangUp('the edge stops')
      await given.outbox.close()
      await given.media.close()
    },
  }
}

interface Refusal {
  readonly status: number
  readonly headers?: readonly (readonly [string, string])[]
}

const BUSY = { status: 503, headers: [['Retry-After', RETRY_AFTER]] } as const

interface Incoming {
  readonly transaction: ServerTransaction
  readonly wire: Wire
  readonly peer: Peer
  readonly request: SipRequest
  readonly id: string
  readonly dialled: string
  readonly urgent: EmergencyDialled | undefined
  readonly offer: Description & { readonly kind: 'sdp' | 'none' }
  readonly span: Span
  readonly context: Context
  readonly leg: CallLeg
  readonly caller: CallerSide
  readonly facts: CallFacts
}

function createFrontDoor(edge: Edge, parts: CallParts, calls: Map<string, B2bCall>) {
  const { random, tell } = parts
  let draining = false
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

  const onInvite = (transaction: ServerTransaction, wire: Wire, peer: Peer): void => {
    const { request } = transaction
    const config = edge.config()
    const uri = parseUri(request.uri)
    const dialled = unescapeUser(uri?.user ?? '')
    const user = peer.kind === 'user' ? peer.user : undefined
    const site = peer.kind === 'trunk' ? undefined : peer.site
    const urgent = peer.kind === 'trunk' ? undefined : emergencyDialled(config, dialled, request.uri, { user, site })
    const refusal = refuses(request, peer, urgent)
    if (refusal) return void transaction.reply(refusal.status, { headers: refusal.headers ?? [] })
    const offer = descriptionOf(request)
    if (offer.kind === 'other') return void transaction.reply(415, { headers: [['Accept', SDP_TYPE]] })
    if (offer.kind === 'invalid') return void transaction.reply(488, { headers: [warning(config, offer.reason)] })
    const timer = answerAsUas(request, { interval: config.edge.sessionTimerS, minSe: 90, refresher: 'us' })
    if (timer.kind === 'too-small') return void transaction.reply(422, { headers: timer.fields })
    if (!admitted(peer)) return void transaction.reply(BUSY.status, { headers: BUSY.headers })
    const incoming = begin({ transaction, wire, peer, request, dialled, urgent, offer, timer })
    const asked = urgent ? askUrgently(incoming, urgent) : ask(incoming)
    asked.catch((error: unknown) => {
      edge.log.error({ call: incoming.id, err: error }, 'a call could not be set up')
      refuse(incoming, 500)
    })
  }

  const refuses = (request: SipRequest, peer: Peer, urgent: EmergencyDialled | undefined): Refusal | undefined => {
    // RFC 3261 16.3 step 3
    if (maxForwards(request) === 0) return { status: 483 }
    // edge.md E10: what comes back as we sent it out has gone in a circle (RFC 3261 16.3 step 4)
    if (parts.dialogs.has(legKey(callId(request), fromTag(request) ?? ''))) return { status: 482 }
    if (peer.kind === 'unknown' && urgent === undefined) return { status: 403 }
    if (urgent !== undefined) return undefined
    if (draining || calls.size >= edge.config().edge.calls) return BUSY
    return undefined
  }

  const admitted = (peer: Peer): boolean => {
    if (peer.kind !== 'trunk') return true
    const limits = edge.config().trunks[peer.trunk]?.limits ?? { calls: null, callsPerSecond: null }
    return parts.limits.admit(peer.trunk, limits, false, edge.clock.now()) === 'admitted'
  }

  const begin = (seed: {
    transaction: ServerTransaction
    wire: Wire
    peer: Peer
    request: SipRequest
    dialled: string
    urgent: EmergencyDialled | undefined
    offer: Incoming['offer']
    timer: UasVerdict & { kind: 'accept' }
  }): Incoming => {
    const { transaction, wire, peer, request } = seed
    const id = random()
    const legId = random()
    const span = parts.tracer.startSpan(
      'call',
      { kind: SpanKind.SERVER, attributes: { 'tandem.call': id } },
      ROOT_CONTEXT,
    )
    const context = trace.setSpan(ROOT_CONTEXT, span)
    const emergency = seed.urgent !== undefined
    const leg = new CallLeg({
      legId,
      role: 'caller' satisfies LegRole,
      party: partyOf(peer, wire),
      direction: 'in',
      wire,
      peer: { address: wire.remoteAddress, behindNat: peer.kind !== 'trunk' && natted(request, wire) },
      media: parts.media.openLeg(legId, emergency),
      sipCallId: callId(request),
      localTag: transaction.toTag,
      attempt: 1,
      contact: contactOf(wire, legId),
      startedMs: edge.clock.now(),
      startedWall: edge.clock.wall(),
    })
    leg.context = context
    leg.tryingMs = 0
    leg.takesUpdate = allowsUpdate(request)
    if (seed.offer.kind === 'sdp') leg.heard = seed.offer.text
    edge.capture.follow(leg.sipCallId, id, legId, nameOf(peer, wire))
    if (peer.kind === 'trunk') edge.trunks.callStarted(peer.trunk)
    const entry = { leg, owner: NOBODY }
    parts.dialogs.set(leg.key, entry)
    const caller = incomingCaller({
      edge,
      transaction,
      leg,
      timer: seed.timer,
      random,
      onTag(known, tag) {
        const owner = parts.dialogs.get(known.key)?.owner ?? NOBODY
        parts.dialogs.delete(known.key)
        known.localTag = tag
        parts.dialogs.set(known.key, { leg: known, owner })
      },
    })
    const number = callerNumber(request)
    const facts: CallFacts = {
      callId: id,
      edge: edge.node,
      from: number,
      dialled: seed.dialled,
      to: undefined,
      emergency,
    }
    return {
      transaction,
      wire,
      peer,
      request,
      id,
      dialled: seed.dialled,
      urgent: seed.urgent,
      offer: seed.offer,
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

  const ask = async (incoming: Incoming): Promise<void> => {
    const state = untilDecided(incoming)
    const asked = await edge.bus.ask(ResolveRoute, questionOf(incoming, siteOf), {
      timeoutMs: ROUTE_MS,
      context: incoming.context,
    })
    if (state.gone) return
    const decision = decided(asked)
    if (decision === undefined) {
      edge.log.warn(
        { call: incoming.id, outcome: asked.kind, why: asked.kind === 'refused' ? asked.why : undefined },
        'no route decision',
      )
      return refuse(incoming, 503, [
        ['Retry-After', RETRY_AFTER],
        warning(edge.config(), 'Nobody decides where calls go'),
      ])
    }
    identify(incoming, decision)
    if (decision.kind === 'reject') {
      const { status, reason } = decision
      context.with(incoming.context, () => edge.log.info({ call: incoming.id, status, reason }, 'call rejected'))
      return refuse(incoming, decision.status, [warning(edge.config(), decision.reason)], decision.reason)
    }
    if (decision.emergency)
      return await askUrgently(incoming, { number: decision.dialled, test: decision.emergencyTest === true }, decision)
    start(incoming, {
      branches: decision.branches,
      shown: shownCaller(incoming, decision),
      callee: calleeOf(decision),
      costCentre: decision.caller.costCentre ?? decision.callee.costCentre,
      emergency: undefined,
    })
  }

  /** edge.md E11: both are asked at once; whoever is late is done without. */
  const askUrgently = async (incoming: Incoming, dialled: EmergencyDialled, known?: RoutePlan): Promise<void> => {
    const { peer, wire, facts, id, context, leg } = incoming
    facts.emergency = true
    const state = untilDecided(incoming)
    const config = edge.config()
    const user = peer.kind === 'user' ? peer.user : undefined
    const insideSite = siteOf(wire.remoteAddress)
    const who = { user, insideSite }
    const options = { emergency: true, timeoutMs: EMERGENCY_MS, context }
    const [route, location] = await Promise.all([
      known === undefined ? edge.bus.ask(ResolveRoute, questionOf(incoming, siteOf), options) : undefined,
      edge.bus.ask(Locate, locateQuestion(incoming, user), options),
    ])
    if (state.gone) return
    const decision = known ?? (route === undefined ? undefined : decided(route))
    const plan = decision?.kind === 'route' ? decision : undefined
    if (decision) identify(incoming, decision)
    const where = whereCalled(config, location, who)
    const ladder = ladderOf(config, dialled.number, where, plan)
    const written = user === undefined ? undefined : config.users[user]
    leg.identity = {
      ...leg.identity,
      user: leg.identity.user ?? user,
      site: leg.identity.site ?? insideSite,
      costCentre: leg.identity.costCentre ?? written?.costCentre ?? undefined,
    }
    const display = incoming.leg.identity.user === undefined ? undefined : written?.displayName
    facts.to ??= dialled.number
    if (where.callback !== undefined) facts.from = where.callback
    const site = leg.identity.site
    const emergency = startEmergency({
      edge,
      callId: id,
      legId: leg.legId,
      where,
      context,
      domain: config.domain,
      started: {
        test: dialled.test,
        dialled: incoming.dialled,
        sourceAddress: wire.remoteAddress,
        ...(user === undefined ? {} : { user }),
        ...(display === undefined ? {} : { display }),
        ...(site === undefined ? {} : { site }),
        standingOrder: [
          ...(plan === undefined ? (['routing'] as const) : []),
          ...(location.kind === 'answer' ? [] : (['location'] as const)),
        ],
      },
    })
    edge.log.warn({ call: id, user, routeClass: where.routeClass, rungs: ladder.attempts.length }, 'emergency call')
    start(incoming, {
      branches: [
        { role: 'callee', delayMs: 0, attempts: ladder.attempts as CallPlan['branches'][number]['attempts'] & [] },
      ],
      shown: { number: where.callback ?? facts.from, display, withheld: false },
      callee: {},
      costCentre: leg.identity.costCentre,
      emergency,
    })
  }

  const start = (incoming: Incoming, plan: CallPlan): void => {
    const { id, leg, transaction, offer, request } = incoming
    const call = new B2bCall({
      parts,
      facts: incoming.facts,
      caller: incoming.caller,
      plan,
      offer: offer.kind === 'sdp' ? offer : undefined,
      maxForwards: maxForwards(request) ?? 70,
      passed: passInvite(request),
      span: incoming.span,
      context: incoming.context,
    })
    calls.set(id, call)
    parts.dialogs.set(leg.key, { leg, owner: call })
    transaction.onCancel = (cancel) => call.callerGone(passReason(cancel))
    call.begin()
  }

  return {
    onInvite,
    drain(on: boolean) {
      draining = on
    },
  }
}

/** A leg whose call is not decided yet: its dialog cannot be used. */
const NOBODY = {
  onRequest: (_leg: CallLeg, transaction: ServerTransaction) => void transaction.reply(481),
  onAck() {},
}

function decided(asked: Asked<RouteDecision>): RouteDecision | undefined {
  return asked.kind === 'answer' ? asked.answer : undefined
}

function whereCalled(
  config: Configuration,
  location: Asked<LocateAnswer>,
  who: { user: string | undefined; insideSite: string | undefined },
): WhereCalled {
  return location.kind === 'answer' ? answeredLocation(config, location.answer, who) : standingLocation(config, who)
}

/** What the router knows of the two sides goes into the facts. */
function identify(incoming: Incoming, decision: RouteDecision): void {
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

function calleeOf(plan: RoutePlan): CallPlan['callee'] {
  const { user, costCentre, site } = plan.callee
  return { user, costCentre, site }
}

function shownCaller(incoming: Incoming, plan: RoutePlan) {
  const display = plan.caller.display ?? from(incoming.request)?.displayName
  return {
    number: plan.caller.number ?? incoming.facts.from,
    display,
    withheld: asksPrivacy(incoming.request),
  }
}

function questionOf(incoming: Incoming, siteOf: (address: string) => string | undefined): RouteQuestion {
  const { request, peer, wire } = incoming
  const sender = from(request)
  const asserted =
    peer.kind === 'trunk' || peer.kind === 'user' ? nameAddrs(request, 'p-asserted-identity')[0] : undefined
  const called = nameAddrs(request, 'p-called-party-id')[0]
  const hops = maxForwards(request)
  const toUri = to(request)?.uriText
  return {
    callId: incoming.id,
    source: sourceOf(peer, siteOf(wire.remoteAddress)),
    sourceAddress: wire.remoteAddress,
    dialled: incoming.dialled.slice(0, 1024),
    requestUri: request.uri.slice(0, 2048),
    ...(toUri === undefined ? {} : { toUri: toUri.slice(0, 2048) }),
    ...(called === undefined ? {} : { calledPartyId: called.uriText.slice(0, 2048) }),
    from: {
      number: callerNumber(request).slice(0, 1024),
      ...(sender?.displayName === undefined ? {} : { display: sender.displayName.slice(0, 1024) }),
    },
    ...(asserted === undefined ? {} : { assertedIdentity: asserted.uriText.slice(0, 2048) }),
    ...(asksPrivacy(request) ? { privacy: true } : {}),
    at: instant(incoming.leg.startedWall),
    ...(hops === undefined ? {} : { maxForwards: hops }),
  }
}

function locateQuestion(incoming: Incoming, user: string | undefined) {
  const pidf = partsOf(incoming.request).find((part) => part.type === 'application/pidf+xml')?.text
  return {
    ...(user === undefined ? {} : { user }),
    sourceAddress: incoming.wire.remoteAddress,
    // location.md L5: one that is too large is left out, it never stops the call
    ...(pidf === undefined || pidf.length > 65_536 ? {} : { pidfLo: pidf }),
    purpose: 'emergency' as const,
  }
}

function sourceOf(peer: Peer, site: string | undefined): RouteQuestion['source'] {
  if (peer.kind === 'trunk') return { kind: 'trunk', trunk: peer.trunk }
  const where = peer.site ?? site
  if (peer.kind === 'user') return { kind: 'user', user: peer.user, ...(where === undefined ? {} : { site: where }) }
  return { kind: 'unknown', ...(where === undefined ? {} : { site: where }) }
}

function partyOf(peer: Peer, wire: Wire): Party {
  if (peer.kind === 'user') return { kind: 'user', user: peer.user }
  if (peer.kind === 'trunk') return { kind: 'trunk', trunk: peer.trunk }
  return { kind: 'unknown', address: wire.remoteAddress }
}

function nameOf(peer: Peer, wire: Wire): string {
  if (peer.kind === 'user') return `user:${peer.user}`
  return peer.kind === 'trunk' ? `trunk:${peer.trunk}` : wire.remoteAddress
}

function callerNumber(request: SipRequest): string {
  const uri = from(request)?.uri
  return unescapeUser(uri?.user ?? '')
}

/** Its Contact is not where its packets come from. */
function natted(request: SipRequest, wire: Wire): boolean {
  const found = contacts(request)
  const host = found === '*' ? undefined : found[0]?.uri.host
  return host !== undefined && host !== wire.remoteAddress && host !== `[${wire.remoteAddress}]`
}

/** RFC 3261 20.43: code 399, our name, a sentence for a person. */
function warning(config: Configuration, text: string): [string, string] {
  const clean = text.replace(/[^\x20-\x7e]/g, ' ').replace(/["\\]/g, "'")
  return ['Warning', `399 ${config.domain} "${clean}"`]
}

/** Random tokens of 128 bits, drawn a hundred at a time. */
function randomTokens(): () => string {
  const pool = Buffer.alloc(1600)
  let at = pool.length
  return () => {
    if (at === pool.length) {
      randomFillSync(pool)
      at = 0
    }
    at += 16
    return pool.toString('base64url', at - 16, at)
  }
}
