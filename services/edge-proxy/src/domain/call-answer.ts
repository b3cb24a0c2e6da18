/** A branch has answered: what the caller is told of it, and the session that comes of the two legs (call-session.ts). */
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { agreedAsUac } from '@tandem/sip/dialog/session-timer.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import type { LegEnd } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import { CallSession } from './call-session.ts'
import type { EarlyStage } from './early-stage.ts'
import { passResponse } from './leg-headers.ts'
import type { CallSeed, OutLeg } from './leg-launcher.ts'
import { tuneLegs } from './leg-media.ts'

export interface CallAnswerParts {
  readonly seed: CallSeed
  readonly early: EarlyStage
  /** Neither answered nor over. */
  readonly open: () => boolean
  /** The call is answered; without a session where the leg goes on in another call (transfer.ts). */
  readonly up: (session: CallSession | undefined) => void
  /** Nothing else of the walk is needed any more. */
  readonly settled: (out: OutLeg) => void
  /** Answered, but not in a way that a call can come of. */
  readonly unusable: (out: OutLeg, response: SipResponse) => void
  /** The session is over. */
  readonly ended: (end: LegEnd) => void
}

export class CallAnswer {
  readonly #it: CallAnswerParts
  /** Has answered; the media engine is asked what the caller is told. */
  winner: OutLeg | undefined
  #session: CallSession | undefined

  constructor(parts: CallAnswerParts) {
    this.#it = parts
  }

  /** The 2xx of `out` is the call's. */
  take(out: OutLeg, response: SipResponse): void {
    const { seed, early, open, unusable, settled } = this.#it
    const { caller, parts } = seed
    const { leg } = out
    out.pending = undefined
    leg.setupMs = parts.edge.clock.now() - leg.startedMs
    leg.ringingMs ??= leg.setupMs
    leg.tryingMs ??= leg.setupMs
    const { described, agreed, told } = early.outcome(out, response)
    if (leg.dialog === undefined || described.kind !== 'sdp') return void unusable(out, response)
    leg.heard = described.text
    this.winner = out
    const answer = (mine: string | undefined): void => {
      // he gave up, or was told to, while the media engine was asked: nobody is left to talk to
      if (!open() || !caller.waiting) return void out.invite.discard(response)
      if (mine === undefined) return void unusable(out, response)
      this.#answerCaller(out, response, described.sdp, mine, agreed)
      settled(out)
    }
    const theirs = caller.leg.media
    caller.whenSettled(() => {
      if (told || !caller.waiting) answer(caller.leg.said)
      else if (seed.offer === undefined && !agreed) leg.media.offer(described.sdp, leg.peer, theirs, answer)
      else leg.media.answer(described.sdp, leg.peer, theirs, answer)
    })
  }

  #answerCaller(out: OutLeg, response: SipResponse, sdp: Sdp, mine: string, agreed: boolean): void {
    const { seed } = this.#it
    if (seed.transfer) return void this.#transferred(out, response, sdp)
    const { leg } = out
    const { caller, facts, parts } = seed
    // RFC 3262 5: an offer that was answered in a PRACK is not answered again
    const lateOffer = seed.offer === undefined && !agreed
    leg.media.connect(caller.leg.media)
    tuneLegs([leg, caller.leg], sdp)
    const now = parts.edge.clock.now()
    const invite = out.invite.request
    if (invite) leg.session = agreedAsUac(invite, response)
    answeredAt(leg, now)
    const session = new CallSession(parts, facts, caller.leg, leg, this.#it.ended)
    const accepted = caller.accept(mine, passResponse(response), () => session.noAck(caller.leg))
    if (!accepted) return void this.#it.unusable(out, response)
    const callerLeg = caller.leg
    const waited = callerLeg.answeredAtMs === undefined
    if (waited) {
      callerLeg.setupMs = now - callerLeg.startedMs
      callerLeg.ringingMs ??= callerLeg.setupMs
      answeredAt(callerLeg, now)
    }
    this.#session = session
    session.emergency = seed.plan.emergency
    this.#it.up(session)
    parts.up(session)
    // RFC 3261 13.2.2.4: without a late offer the ACK is due now; with one it carries the caller's answer
    if (lateOffer) callerLeg.onAck = (body) => this.#lateAnswer(out, body)
    else out.invite.ack()
    parts.tell.answered(facts, leg)
    if (waited) parts.tell.answered(facts, callerLeg)
    seed.plan.emergency?.answered(leg)
    session.begin()
    caller.up?.(session, leg, sdp)
  }

  /** Whoever is transferred has somebody to talk to: his own call takes it from here. */
  #transferred(out: OutLeg, response: SipResponse, sdp: Sdp): void {
    const { seed } = this.#it
    const { leg, invite } = out
    if (invite.request) leg.session = agreedAsUac(invite.request, response)
    answeredAt(leg, seed.parts.edge.clock.now())
    tuneLegs([leg, seed.caller.leg], sdp)
    this.#it.up(undefined)
    invite.ack()
    seed.parts.tell.answered(seed.facts, leg)
    seed.plan.emergency?.answered(leg)
    seed.span.end()
    seed.transfer?.answered(leg, sdp)
  }

  #lateAnswer(out: OutLeg, body: string | undefined): void {
    const parsed = body === undefined ? undefined : parseSdp(body)
    if (parsed?.kind !== 'sdp') {
      out.invite.ack()
      this.#session?.end('tandem', { reason: 'no answer in the ACK' })
      return
    }
    const callerLeg = this.#it.seed.caller.leg
    callerLeg.heard = body
    callerLeg.media.answer(parsed.sdp, callerLeg.peer, out.leg.media, (text) => {
      out.leg.said = text
      tuneLegs([out.leg, callerLeg], parsed.sdp)
      out.invite.ack(text)
    })
  }
}

function answeredAt(leg: CallLeg, now: number): void {
  leg.answeredAtMs = now
  leg.span?.addEvent('answered')
}
