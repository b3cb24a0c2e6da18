/**
 * The target of a blind transfer is called (RFC 5589 6): the router is asked once, with the transferor's authority, and the
 * plan is walked as that of any call, with the transferee as its caller.
 */
import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { ResolveRoute, type RouteDecision } from '@tandem/contracts/routing.ts'
import { negotiatedCodec } from '@tandem/sdp/offer-answer.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { resumed } from '@tandem/sdp/resume.ts'
import { B2bCall } from './b2b-call.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallerSide } from './caller-side.ts'
import { emergencyDialled } from './emergency-number.ts'
import type { CallPlan } from './leg-launcher.ts'
import { branchesFor, type Meant, meantBy, nameIn } from './meant-device.ts'
import { offerTo } from './media-join.ts'
import type { Transfer } from './transfer.ts'
import { nameOfParty, numberAt, referredBy, transferQuestion } from './transfer-parties.ts'

/** The router is waited for, ms. */
const ROUTE_MS = 800
/** RFC 3261 8.1.1.6: a call of its own. */
const HOPS = 70

export function beginBlind(transfer: Transfer): void {
  const { reference, transferor, session, parts } = transfer.given
  const { uri, uriText } = reference
  const { edge } = parts
  const meant = meantBy(edge.bindings, uri)
  const dialled = meant?.name ?? nameIn(uri)
  const config = parts.config()
  const user = transferor.party.kind === 'user' ? transferor.party.user : undefined
  if (session.facts.emergency) return void call(transfer, dialled, undefined, samePsap(transfer, dialled))
  // docs/adr/0061: whoever is in an emergency dials it: nobody knows where a transferred caller is
  if (emergencyDialled(config, dialled, uriText, { user })) return void transfer.fail(403)
  if (meant === undefined) return void transfer.fail(404)
  const target = { dialled, uri: uriText }
  const question = transferQuestion(config, transfer.given, session.facts.callId, target, edge.clock.wall())
  edge.bus
    .ask(ResolveRoute, question, { timeoutMs: ROUTE_MS })
    .then((asked) => decided(transfer, meant, asked.kind === 'answer' ? asked.answer : undefined))
    .catch((error: unknown) => {
      edge.log.error({ call: session.facts.callId, err: error }, 'a transfer failed')
      transfer.fail(500)
    })
}

function decided(transfer: Transfer, meant: Meant, decision: RouteDecision | undefined): void {
  if (transfer.over) return
  const { transferor, session, parts } = transfer.given
  if (decision === undefined) return void transfer.fail(503)
  if (decision.kind === 'reject' || decision.emergency) {
    const status = decision.kind === 'reject' ? decision.status : 403
    const reason = decision.kind === 'reject' ? decision.reason : 'emergency number'
    parts.edge.log.info({ call: session.facts.callId, status, reason }, 'transfer refused')
    return void transfer.fail(status)
  }
  const { user, costCentre, site } = decision.callee
  call(transfer, meant.name, decision.normalised ?? decision.callee.number, {
    branches: branchesFor(meant, decision.branches),
    instance: meant.instance,
    shown: shown(transfer, decision.caller.display),
    callee: { user, costCentre, site },
    // who sends the call there pays for it
    costCentre: transferor.identity.costCentre ?? costCentre,
    emergency: undefined,
  })
}

function shown({ given }: Transfer, display: string | undefined): CallPlan['shown'] {
  const { session, transferee, parts } = given
  const config = parts.config()
  const user = transferee.party.kind === 'user' ? config.users[transferee.party.user] : undefined
  const withheld = user !== undefined && config.policies[user.policy]?.callerId === 'suppress'
  return {
    number: numberAt(config, session, transferee),
    display: display ?? user?.displayName,
    withheld: withheld || transferee.withheld,
  }
}

/**
 * docs/adr/0061: the PSAP sends its caller on over the trunk that carries the call; no policy stands in between. The place
 * goes along where this edge knows it: not in a call that another edge has begun.
 */
function samePsap({ given }: Transfer, dialled: string): CallPlan {
  const { transferor, session, emergency, parts } = given
  const { timers } = parts.config().emergency
  const trunk = transferor.party.kind === 'trunk' ? transferor.party.trunk : ''
  const { from: calling } = session.facts
  const attempt = {
    ...{ kind: 'trunk' as const, trunk, called: dialled, calling, retry: [] },
    ...{ noResponseMs: timers.noResponseMs, onlyTryingMs: timers.tryingOnlyMs },
  }
  return {
    branches: [{ role: 'callee', delayMs: 0, attempts: [attempt] }],
    shown: { number: calling, withheld: false },
    callee: {},
    costCentre: session.legs[0].identity.costCentre,
    emergency,
  }
}

function call(transfer: Transfer, dialled: string, to: string | undefined, plan: CallPlan): void {
  const { session, transferee, transferor, parts } = transfer.given
  const config = parts.config()
  const heard = transferee.heard === undefined ? undefined : parseSdp(transferee.heard)
  if (heard?.kind !== 'sdp') return void transfer.fail(488)
  const { callId, edge, emergency } = session.facts
  const span = parts.tracer.startSpan(
    'transfer',
    { kind: SpanKind.SERVER, attributes: { 'tandem.call': callId } },
    transferee.context ?? ROOT_CONTEXT,
  )
  const said = referredBy(config, transferor, numberAt(config, session, transferor))
  transfer.walk = new B2bCall({
    parts,
    facts: { callId, edge, from: numberAt(config, session, transferee), dialled, to, emergency },
    caller: waiting(transfer),
    plan,
    offer: { sdp: resumed(heard.sdp), text: transferee.heard ?? '' },
    maxForwards: HOPS,
    passed: said === undefined ? [] : [['Referred-By', said]],
    span,
    context: trace.setSpan(transferee.context ?? ROOT_CONTEXT, span),
    transfer: {
      by: nameOfParty(transferor.party),
      answered: (leg, answer) => answered(transfer, leg, answer),
      gone: (leg) => transfer.targetGone(leg),
      failed: (end) => transfer.fail(end.status),
    },
  })
  transfer.walk.begin()
}

/** The transferee: he is in a call, and what happens on the other side is told to whoever sent him there. */
function waiting(transfer: Transfer): CallerSide {
  const { transferee, subscription } = transfer.given
  return {
    leg: transferee,
    waiting: true,
    progress: (status) => {
      if (!transfer.over) subscription.progress(status)
    },
    whenSettled: (then) => then(),
    accept: () => true,
    refuse() {},
  }
}

function answered(transfer: Transfer, leg: CallLeg, sdp: Sdp): void {
  const { session, transferee } = transfer.given
  transfer.walk = undefined
  if (transfer.over) return void transfer.drop(leg, 487)
  transfer.joining = leg
  transfer.move(leg, resumed(sdp), (agreed) => {
    if (negotiatedCodec(agreed.sdp)?.name === leg.codec) return void transfer.joined(leg)
    // he talks in another codec now: the one who answered is told
    offerTo(session, leg, transferee, agreed.sdp, transfer.after, (outcome) => {
      if (outcome.kind === 'refused') transfer.fail(outcome.status)
      else transfer.joined(leg)
    })
  })
}
