/**
 * One call through the house: a leg to the caller, one to whoever answers, and the walk over the plan in between. Each
 * leg is a dialog of its own; what happens on one is told to the other here. After the answer session.ts has it.
 *
 *   routed --begin--> walking --2xx--> up --BYE--> over
 *                        | `--all failed / caller's CANCEL--> over
 */
import { context, SpanStatusCode } from '@opentelemetry/api'
import type { Attempt, Branch, TrunkAttempt, UserAttempt } from '@tandem/contracts/routing.ts'
import { negotiatedCodec } from '@tandem/sdp/offer-answer.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { agreedAsUac } from '@tandem/sip/dialog/session-timer.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { TrunkPath } from '../edge.ts'
import { byPreference } from './binding-targets.ts'
import { type Admission, FREE, phoneNeeds, sharedAmong, trunkNeeds } from './call-admission.ts'
import { descriptionOf } from './call-body.ts'
import { causeOfReason } from './call-cause.ts'
import type { CallFacts, LegEnd } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts, LegOwner } from './call-parts.ts'
import { CallSession } from './call-session.ts'
import type { CallerSide } from './caller-side.ts'
import { EarlyStage } from './early-stage.ts'
import type { Held, Need } from './ledger.ts'
import { forgetLeg } from './leg-end.ts'
import { passReason, passResponse } from './leg-headers.ts'
import { type CallSeed, type LegEvents, LegLauncher, type OutLeg } from './leg-launcher.ts'
import { step } from './plan-walk.ts'
import { type Followed, Redirections } from './redirections.ts'
import { type CancelReason, newWalk, type Walk, type WalkEffect, type WalkInput, type WalkTimer } from './walk-state.ts'
import { warning } from './warning.ts'
import { agreedKbps, peakKbps } from './wire-rate.ts'

interface Run {
  readonly what: Attempt
  readonly role: Branch['role']
  readonly legs: OutLeg[]
}

export class B2bCall implements LegOwner, LegEvents {
  readonly id: string
  readonly facts: CallFacts
  readonly caller: CallerSide
  #seed: CallSeed
  readonly #parts: CallParts
  #launcher: LegLauncher | undefined
  #walk: Walk
  #runs: Run[] = []
  #timers = new Map<string, WheelTimer>()
  #state: 'walking' | 'up' | 'over' = 'walking'
  #session: CallSession | undefined
  #forks = 0
  #lastFailure: SipResponse | undefined
  /** Which trunk or link had no place left. */
  #full: string | undefined
  /** The leg whose 2xx is being looked at. */
  #answering: OutLeg | undefined
  /** Has answered; the media engine is asked what the caller is told. */
  #winner: OutLeg | undefined
  readonly #early: EarlyStage
  readonly #redirections: Redirections

  constructor(seed: CallSeed) {
    this.#seed = seed
    this.#parts = seed.parts
    this.id = seed.facts.callId
    this.facts = seed.facts
    this.caller = seed.caller
    this.#launcher = new LegLauncher(seed, this)
    this.#early = new EarlyStage({
      parts: seed.parts,
      caller: seed.caller,
      lateOffer: seed.offer === undefined,
      open: () => this.#state === 'walking',
      tune: (leg, answer) => this.#tune(leg, answer),
      failed: (reason) => this.hangUp(reason),
    })
    this.#redirections = new Redirections({
      seed,
      silence: (attempt) => this.#silence(attempt),
      followed: (where) => this.#redirected(where),
      failed: (out, status, response) => this.#final(out, status, response, false),
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
    if (this.#state === 'walking' && method === 'BYE' && leg === this.#winner?.leg) {
      // picked up and hung up within the moment that the media engine takes
      transaction.reply(200)
      this.caller.refuse(480, [])
      return void this.#over({ by: 'callee', status: 480 })
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
        return void this.#win(this.#answering as OutLeg)
      case 'discard': {
        const out = this.#answering
        if (out?.answer) out.invite.discard(out.answer)
        if (out) this.#endLeg(out, { by: 'tandem', status: 487 })
        return
      }
      case 'set-timer':
        return void this.#setTimer(effect.timer, effect.attempt, effect.ms)
      case 'clear-timers':
        return void this.#silence(effect.attempt)
      case 'set-delay':
        this.#timers.set(
          `delay ${effect.branch}`,
          this.#wheel.after(effect.ms, () => this.#input({ kind: 'delay', branch: effect.branch })),
        )
        return
      case 'attempt-failed':
        return void this.#attemptFailed(effect)
      case 'lose':
        return void this.#lose(effect.status)
    }
  }

  get #wheel() {
    return this.#parts.edge.transactions.timers
  }

  #setTimer(timer: WalkTimer, attempt: number, ms: number): void {
    this.#timers.set(
      `${timer} ${attempt}`,
      this.#wheel.after(ms, () => this.#input({ kind: 'timer', timer, attempt })),
    )
  }

  #silence(attempt: number): void {
    for (const timer of WALK_TIMERS) this.#clearTimer(`${timer} ${attempt}`)
  }

  #clearTimer(key: string): void {
    const timer = this.#timers.get(key)
    if (timer === undefined) return
    this.#wheel.clear(timer)
    this.#timers.delete(key)
  }

  #launch(effect: WalkEffect & { kind: 'launch' }): void {
    const { attempt, what } = effect
    const run: Run = { what, role: this.#seed.plan.branches[effect.branch]?.role ?? 'callee', legs: [] }
    this.#runs[attempt] = run
    if (what.kind === 'user') return void this.#launchUser(attempt, run, what, effect)
    this.#parts.edge.trunks
      .paths(what.trunk, this.id, this.facts.emergency)
      .then(
        (paths) => this.#launchTrunk(attempt, run, what, paths, effect),
        (error: unknown) => {
          this.#parts.edge.log.warn({ trunk: what.trunk, why: String(error) }, 'no way to the trunk')
          this.#launched(attempt, 0, 503)
        },
      )
      .catch((error: unknown) => {
        // without an INVITE no timer would ever take the call further
        this.#parts.edge.log.error({ call: this.id, trunk: what.trunk, err: error }, 'an INVITE could not be made')
        this.#launched(attempt, 0, 503)
      })
  }

  #launched(attempt: number, legs: number, status?: number, more = 0): void {
    this.#input({ kind: 'launched', attempt, legs, more, ...(status === undefined ? {} : { status }) })
  }

  /** routing.md R8: so many INVITEs, and no more, may come of one; never of a call for help. */
  #mayFork(): boolean {
    this.#forks++
    return this.facts.emergency || this.#forks <= this.#parts.config().edge.forks
  }

  #launchUser(attempt: number, run: Run, what: UserAttempt, { number, path }: WalkEffect & { kind: 'launch' }): void {
    const levels = byPreference(this.#parts.edge.bindings.of(what.user, this.#seed.plan.instance))
    const more = Math.max(levels.length - path - 1, 0)
    const phones = (levels[path] ?? []).flatMap((binding) => {
      const wire = binding.wire()
      return wire === undefined || !this.#mayFork() ? [] : [{ binding, wire }]
    })
    const sites = phones.map(({ binding }) => binding.site ?? this.#parts.config().users[what.user]?.site)
    this.#admitted(attempt, phoneNeeds(this.caller.leg.identity.site, sites, this.#kbps), (admitted) => {
      const held = sharedAmong(admitted, phones.length)
      for (const { binding, wire } of phones) {
        const place = { attempt, index: run.legs.length, role: run.role, number, held }
        const out = this.#launcher?.toContact(place, what, binding, wire)
        if (out) run.legs.push(out)
      }
      this.#launched(attempt, run.legs.length, 480, more)
      this.#sendAll(run)
    })
  }

  #launchTrunk(
    attempt: number,
    run: Run,
    what: TrunkAttempt,
    paths: readonly TrunkPath[],
    effect: WalkEffect & { kind: 'launch' },
  ): void {
    if (this.#walk.kind !== 'walking') return void this.#launched(attempt, 0)
    // RFC 5393 5: 440, Max-Breadth Exceeded
    if (!this.#mayFork()) return void this.#launched(attempt, 0, 440)
    const path = paths[effect.path]
    if (path === undefined) return void this.#launched(attempt, 0, 503)
    this.#admitted(attempt, trunkNeeds(what.trunk, this.caller.leg.identity.site, this.#kbps), (held) => {
      this.#parts.edge.trunks.callStarted(what.trunk)
      const place = { attempt, index: 0, role: run.role, number: effect.number, held }
      const out = this.#launcher?.toTrunk(place, what, path)
      if (out) run.legs.push(out)
      this.#launched(attempt, run.legs.length, this.#launcher?.why ?? 503, paths.length - effect.path - 1)
      this.#sendAll(run)
    })
  }

  /** What the offer could take at most; the answer says what it takes. */
  get #kbps(): number {
    return peakKbps(this.#seed.offer?.sdp)
  }

  /** The attempt goes on with its places, at once or when another edge has given some back; or it has failed. */
  #admitted(attempt: number, needs: readonly Need[], go: (held: Held) => void): void {
    const decided = (admission: Admission): void => {
      if (admission.kind === 'refused') {
        this.#full = admission.why
        this.#parts.edge.log.info({ call: this.id, why: admission.why }, 'no place for the call')
        return void this.#launched(attempt, 0, 503)
      }
      // the caller has gone, or somebody answered, while it waited
      if (this.#walk.kind === 'walking') return void go(admission.held)
      admission.held.release()
      this.#launched(attempt, 0)
    }
    const admission = this.#parts.limits.admit(needs, this.facts.emergency)
    if (!(admission instanceof Promise)) return void decided(admission)
    admission.then(decided).catch((error: unknown) => {
      this.#parts.edge.log.error({ call: this.id, err: error }, 'an INVITE could not be made')
      this.#launched(attempt, 0, 503)
    })
  }

  #sendAll(run: Run): void {
    for (const { invite } of run.legs) invite.send()
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
    this.#launcher = undefined
    this.#seed = { ...this.#seed, offer: undefined, passed: [], plan: { ...this.#seed.plan, branches: [] } }
  }

  #win(out: OutLeg): void {
    const response = out.answer as SipResponse
    const { leg } = out
    out.pending = undefined
    const now = this.#parts.edge.clock.now()
    leg.setupMs = now - leg.startedMs
    leg.ringingMs ??= leg.setupMs
    leg.tryingMs ??= leg.setupMs
    this.#clearAllTimers()
    const { described, agreed, told } = this.#early.outcome(out, response)
    if (leg.dialog === undefined || described.kind !== 'sdp') return void this.#unusable(out, response)
    leg.heard = described.text
    this.#winner = out
    const answer = (mine: string | undefined): void => {
      // he gave up, or was told to, while the media engine was asked: nobody is left to talk to
      if (this.#state !== 'walking' || !this.caller.waiting) return void out.invite.discard(response)
      if (mine === undefined) return void this.#unusable(out, response)
      this.#answerCaller(out, response, described.sdp, mine, agreed)
      this.#settle(out)
    }
    const theirs = this.caller.leg.media
    this.caller.whenSettled(() => {
      if (told || !this.caller.waiting) answer(this.caller.leg.said)
      else if (this.#seed.offer === undefined && !agreed) leg.media.offer(described.sdp, leg.peer, theirs, answer)
      else leg.media.answer(described.sdp, leg.peer, theirs, answer)
    })
  }

  #answerCaller(out: OutLeg, response: SipResponse, sdp: Sdp, mine: string, agreed: boolean): void {
    if (this.#seed.transfer) return void this.#transferred(out, response, sdp)
    const { leg } = out
    const { edge, tell } = this.#parts
    // RFC 3262 5: an offer that was answered in a PRACK is not answered again
    const lateOffer = this.#seed.offer === undefined && !agreed
    leg.media.connect(this.caller.leg.media)
    this.#tune(leg, sdp)
    const now = edge.clock.now()
    const invite = out.invite.request
    if (invite) leg.session = agreedAsUac(invite, response)
    this.#answeredAt(leg, now)
    const session = new CallSession(this.#parts, this.facts, this.caller.leg, leg, (end) => this.#ended(end))
    const accepted = this.caller.accept(mine, passResponse(response), () => session.noAck(this.caller.leg))
    if (!accepted) return void this.#unusable(out, response)
    const callerLeg = this.caller.leg
    const waited = callerLeg.answeredAtMs === undefined
    if (waited) {
      callerLeg.setupMs = now - callerLeg.startedMs
      callerLeg.ringingMs ??= callerLeg.setupMs
      this.#answeredAt(callerLeg, now)
    }
    this.#state = 'up'
    this.#session = session
    // RFC 3261 13.2.2.4: without a late offer the ACK is due now; with one it carries the caller's answer
    if (lateOffer) callerLeg.onAck = (body) => this.#lateAnswer(out, body)
    else out.invite.ack()
    tell.answered(this.facts, leg)
    if (waited) tell.answered(this.facts, callerLeg)
    this.#seed.plan.emergency?.answered(leg)
    session.begin()
  }

  /** Whoever is transferred has somebody to talk to: his own call takes it from here. */
  #transferred(out: OutLeg, response: SipResponse, sdp: Sdp): void {
    const { leg, invite } = out
    if (invite.request) leg.session = agreedAsUac(invite.request, response)
    this.#answeredAt(leg, this.#parts.edge.clock.now())
    this.#tune(leg, sdp)
    this.#state = 'up'
    invite.ack()
    this.#parts.tell.answered(this.facts, leg)
    this.#seed.plan.emergency?.answered(leg)
    this.#seed.span.end()
    this.#seed.transfer?.answered(leg, sdp)
  }

  #lateAnswer(out: OutLeg, body: string | undefined): void {
    const parsed = body === undefined ? undefined : parseSdp(body)
    if (parsed?.kind !== 'sdp') {
      out.invite.ack()
      this.#session?.end('tandem', { reason: 'no answer in the ACK' })
      return
    }
    const callerLeg = this.caller.leg
    callerLeg.heard = body
    callerLeg.media.answer(parsed.sdp, callerLeg.peer, out.leg.media, (text) => {
      out.leg.said = text
      this.#tune(out.leg, parsed.sdp)
      out.invite.ack(text)
    })
  }

  #answeredAt(leg: CallLeg, now: number): void {
    leg.answeredAtMs = now
    leg.span?.addEvent('answered')
  }

  /** The codec both legs talk: it is relayed, never changed. */
  #tune(leg: CallLeg, answer: Sdp): void {
    const codec = negotiatedCodec(answer)
    if (codec === undefined) return
    for (const each of [leg, this.caller.leg]) {
      each.held?.adjust(agreedKbps(answer))
      each.codec = codec.name
      each.media.tune(codec.clock)
    }
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

  /** Where a 3xx leads takes the place of who said it. */
  #redirected({ out, status, reason, plan }: Followed): void {
    const { leg, attempt } = out
    // whose phone sent the call on pays for where it goes
    const role = leg.party.kind === 'user' ? 'forward' : (this.#runs[attempt]?.role ?? 'callee')
    const branches = plan.branches.map((branch) => ({ ...branch, role }))
    const before = this.#seed.plan
    this.#seed = { ...this.#seed, plan: { ...before, branches: [...before.branches, ...branches] } }
    this.#input({ kind: 'redirected', attempt, leg: out.index, status, branches })
    this.#endLeg(out, { by: 'callee', status, reason })
  }

  #final(out: OutLeg, status: number, response: SipResponse | undefined, lost: boolean): void {
    if (response) this.#lastFailure = response
    const pending = out.pending
    const end: LegEnd = pending ?? {
      by: 'callee',
      status,
      q850: response && causeOfReason(response.headers.getAll('reason')),
      reason: response?.reason,
    }
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

  /** RFC 5626 7: after 430 or 408, and after no other word, the same device is rung on another of its flows. */
  #otherFlow(out: OutLeg, status: number, lost: boolean): boolean {
    const { binding, pending, attempt, index, leg } = out
    const run = this.#runs[attempt]
    if (!binding || pending || this.#state !== 'walking' || run?.legs[index] !== out) return false
    const next = status === 430 || status === 408 || lost ? binding.other() : undefined
    if (status === 430) this.#parts.edge.bindings.flowFailed(binding)
    const wire = next?.wire()
    const place = { attempt, index, role: run.role, number: leg.attempt, held: leg.held ?? FREE.held }
    const fresh = next && wire && run.what.kind === 'user' && this.#launcher?.toContact(place, run.what, next, wire)
    if (!fresh) return false
    run.legs[index] = fresh
    // its place on the links goes over to the new one
    leg.held = undefined
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
    // RFC 3326 3.1: a phone shows no missed call when another one was answered
    const reason: readonly (readonly [string, string])[] =
      why === 'answered-elsewhere'
        ? [['Reason', 'SIP;cause=200;text="Call completed elsewhere"']]
        : why === 'caller-gone'
          ? this.#reason
          : []
    out.invite.cancel(reason)
    const end: LegEnd = {
      by: why === 'caller-gone' ? 'caller' : 'tandem',
      status: why === 'no-response' || why === 'only-trying' ? 408 : 487,
      reason: why,
    }
    const givenUp = why === 'no-response' || why === 'only-trying' || why === 'no-answer'
    // its record follows the failed attempt
    if (givenUp) out.pending = end
    else this.#endLeg(out, end)
  }

  #lose(status: number): void {
    const reason = this.#lastFailure === undefined ? [] : passReason(this.#lastFailure)
    const passed = this.#redirections.passed(status)
    const headers = passed ?? reason
    const shown = passed ? status : statusForCaller(status)
    if (shown === 503 && this.#full !== undefined) {
      this.caller.refuse(shown, [...headers, warning(this.#parts.config().domain, this.#full)])
      return void this.#over({ by: 'tandem', status: shown, reason: this.#full })
    }
    this.caller.refuse(shown, headers)
    this.#over({ by: 'callee', status: shown })
  }

  #clearAllTimers(): void {
    for (const timer of this.#timers.values()) this.#wheel.clear(timer)
    this.#timers.clear()
  }

  /** Over without an answer. */
  #over(end: LegEnd): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#clearAllTimers()
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

  #ended(end: LegEnd): void {
    this.#state = 'over'
    this.#seed.plan.emergency?.ended()
    const { span } = this.#seed
    span.setAttribute('sip.status', end.status)
    if (end.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
    const { from, dialled, to, emergency } = this.facts
    const told = { call: this.id, from, dialled, to, emergency, status: end.status, by: end.by, reason: end.reason }
    context.with(this.#seed.context, () => this.#parts.edge.log.info(told, 'call over'))
    this.#parts.over(this.id)
  }
}

const WALK_TIMERS: readonly WalkTimer[] = ['no-response', 'only-trying', 'ring']

/**
 * What the caller is told. A challenge or a redirection of the far side is nothing that he could answer; a silent
 * callee is unavailable to him.
 */
function statusForCaller(status: number): number {
  if (status < 400) return 480
  if (status === 401 || status === 407) return 502
  if (status === 408) return 504
  if (status === 482 || status === 483 || status === 481) return 502
  return status
}
