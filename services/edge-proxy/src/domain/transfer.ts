/**
 * A transfer that we carry out (RFC 5589, edge.md E7). The transferee stays in his call, with his leg and his record, and
 * gets another peer:
 *
 *   blind:     asked --plan--> calling --2xx--> joining --re-INVITE accepted--> done
 *   attended:  joining (both far ends get a re-INVITE) --> done
 *
 * Until `done` the old peer is kept: what fails leaves the call as it was. A transferor who hangs up before is let go; then
 * a failure ends the call.
 */
import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { ResolveRoute, type RouteDecision } from '@tandem/contracts/routing.ts'
import { negotiatedCodec } from '@tandem/sdp/offer-answer.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { resumed } from '@tandem/sdp/resume.ts'
import type { Reference } from '@tandem/sip/message/refer.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'
import { B2bCall } from './b2b-call.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts, DialogEntry } from './call-parts.ts'
import { CallSession, type RunningTransfer } from './call-session.ts'
import type { CallerSide } from './caller-side.ts'
import { emergencyDialled } from './emergency-number.ts'
import type { EmergencyRun } from './emergency-run.ts'
import type { CallPlan } from './leg-launcher.ts'
import { offerTo } from './media-join.ts'
import type { ReferSubscription } from './refer-subscription.ts'
import {
  legToReplace,
  nameOfParty,
  numberAt,
  referredBy,
  samePeer,
  type Transferring,
  transferQuestion,
} from './transfer-parties.ts'

const TRANSFERRED = 'transferred'
/** The router is waited for, ms. */
const ROUTE_MS = 800
/** RFC 3261 8.1.1.6: a call of its own. */
const HOPS = 70

export interface TransferParts extends Transferring {
  readonly parts: CallParts
  readonly reference: Reference
  readonly subscription: ReferSubscription
  /** Of the emergency call that it is, if it is one. */
  readonly emergency: EmergencyRun | undefined
}

export class Transfer implements RunningTransfer {
  readonly #p: TransferParts
  readonly #parts: CallParts
  #walk: B2bCall | undefined
  #joining: CallLeg | undefined
  /** The transferee has been told where to talk to. */
  #moved = false
  #over = false

  constructor(parts: TransferParts) {
    this.#p = parts
    this.#parts = parts.parts
  }

  start(): void {
    const { session, reference, subscription } = this.#p
    session.transfer = this
    subscription.progress(100)
    if (reference.replaces) this.#attended()
    else this.#blind()
  }

  hungUp(leg: CallLeg): boolean {
    const { session, transferor } = this.#p
    if (leg !== transferor || this.#over) return false
    session.leave(transferor, { by: transferor.side, status: 200, reason: TRANSFERRED })
    return true
  }

  notified(): boolean {
    return false
  }

  /** The transferee has hung up, or an operator. */
  callOver(): void {
    if (this.#over) return
    this.#over = true
    this.#walk?.callerGone()
    this.#drop(487)
    this.#p.subscription.end(487)
  }

  readonly #after = (ms: number, run: () => void): void => {
    this.#parts.edge.transactions.timers.after(ms, run)
  }

  // ---- blind

  #blind(): void {
    const { uri } = this.#p.reference
    const dialled = unescapeUser(uri.user ?? '')
    const { transferor, session, emergency } = this.#p
    const config = this.#parts.config()
    const user = transferor.party.kind === 'user' ? transferor.party.user : undefined
    if (emergency) return void this.#call(dialled, undefined, this.#samePsap(dialled))
    // docs/adr/0061: whoever is in an emergency dials it: nobody knows where a transferred caller is
    if (emergencyDialled(config, dialled, this.#p.reference.uriText, { user })) return void this.#fail(403)
    const target = { dialled, uri: this.#p.reference.uriText }
    const question = transferQuestion(config, this.#p, session.facts.callId, target, this.#parts.edge.clock.wall())
    this.#parts.edge.bus
      .ask(ResolveRoute, question, { timeoutMs: ROUTE_MS })
      .then((asked) => this.#decided(dialled, asked.kind === 'answer' ? asked.answer : undefined))
      .catch((error: unknown) => {
        this.#parts.edge.log.error({ call: session.facts.callId, err: error }, 'a transfer failed')
        this.#fail(500)
      })
  }

  #decided(dialled: string, decision: RouteDecision | undefined): void {
    if (this.#over) return
    if (decision === undefined) return void this.#fail(503)
    if (decision.kind === 'reject' || decision.emergency) {
      const status = decision.kind === 'reject' ? decision.status : 403
      const reason = decision.kind === 'reject' ? decision.reason : 'emergency number'
      this.#parts.edge.log.info({ call: this.#p.session.facts.callId, status, reason }, 'transfer refused')
      return void this.#fail(status)
    }
    const { user, costCentre, site } = decision.callee
    const { transferor } = this.#p
    this.#call(dialled, decision.normalised ?? decision.callee.number, {
      branches: decision.branches,
      shown: this.#shown(decision.caller.display),
      callee: { user, costCentre, site },
      // who sends the call there pays for it
      costCentre: transferor.identity.costCentre ?? costCentre,
      emergency: undefined,
    })
  }

  #shown(display: string | undefined): CallPlan['shown'] {
    const { session, transferee } = this.#p
    const config = this.#parts.config()
    const user = transferee.party.kind === 'user' ? config.users[transferee.party.user] : undefined
    const withheld = user !== undefined && config.policies[user.policy]?.callerId === 'suppress'
    return {
      number: numberAt(config, session, transferee),
      display: display ?? user?.displayName,
      withheld: withheld || transferee.withheld,
    }
  }

  /** docs/adr/0061: the PSAP sends its caller on over the trunk that carries the call; no policy stands in between. */
  #samePsap(dialled: string): CallPlan {
    const { transferor, session, emergency } = this.#p
    const { timers } = this.#parts.config().emergency
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

  #call(dialled: string, to: string | undefined, plan: CallPlan): void {
    const { session, transferee, transferor } = this.#p
    const config = this.#parts.config()
    const heard = transferee.heard === undefined ? undefined : parseSdp(transferee.heard)
    if (heard?.kind !== 'sdp') return void this.#fail(488)
    const by = nameOfParty(transferor.party)
    const { callId, edge, emergency } = session.facts
    const span = this.#parts.tracer.startSpan(
      'transfer',
      { kind: SpanKind.SERVER, attributes: { 'tandem.call': callId } },
      transferee.context ?? ROOT_CONTEXT,
    )
    const said = referredBy(config, transferor, numberAt(config, session, transferor))
    const sdp = resumed(heard.sdp)
    const from = numberAt(config, session, transferee)
    this.#walk = new B2bCall({
      parts: this.#parts,
      facts: { callId, edge, from, dialled, to, emergency },
      caller: this.#waiting(),
      plan,
      offer: { sdp, text: transferee.heard ?? '' },
      maxForwards: HOPS,
      passed: said === undefined ? [] : [['Referred-By', said]],
      span,
      context: trace.setSpan(transferee.context ?? ROOT_CONTEXT, span),
      transfer: {
        by,
        answered: (leg, answer) => this.#answered(leg, answer),
        failed: (end) => this.#fail(end.status),
      },
    })
    this.#walk.begin()
  }

  /** The transferee: he is in a call, and what happens on the other side is told to whoever sent him there. */
  #waiting(): CallerSide {
    const { transferee, subscription } = this.#p
    return {
      leg: transferee,
      waiting: true,
      progress: (status) => {
        if (!this.#over) subscription.progress(status)
      },
      whenSettled: (then) => then(),
      accept: () => true,
      refuse() {},
    }
  }

  #answered(leg: CallLeg, sdp: Sdp): void {
    const { session, transferee } = this.#p
    this.#walk = undefined
    this.#joining = leg
    if (this.#over) return void this.#drop(487)
    offerTo(session, transferee, leg, resumed(sdp), this.#after, (answer) => {
      if (answer === undefined) return void this.#fail(488)
      this.#moved = true
      if (negotiatedCodec(answer.sdp)?.name === leg.codec) return this.#joined(leg)
      // he talks in another codec now: the one who answered is told
      offerTo(session, leg, transferee, answer.sdp, this.#after, (agreed) => {
        if (agreed === undefined) this.#fail(488)
        else this.#joined(leg)
      })
    })
  }

  // ---- attended

  #attended(): void {
    const { reference, transferor, session } = this.#p
    const { replaces } = reference
    const found = replaces && legToReplace(this.#parts.dialogs, replaces, true)
    // RFC 3891 3: only a dialog of the same party is his to give away; of others he is not even told that they exist
    if (found === undefined || found.leg === transferor || !samePeer(found.leg.party, transferor.party))
      return void this.#fail(481)
    const other = sessionOf(found)
    if (other === undefined) return void this.#halfWay(found)
    // docs/adr/0061: nobody is put into an emergency call in place of the one who made it
    if (other.facts.emergency || session.facts.emergency) return void this.#fail(603)
    if (other === session || other.over || other.transfer) return void this.#fail(481)
    const target = other.other(found.leg)
    const heard = target.heard === undefined ? undefined : parseSdp(target.heard)
    if (heard?.kind !== 'sdp' || target.ended) return void this.#fail(488)
    this.#meet(other, found.leg, target, resumed(heard.sdp))
  }

  /** RFC 5589 7.3: the consultation still rings: its call ends, and the transfer is a blind one to the same target. */
  #halfWay({ leg, owner }: DialogEntry): void {
    if (leg.role !== 'caller' || !(owner instanceof B2bCall) || owner.facts.emergency) return void this.#fail(481)
    owner.hangUp(TRANSFERRED)
    this.#blind()
  }

  #meet(other: CallSession, consulting: CallLeg, target: CallLeg, sdp: Sdp): void {
    const { session, transferee, transferor } = this.#p
    offerTo(session, transferee, target, sdp, this.#after, (answer) => {
      if (answer === undefined) return void this.#fail(488)
      this.#moved = true
      offerTo(other, target, transferee, answer.sdp, this.#after, (agreed) => {
        if (this.#over) return
        if (agreed === undefined || other.over) return void this.#fail(488)
        const [one, two] = [session.facts.callId, other.facts.callId]
        target.madeIn = other.factsOf(target)
        for (const leg of [transferee, transferor]) leg.joined = two
        for (const leg of [target, consulting]) leg.joined = one
        for (const leg of [transferee, target]) leg.referredBy = nameOfParty(transferor.party)
        other.sendBye(consulting)
        other.leave(consulting, { by: 'tandem', status: 200, reason: TRANSFERRED })
        other.dissolve()
        this.#tune(answer.sdp, target)
        this.#joined(target)
      })
    })
  }

  #tune(answer: Sdp, target: CallLeg): void {
    const codec = negotiatedCodec(answer)
    if (codec === undefined) return
    for (const leg of [this.#p.transferee, target]) {
      leg.codec = codec.name
      leg.media.tune(codec.clock)
    }
  }

  // ---- how it ends

  #joined(leg: CallLeg): void {
    if (this.#over) return
    this.#over = true
    this.#joining = undefined
    const { session, transferee, transferor, subscription } = this.#p
    transferee.referredBy = nameOfParty(transferor.party)
    transferee.media.connect(leg.media)
    session.replace(transferor, leg)
    session.transfer = undefined
    const gone = transferor.ended
    session.leave(transferor, { by: 'tandem', status: 200, reason: TRANSFERRED })
    // RFC 5589 7.1: he hears that it worked, then his call ends
    subscription.end(200, () => {
      if (!gone) session.sendBye(transferor)
    })
    this.#parts.edge.log.info(
      { call: session.facts.callId, by: nameOfParty(transferor.party), to: nameOfParty(leg.party), joined: leg.joined },
      'call transferred',
    )
  }

  #fail(status: number): void {
    if (this.#over) return
    this.#over = true
    const { session, transferee, transferor, subscription } = this.#p
    this.#drop(status)
    session.transfer = undefined
    subscription.end(status)
    if (transferor.ended) return void session.end('tandem', { reason: `transfer failed: ${status}` })
    transferee.media.connect(transferor.media)
    const back = this.#moved && transferor.heard !== undefined ? parseSdp(transferor.heard) : undefined
    if (back?.kind === 'sdp') offerTo(session, transferee, transferor, back.sdp, this.#after, () => {})
  }

  /** Somebody answered for whom there is no call any more. */
  #drop(status: number): void {
    const leg = this.#joining
    this.#joining = undefined
    if (leg === undefined || leg.ended) return
    this.#p.session.sendBye(leg)
    this.#p.session.leave(leg, { by: 'tandem', status, reason: 'transfer failed' })
  }
}

/** The answered call that an entry belongs to. */
export function sessionOf({ owner }: DialogEntry): CallSession | undefined {
  if (owner instanceof CallSession) return owner
  return owner instanceof B2bCall ? owner.session : undefined
}
