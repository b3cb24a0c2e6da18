/**
 * A transfer that we carry out (RFC 5589, edge.md E7). The transferee stays in his call, with his leg and his record, and
 * gets another peer:
 *
 *   blind (blind-transfer.ts):        asked --plan--> calling --2xx--> joining --re-INVITE accepted--> done
 *   attended (attended-transfer.ts):  joining (both far ends get a re-INVITE) --> done
 *
 * Until `done` the old peer is kept: what fails leaves the call as it was, and the transferor hears the status that it
 * failed with (RFC 3515 2.4.5). A transferor who hangs up before is let go; then a failure ends the call. Nothing is waited
 * for longer than the subscription of the REFER lasts, but for a call for help, which rings until its caller gives up.
 */
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import type { Reference } from '@tandem/sip/message/refer.ts'
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import { beginAttended } from './attended-transfer.ts'
import type { B2bCall } from './b2b-call.ts'
import { beginBlind } from './blind-transfer.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts } from './call-parts.ts'
import type { RunningTransfer } from './call-session.ts'
import type { EmergencyRun } from './emergency-run.ts'
import { type Agreed, offerTo } from './media-join.ts'
import { type ReferSubscription, TRANSFER_MS } from './refer-subscription.ts'
import { nameOfParty, TRANSFERRED, type Transferring } from './transfer-parties.ts'

export interface TransferParts extends Transferring {
  readonly parts: CallParts
  readonly reference: Reference
  readonly subscription: ReferSubscription
  /** Of the emergency call that it is, where this edge has told its beginning. */
  readonly emergency: EmergencyRun | undefined
}

export class Transfer implements RunningTransfer {
  readonly given: TransferParts
  /** The target is being called. */
  walk: B2bCall | undefined
  /** Has answered, and is not in the call yet. */
  joining: CallLeg | undefined
  #bound: WheelTimer | undefined
  /** The transferee has been told where to talk to. */
  #moved = false
  #over = false

  constructor(parts: TransferParts) {
    this.given = parts
  }

  start(): void {
    const { session, reference, subscription } = this.given
    session.transfer = this
    subscription.progress(100)
    if (!session.facts.emergency) this.#bound = this.#timers.after(TRANSFER_MS, () => this.fail(408))
    if (reference.replaces) beginAttended(this, reference.replaces)
    else beginBlind(this)
  }

  get over(): boolean {
    return this.#over
  }

  hungUp(leg: CallLeg): boolean {
    const { session, transferor } = this.given
    if (leg !== transferor || this.#over) return false
    session.leave(transferor, { by: transferor.side, status: 200, reason: TRANSFERRED })
    return true
  }

  notified(): boolean {
    return false
  }

  /** The transferee has hung up, or an operator. */
  callOver(): void {
    if (!this.#finish()) return
    this.#stop(487)
    this.given.subscription.end(487)
  }

  /** The target has answered and hung up before it was in the call. */
  targetGone(leg: CallLeg): void {
    const { session } = this.given
    if (leg !== this.joining) return
    this.joining = undefined
    session.leave(leg, { by: leg.side, status: 200 })
    this.fail(480)
  }

  /** Puts the transferee on to `far`, who has said `sdp`; `done` when both still want it. */
  move(far: CallLeg, sdp: Sdp, done: (agreed: Agreed) => void): void {
    const { session, transferee } = this.given
    offerTo(session, transferee, far, sdp, this.after, (outcome) => {
      this.#moved = outcome.kind === 'agreed' || outcome.moved
      // it has failed meanwhile: whom he talks to now is not there
      if (this.#over && this.#moved) this.#back()
      else if (outcome.kind === 'refused') this.fail(outcome.status)
      else done(outcome)
    })
  }

  joined(leg: CallLeg): void {
    if (!this.#finish()) return
    this.joining = undefined
    const { session, transferee, transferor, subscription, parts } = this.given
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
    parts.edge.log.info(
      { call: session.facts.callId, by: nameOfParty(transferor.party), to: nameOfParty(leg.party), joined: leg.joined },
      'call transferred',
    )
  }

  fail(status: number): void {
    if (!this.#finish()) return
    const { session, transferor, transferee, subscription } = this.given
    this.#stop(status)
    session.transfer = undefined
    subscription.end(status)
    if (transferor.ended) return void session.end('tandem', { reason: `transfer failed: ${status}` })
    transferee.media.connect(transferor.media)
    if (this.#moved) this.#back()
  }

  readonly after = (ms: number, run: () => void): void => {
    this.#timers.after(ms, run)
  }

  get #timers() {
    return this.given.parts.edge.transactions.timers
  }

  /** False: it is over already. */
  #finish(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#timers.clear(this.#bound)
    return true
  }

  /** The transferee talks to the transferor again. */
  #back(): void {
    const { session, transferee, transferor } = this.given
    const heard = transferor.heard === undefined ? undefined : parseSdp(transferor.heard)
    if (session.over || transferor.ended || heard?.kind !== 'sdp') return
    offerTo(session, transferee, transferor, heard.sdp, this.after, () => {})
  }

  /** Nobody is called any more; whoever has answered has no call. */
  #stop(status: number): void {
    this.walk?.callerGone()
    this.walk = undefined
    const leg = this.joining
    this.joining = undefined
    if (leg !== undefined) this.drop(leg, status)
  }

  drop(leg: CallLeg, status: number): void {
    if (leg.ended) return
    this.given.session.sendBye(leg)
    this.given.session.leave(leg, { by: 'tandem', status, reason: 'transfer failed' })
  }
}
