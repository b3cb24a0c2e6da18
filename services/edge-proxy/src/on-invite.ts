/**
 * An INVITE outside any dialog: what it asks for is made out, the router is asked once, and the call begins
 * (edge.md E6, E8, E11). From here on a call runs by itself: nothing inside a dialog is asked of anybody.
 */
import { context, trace } from '@opentelemetry/api'
import { ResolveRoute, type RoutePlan } from '@tandem/contracts/routing.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { callId, from, fromTag, maxForwards, toTag } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { randomTokens } from './adapters/random-tokens.ts'
import { openStirStore } from './adapters/stir-store.ts'
import { createAdmission } from './admission.ts'
import { trunkNeeds } from './domain/call-admission.ts'
import { SDP_TYPE } from './domain/call-body.ts'
import { legKey } from './domain/call-leg.ts'
import type { CallParts, LiveCall, RecordBox } from './domain/call-parts.ts'
import { routeQuestion } from './domain/call-question.ts'
import { createTeller } from './domain/call-tell.ts'
import { type EmergencyDialled, emergencyDialled, soundsUrgent } from './domain/emergency-number.ts'
import { misfitOf, offered, sessionTimer } from './domain/invite-terms.ts'
import { asksPrivacy } from './domain/leg-headers.ts'
import type { CallPlan } from './domain/leg-launcher.ts'
import { branchesFor, meantBy, nameIn } from './domain/meant-device.ts'
import type { MediaEngine } from './domain/media-engine.ts'
import { createStir, refusalOf } from './domain/stir.ts'
import { warning } from './domain/warning.ts'
import { peakKbps } from './domain/wire-rate.ts'
import type { Calls, Edge, Peer, Wire } from './edge.ts'
import { createCallbackDoor, watchHelpCalls } from './on-callback.ts'
import { createEmergencyDoor } from './on-emergency.ts'
import { createRefer } from './on-refer.ts'
import { createReplacesDoor } from './on-replaces.ts'
import { createPlacer, type Placed } from './place-call.ts'
import { createReception, decided, type Incoming, identify, ROUTE_MS } from './reception.ts'
import { ALONE, type Survival } from './survival.ts'

/** s; told with a 503 when nobody decides. */
const RETRY_AFTER = '5'

export interface CallsParts {
  readonly media: MediaEngine
  readonly outbox: RecordBox & { close(): Promise<void> }
  /** Lets calls outlive this edge; without it they do not. */
  readonly survival?: Survival
}

export interface CallControl extends Calls {
  /** Ends a call of this node. */
  hangUp(callId: string, reason?: string): boolean
  drain(draining: boolean): void
  /** Rings the user, then dials in the user's name. */
  placeCall(user: string, to: string): Promise<Placed>
  /** Calls up or being set up, for tests and the console. */
  readonly calls: ReadonlyMap<string, LiveCall>
}

/** All calls of this edge. Closes what it was given (`media`, `outbox`) when it is closed. */
export function createCalls(edge: Edge, given: CallsParts): CallControl {
  const calls = new Map<string, LiveCall>()
  const survival = given.survival ?? ALONE
  const help = watchHelpCalls(edge)
  const parts: CallParts = {
    edge,
    media: given.media,
    outbox: given.outbox,
    limits: createAdmission(edge),
    tell: createTeller(edge, given.outbox),
    tracer: trace.getTracer('tandem-edge'),
    random: randomTokens(16, 'base64url'),
    dialogs: new Map(),
    config: () => edge.config(),
    held: survival.held,
    stir: createStir(edge.config, openStirStore(edge)),
    refer: createRefer(() => parts),
    helpCalls: help.calls,
    up(session) {
      calls.set(session.id, session)
      for (const leg of session.legs) parts.dialogs.set(leg.key, { leg, owner: session })
    },
    over: (id) => calls.delete(id),
  }
  const door = createFrontDoor(edge, parts, calls)
  survival.begin(parts, calls)
  return {
    calls,
    onInvite: door.onInvite,
    hangUp(id, reason = 'ended by an operator') {
      const call = calls.get(id) ?? joinedCall(calls, id)
      call?.hangUp(reason)
      return call !== undefined
    },
    drain: door.drain,
    neverRefused: door.neverRefused,
    placeCall: createPlacer(parts, calls),
    onInDialog(transaction) {
      const { request } = transaction
      const entry = parts.dialogs.get(legKey(callId(request), toTag(request) ?? ''))
      if (entry === undefined) return survival.load(transaction)
      // RFC 3261 12.2.2: a dialog is Call-ID and both tags
      const tag = entry.leg.dialog?.remoteTag
      if (tag !== undefined && tag !== (fromTag(request) ?? '')) return false
      // RFC 3262 3: it may come after the final response, too
      if (request.method === 'PRACK' && entry.leg.provisionals) entry.leg.provisionals.onPrack(transaction)
      else entry.owner.onRequest(entry.leg, transaction)
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
      await Promise.all([survival.handOver(), help.stop()])
      for (const call of [...calls.values()]) call.hangUp('the edge stops')
      await parts.limits.close()
      // first the media: the last counts of those calls go into their records
      await given.media.close()
      await given.outbox.close()
      await survival.close()
    },
  }
}

/** A transfer has joined the call `id` with another one, under whose name it goes on. */
function joinedCall(calls: ReadonlyMap<string, LiveCall>, id: string): LiveCall | undefined {
  for (const call of calls.values()) if (call.legs.some((leg) => leg.madeIn?.callId === id)) return call
  return undefined
}

interface Refusal {
  readonly status: number
  readonly headers?: readonly (readonly [string, string])[]
}

const BUSY = { status: 503, headers: [['Retry-After', RETRY_AFTER]] } as const

function createFrontDoor(edge: Edge, parts: CallParts, calls: Map<string, LiveCall>) {
  const reception = createReception(parts, calls)
  const { siteOf, begin, refuse, untilDecided, start } = reception
  const askUrgently = createEmergencyDoor(parts, reception)
  const callback = createCallbackDoor(edge, parts.helpCalls)
  const comesInto = createReplacesDoor(parts, reception)
  let draining = false

  /** A PBX behind a trunk calls for help too, and a PSAP calls back: the router may say no, no limit does. */
  const spared = (request: SipRequest, dialled: string) =>
    soundsUrgent(edge.config(), dialled) || callback.maybe(request, dialled)

  const onInvite = (transaction: ServerTransaction, wire: Wire, peer: Peer): void => {
    const { request } = transaction
    const config = edge.config()
    const uri = parseUri(request.uri)
    const meant = meantBy(edge.bindings, uri)
    const dialled = meant?.name ?? nameIn(uri)
    const user = peer.kind === 'user' ? peer.user : undefined
    const site = peer.kind === 'trunk' ? undefined : peer.site
    const urgent = peer.kind === 'trunk' ? undefined : emergencyDialled(config, dialled, request.uri, { user, site })
    // RFC 5627 6.1: with `gr`, and no GRUU of ours
    if (meant === undefined && urgent === undefined) return void transaction.reply(404)
    const refusal = refuses(request, peer, dialled, urgent)
    if (refusal) return void transaction.reply(refusal.status, { headers: refusal.headers ?? [] })
    const offer = offered(request, urgent !== undefined)
    if (offer.kind === 'other') return void transaction.reply(415, { headers: [['Accept', SDP_TYPE]] })
    if (offer.kind === 'invalid')
      return void transaction.reply(488, { headers: [warning(config.domain, offer.reason)] })
    const timer = sessionTimer(request, config, urgent !== undefined)
    if (timer.kind === 'too-small') return void transaction.reply(422, { headers: timer.fields })
    const arrival = { transaction, wire, peer, request, dialled, offer, timer }
    // RFC 3891; a call for help is one whatever else it wants
    if (urgent === undefined && comesInto(arrival)) return
    const verdict =
      peer.kind === 'trunk' ? parts.stir.verify(request, peer.trunk, dialled, edge.clock.wall()) : undefined
    const unproven = refusalOf(verdict, (peer.kind === 'trunk' && config.trunks[peer.trunk]?.stir.verify) || null)
    if (unproven && !spared(request, dialled))
      return void transaction.reply(unproven.status, { reason: unproven.reason })
    const incoming = begin({ transaction, wire, peer, request, dialled, emergency: urgent !== undefined, offer, timer })
    incoming.leg.verstat = verdict?.verstat
    incoming.leg.attestation = verdict?.attestation
    const asked = urgent ? askUrgently(incoming, urgent) : ask(incoming, meant?.instance)
    asked.catch((error: unknown) => {
      edge.log.error({ call: incoming.id, err: error }, 'a call could not be set up')
      // it may have begun: its other legs, timers and ports go with it
      calls.get(incoming.id)?.hangUp('internal error')
      refuse(incoming, 500)
    })
  }

  const refuses = (
    request: SipRequest,
    peer: Peer,
    dialled: string,
    urgent: EmergencyDialled | undefined,
  ): Refusal | undefined => {
    // RFC 3261 16.3 step 3; a call for help is not stopped by it (location.md L1)
    if (maxForwards(request) === 0 && urgent === undefined) return { status: 483 }
    // edge.md E10: what comes back as we sent it out has gone in a circle (RFC 3261 16.3 step 4)
    if (parts.dialogs.has(legKey(callId(request), fromTag(request) ?? ''))) return { status: 482 }
    if (peer.kind === 'unknown' && urgent === undefined) return { status: 403 }
    if (urgent !== undefined || (peer.kind === 'trunk' && spared(request, dialled))) return undefined
    if (draining || calls.size >= edge.config().edge.calls) return BUSY
    return undefined
  }

  /** A call that comes in on a trunk takes a place of it; undefined: none is left, and the caller knows. */
  const admitted = async (incoming: Incoming, state: { gone: boolean }): Promise<boolean> => {
    const { peer, leg, offer, dialled, request } = incoming
    if (peer.kind !== 'trunk' || spared(request, dialled)) return true
    const kbps = peakKbps(offer.kind === 'sdp' ? offer.sdp : undefined)
    const admission = await parts.limits.admit(trunkNeeds(peer.trunk, undefined, kbps), false)
    if (admission.kind === 'refused') {
      const { why } = admission
      context.with(incoming.context, () => edge.log.info({ call: incoming.id, why }, 'no place for the call'))
      if (!state.gone) refuse(incoming, 503, [...BUSY.headers, warning(edge.config().domain, why)], why)
      return false
    }
    if (state.gone) admission.held.release()
    else leg.held = admission.held
    return !state.gone
  }

  /** `instance`: of this device of the user only, and nobody instead. */
  const ask = async (incoming: Incoming, instance: string | undefined): Promise<void> => {
    const state = untilDecided(incoming)
    if (incoming.peer.kind === 'trunk' && !(await admitted(incoming, state))) return
    const asked = await edge.bus.ask(
      ResolveRoute,
      routeQuestion({ ...incoming, wallMs: incoming.leg.startedWall }, siteOf, edge.revision()),
      {
        timeoutMs: ROUTE_MS,
        context: incoming.context,
      },
    )
    if (state.gone) return
    const decision = decided(asked)
    const back = callback.plan(incoming, decision)
    if (back !== undefined) {
      if (decision) identify(incoming, decision)
      return start(incoming, back)
    }
    if (decision === undefined) {
      edge.log.warn(
        { call: incoming.id, outcome: asked.kind, why: asked.kind === 'refused' ? asked.why : undefined },
        'no route decision',
      )
      return refuse(incoming, 503, [
        ['Retry-After', RETRY_AFTER],
        warning(edge.config().domain, 'Nobody decides where calls go'),
      ])
    }
    identify(incoming, decision)
    if (decision.kind === 'reject') {
      const { status, reason } = decision
      context.with(incoming.context, () => edge.log.info({ call: incoming.id, status, reason }, 'call rejected'))
      return refuse(incoming, decision.status, [warning(edge.config().domain, decision.reason)], decision.reason)
    }
    if (decision.emergency) {
      const seen = emergencyDialled(edge.config(), decision.dialled, '', decision.caller)
      const dialled = seen ?? { number: decision.dialled, test: decision.emergencyTest === true }
      return await askUrgently(incoming, dialled, decision)
    }
    // looked at only now: the router may know a call for help that the edge does not
    const misfit = misfitOf(edge.config(), incoming.offer, incoming.leg)
    if (misfit !== undefined) return refuse(incoming, 488, [warning(edge.config().domain, misfit)], misfit)
    start(incoming, {
      branches: branchesFor({ instance }, decision.branches),
      instance,
      shown: shownCaller(incoming, decision),
      callee: calleeOf(decision),
      costCentre: decision.caller.costCentre ?? decision.callee.costCentre,
      emergency: undefined,
    })
  }

  return {
    onInvite,
    neverRefused: (request: SipRequest) => callback.maybe(request, nameIn(parseUri(request.uri))),
    drain(on: boolean) {
      draining = on
    },
  }
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
