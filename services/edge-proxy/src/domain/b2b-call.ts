/**
 * One call through the house: a leg to the caller, one to whoever answers, and the walk over the plan in between. Each
 * leg is a dialog of its own; what happens on one is told to the other here. After the answer call-session.ts has it, and
 * this is let go.
 *
 *   routed --begin--> walking --2xx--> up --BYE--> over
 *                        | `--all failed / caller's CANCEL--> over
 */
import type { RoutePlan } from '@tandem/contracts/routing.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { AttemptLaunch, type Run } from './attempt-launch.ts'
import { CallAnswer } from './call-answer.ts'
import { descriptionOf } from './call-body.ts'
import type { CallFacts, LegEnd } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import { callOver } from './call-over.ts'
import type { CallParts, LegOwner } from './call-parts.ts'
import type { CallSession } from './call-session.ts'
import type { CallerSide } from './caller-side.ts'
import { EarlyStage } from './early-stage.ts'
import { forgetLeg } from './leg-end.ts'
import { passReason } from './leg-headers.ts'
import type { CallSeed, LegEvents, OutLeg } from './leg-launcher.ts'
import { tuneLegs } from './leg-media.ts'
import { step } from './plan-walk.ts'
import { type Followed, Redirections } from './redirections.ts'
import { endOfCancelled, endOfFailed, givesUp, reasonOfCancel } from './walk-ends.ts'
import {
  type CancelReason,
  newWalk,
  type Walk,
  type WalkBranch,
  type WalkEffect,
  type WalkInput,
} from './walk-state.ts'
import { WalkTimers } from './walk-timers.ts'
import { statusForCaller } from './walk-verdict.ts'
import { warning } from './warning.ts'

export class B2bCall implements LegOwner, LegEvents {
  readonly id: string
  readonly facts: CallFacts
  readonly caller: CallerSide
  #seed: CallSeed
  readonly #parts: CallParts
  #launches: AttemptLaunch | undefined
  #walk: Walk
  #runs: Run[] = []
  readonly #timers: WalkTimers
  #state: 'walking' | 'up' | 'over' = 'walking'
  #session: CallSession | undefined
  #lastFailure: SipResponse | undefined
  /** The leg whose 2xx is being looked at. */
  #answering: OutLeg | undefined
  readonly #early: EarlyStage
  readonly #redirections: Redirections
  readonly #answer: CallAnswer
  readonly #ended: (end: LegEnd) => void

  constructor(seed: CallSeed) {
    this.#seed = seed
    this.#parts = seed.parts
    this.id = seed.facts.callId
    this.facts = seed.facts
    this.caller = seed.caller
    this.#ended = callOver({ ...seed, emergency: seed.plan.emergency })
    this.#timers = new WalkTimers(seed.parts.edge.transactions.timers)
    this.#launches = new AttemptLaunch({
      seed,
      owner: this,
      walking: () => this.#walk.kind === 'walking',
      launched: (attempt, legs, status, more = 0) =>
        this.#input({ kind: 'launched', attempt, legs, more, ...(status === undefined ? {} : { status }) }),
    })
    this.#early = new EarlyStage({
      parts: seed.parts,
      caller: seed.caller,
      lateOffer: seed.offer === undefined,
      open: () => this.#state === 'walking',
      tune: (leg, answer) => tuneLegs([leg, seed.caller.leg], answer),
      failed: (reason) => this.hangUp(reason),
    })
    this.#redirections = new Redirections({
      seed,
      silence: (attempt) => this.#timers.silence(attempt),
      followed: (where) => this.#redirected(where),
      placed: (out, plan) => this.#placed(out, plan),
      failed: (out, status, response) => this.#final(out, status, response, false),
    })
    this.#answer = new CallAnswer({
      seed,
      early: this.#early,
      open: () => this.#state === 'walking',
      up: (session) => {
        this.#state = 'up'
        this.#session = session
      },
      settled: (out) => this.#settle(out),
      unusable: (out, response) => this.#unusable(out, response),
      ended: this.#ended,
    })
    this.#walk = newWalk(seed.plan.branches, seed.plan.emergency !== undefined)
  }

  /** Once it is answered. */
  get session(): CallSession | undefined {
    return this.#session
  }

  get emergency(): CallSeed['plan']['emergency'] {
    return this.#seed.plan.emergency
  }

  get legs(): readonly CallLeg[] {
    if (this.#session) return this.#session.legs
    return [this.caller.leg, ...this.#runs.flatMap((run) => run.legs.map((l) => l.leg))].filter((leg) => !leg.ended)
  }

  begin(): void {
    const { leg } = this.caller
    // a placed call has told of its caller already
    if (leg.seq === 0) this.#parts.tell.started(this.facts, leg)
    this.#input({ kind: 'start' })
  }

  /** The caller's CANCEL, or his BYE before the answer. */
  callerGone(reason: readonly (readonly [string, string])[] = []): void {
    if (this.#state !== 'walking') return
    this.#reason = reason
    this.#input({ kind: 'cancel' })
    this.caller.refuse(487, [])
    this.#over({ by: 'caller', status: 487 })
  }

  #reason: readonly (readonly [string, string])[] = []

  /** An operator, a shutdown, a timer. */
  hangUp(reason: string): void {
    if (this.#session) return void this.#session.end('tandem', { reason })
    if (this.#state !== 'walking') return
    this.#input({ kind: 'cancel' })
    this.caller.refuse(503, [], reason)
    this.#over({ by: 'tandem', status: 503, reason })
  }

  onRequest(leg: CallLeg, transaction: ServerTransaction): void {
    if (this.#session) return void this.#session.onRequest(leg, transaction)
    const { method } = transaction.request
    if (this.#state === 'walking' && method === 'BYE' && leg === this.caller.leg) {
      // RFC 3261 15: the caller's UA may end an early dialog by BYE
      transaction.reply(200)
      return void this.callerGone(passReason(transaction.request))
    }
    if (this.#state === 'walking' && method === 'BYE' && leg === this.#answer.winner?.leg) {
      // picked up and hung up within the moment that the media engine takes
      transaction.reply(200)
      this.caller.refuse(480, [])
      return void this.#over({ by: 'callee', status: 480 })
    }
    if (this.#state === 'up' && method === 'BYE') {
      transaction.reply(200)
      return void this.#seed.transfer?.gone(leg)
    }
    if (this.#state === 'walking' && this.#early.onRequest(leg, this.#outOf(leg), transaction)) return
    // RFC 3261 14.2: an INVITE before the final response of the first: 500 with Retry-After; nothing else fits either
    transaction.reply(this.#state === 'over' ? 481 : 500, { headers: [['Retry-After', '2']] })
  }

  #outOf(leg: CallLeg): OutLeg | undefined {
    return this.#runs.flatMap((run) => run?.legs ?? []).find((out) => out.leg === leg)
  }

  onAck(leg: CallLeg, ack: SipRequest): void {
    this.#session?.onAck(leg, ack)
  }

  #input(input: WalkInput): void {
    const [walk, effects] = step(this.#walk, input)
    this.#walk = walk
    for (const effect of effects) this.#apply(effect)
  }

  #apply(effect: WalkEffect): void {
    switch (effect.kind) {
      case 'launch':
        return void this.#launch(effect)
      case 'cancel':
        return void this.#cancelLeg(effect.attempt, effect.leg, effect.why)
      case 'win':
        return void this.#win()
      case 'discard': {
        const out = this.#answering
        if (out?.answer) out.invite.discard(out.answer)
        if (out) this.#endLeg(out, { by: 'tandem', status: 487 })
        return
      }
      case 'set-timer':
        return void this.#timers.set(effect.timer, effect.attempt, effect.ms, () =>
          this.#input({ kind: 'timer', timer: effect.timer, attempt: effect.attempt }),
        )
      case 'clear-timers':
        return void this.#timers.silence(effect.attempt)
      case 'set-delay':
        return void this.#timers.delay(effect.branch, effect.ms, () =>
          this.#input({ kind: 'delay', branch: effect.branch }),
        )
      case 'attempt-failed':
        return void this.#attemptFailed(effect)
      case 'next-place': {
        const out = this.#runs[effect.attempt]?.legs[effect.leg]
        if (out) this.#redirections.next(out)
        return
      }
      case 'lose':
        return void this.#lose(effect.status)
    }
  }

  #launch(effect: WalkEffect & { kind: 'launch' }): void {
    const { attempt, what } = effect
    const run: Run = { what, role: this.#walk.plan[effect.branch]?.role ?? 'callee', legs: [] }
    this.#runs[attempt] = run
    this.#launches?.launch(run, effect)
  }

  provisional(out: OutLeg, response: SipResponse): void {
    const { leg, attempt } = out
    const since = this.#parts.edge.clock.now() - leg.startedMs
    leg.tryingMs ??= since
    if (response.status > 100) this.#rings(out, response, since)
    this.#input({ kind: 'provisional', attempt, leg: out.index, status: response.status })
  }

  #rings(out: OutLeg, response: SipResponse, since: number): void {
    const { leg } = out
    const first = leg.ringingMs === undefined
    leg.ringingMs ??= since
    if (this.#state !== 'walking' || leg.ended) return
    const early = descriptionOf(response).kind === 'sdp'
    if (first) this.#parts.tell.ringing(this.facts, leg, response.status, early)
    this.#callerRings(response.status, early)
    this.#early.rings(out, response)
  }

  #callerRings(status: number, early: boolean): void {
    const { leg } = this.caller
    if (leg.ringingMs !== undefined || leg.answeredAtMs !== undefined) return
    leg.ringingMs = this.#parts.edge.clock.now() - leg.startedMs
    this.#parts.tell.ringing(this.facts, leg, status, early)
  }

  answered(out: OutLeg, response: SipResponse): void {
    out.answer = response
    this.#answering = out
    this.#input({ kind: 'answered', attempt: out.attempt, leg: out.index })
    this.#answering = undefined
    this.#settle(out)
  }

  /** Who was cancelled knows it by now; the answered call needs none of them. */
  #settle(out: OutLeg): void {
    if (this.#state !== 'up' || this.#answering !== undefined) return
    this.#endOthers(out.leg)
    this.#runs = []
    this.#launches = undefined
    this.#seed = { ...this.#seed, offer: undefined, passed: [], plan: { ...this.#seed.plan, branches: [] } }
  }

  #win(): void {
    const out = this.#answering
    if (out?.answer === undefined) return
    this.#timers.clear()
    this.#answer.take(out, out.answer)
  }

  /** Answered, but not in a way that a call can come of: rare, and the callee's fault. */
  #unusable(out: OutLeg, response: SipResponse): void {
    out.invite.discard(response)
    this.#endLeg(out, { by: 'tandem', status: 488, reason: 'no usable description in the answer' })
    this.caller.refuse(502, [])
    this.#over({ by: 'callee', status: 502 })
  }

  failed(out: OutLeg, status: number, response: SipResponse | undefined, lost: boolean): void {
    if (this.#otherFlow(out, status, lost)) return
    const redirects = response !== undefined && this.#state === 'walking' && this.#redirections.takes(out, response)
    if (!redirects) this.#final(out, status, response, lost)
  }

  unreachable(out: OutLeg): void {
    this.#input({ kind: 'unreachable', attempt: out.attempt })
  }

  /** Where a 3xx leads takes the place of who said it. */
  #redirected({ out, status, reason, plan }: Followed): void {
    const { attempt } = out
    this.#input({ kind: 'redirected', attempt, leg: out.index, status, branches: this.#sentOn(out, plan) })
    this.#endLeg(out, { by: 'callee', status, reason })
  }

  #placed(out: OutLeg, plan: RoutePlan | undefined): void {
    const branches = plan === undefined ? [] : this.#sentOn(out, plan)
    this.#input({ kind: 'placed', attempt: out.attempt, leg: out.index, branches })
  }

  /** Whose phone sent the call on pays for where it goes. */
  #sentOn({ leg, attempt }: OutLeg, plan: RoutePlan): readonly WalkBranch[] {
    const role = leg.party.kind === 'user' ? 'forward' : (this.#runs[attempt]?.role ?? 'callee')
    return plan.branches.map((branch) => ({ ...branch, role }))
  }

  #final(out: OutLeg, status: number, response: SipResponse | undefined, lost: boolean): void {
    if (response) this.#lastFailure = response
    const end = out.pending ?? endOfFailed(status, response)
    this.#input({
      kind: 'final',
      attempt: out.attempt,
      leg: out.index,
      status,
      lost,
      told: this.#redirections.passed(status) !== undefined,
    })
    this.#endLeg(out, end)
  }

  /** The same device is rung on another of its flows, in the place of the one that failed. */
  #otherFlow(out: OutLeg, status: number, lost: boolean): boolean {
    const run = this.#runs[out.attempt]
    if (out.pending || this.#state !== 'walking' || run?.legs[out.index] !== out) return false
    const fresh = this.#launches?.otherFlow(out, run, status, lost)
    if (!fresh) return false
    run.legs[out.index] = fresh
    // its place on the links goes over to the new one
    out.leg.held = undefined
    this.#endLeg(out, { by: 'callee', status })
    fresh.invite.send()
    return true
  }

  #attemptFailed(effect: WalkEffect & { kind: 'attempt-failed' }): void {
    const run = this.#runs[effect.attempt]
    const next =
      effect.next === undefined ? undefined : effect.next.kind === 'trunk' ? effect.next.trunk : effect.next.user
    for (const out of run?.legs ?? []) {
      const { leg, pending } = out
      this.#parts.tell.attemptFailed(this.facts, leg, effect.status, effect.why, next)
      if (leg.party.kind === 'trunk') this.#seed.plan.emergency?.attempted(leg, 'failed', effect.status)
      // routing.md R4: in an emergency the first 2xx of any rung wins, also of one that was given up
      if (pending && !this.facts.emergency) this.#endLeg(out, pending)
    }
  }

  #cancelLeg(attempt: number, index: number, why: CancelReason): void {
    const out = this.#runs[attempt]?.legs[index]
    if (out === undefined) return
    out.invite.cancel(reasonOfCancel(why, this.#reason))
    const end = endOfCancelled(why)
    // its record follows the failed attempt
    if (givesUp(why)) out.pending = end
    else this.#endLeg(out, end)
  }

  #lose(status: number): void {
    const reason = this.#lastFailure === undefined ? [] : passReason(this.#lastFailure)
    const passed = this.#redirections.passed(status)
    const headers = passed ?? reason
    const shown = passed ? status : statusForCaller(status)
    const full = this.#launches?.full
    if (shown === 503 && full !== undefined) {
      this.caller.refuse(shown, [...headers, warning(this.#parts.config().domain, full)])
      return void this.#over({ by: 'tandem', status: shown, reason: full })
    }
    this.caller.refuse(shown, headers)
    this.#over({ by: 'callee', status: shown })
  }

  /** Over without an answer. */
  #over(end: LegEnd): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#timers.clear()
    this.#endOthers(undefined)
    if (this.#seed.transfer) {
      this.#seed.span.end()
      return void this.#seed.transfer.failed(end)
    }
    const { leg } = this.caller
    this.#parts.tell.ended(this.facts, leg, end)
    this.#forget(leg, end.status)
    this.#ended(end)
  }

  #endOthers(winner: CallLeg | undefined): void {
    for (const out of this.#runs.flatMap((run) => run?.legs ?? [])) {
      if (out.leg !== winner) this.#endLeg(out, out.pending ?? { by: 'tandem', status: 487 })
    }
  }

  #endLeg(out: OutLeg, end: LegEnd): void {
    const { leg } = out
    if (leg.ended) return
    this.#parts.tell.ended(this.facts, leg, end)
    this.#forget(leg, end.status)
  }

  #forget(leg: CallLeg, status: number): void {
    forgetLeg(this.#parts, leg, status)
  }
}
