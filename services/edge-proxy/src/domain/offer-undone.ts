/**
 * An offer inside a call that comes to nothing: the session goes on as it was (RFC 3261 14.1, RFC 3311 5.3), whoever said no,
 * and whoever said yes when nobody waited for it any more.
 */
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Edge } from '../edge.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallSession } from './call-session.ts'
import { offerTo } from './media-join.ts'

const NONE = { kind: 'none' } as const
/** In T1: a re-INVITE that is lost four times over UDP still comes through; whoever sent the UPDATE gives up after 64. */
const PROMPT_T1 = 16

export interface Promptness {
  /** A provisional response of the other side. */
  heard(status: number): void
  stop(): void
}

/**
 * For an UPDATE that the other side hears of by a re-INVITE. RFC 3311 5.2: "the UPDATE MUST be responded to promptly, and
 * therefore the user cannot generally be prompted": `late` runs once when the phone rings, or says nothing for long.
 */
export function promptness({ transactions: { timers, times } }: Edge, late: () => void): Promptness {
  const bound = timers.after(PROMPT_T1 * times.t1, late)
  return {
    heard(status) {
      if (status !== 180 || !bound.active) return
      timers.clear(bound)
      late()
    },
    stop: () => timers.clear(bound),
  }
}

/** RFC 3311 5.2: "If the UAS cannot change the session parameters without prompting the user, it SHOULD ... 504". */
export function userAsked(leg: CallLeg, other: CallLeg, transaction: ServerTransaction): void {
  if (transaction.answered) return
  transaction.reply(504)
  leg.exchange = NONE
  restore(leg, other)
}

/** The other side says no, `status`, or `response`. */
export function refused(
  session: CallSession,
  leg: CallLeg,
  other: CallLeg,
  transaction: ServerTransaction,
  status: number,
  response?: SipResponse,
): void {
  leg.exchange = NONE
  other.exchange = NONE
  if (session.over) return
  restore(leg, other)
  if (transaction.answered) return
  // a challenge, a redirection or a dialog that is gone over there means nothing over here
  const shown = status === 401 || status === 407 || status < 400 ? 488 : status === 422 ? 500 : status
  // RFC 3311 5.2: whoever is to wait learns how long
  const wait = /^\s*(\d{1,5})/.exec(response?.headers.get('retry-after') ?? '')?.[1]
  transaction.reply(shown, { headers: wait === undefined ? [] : [['Retry-After', wait]] })
}

/** RFC 3261 9.1: the yes crossed our CANCEL, it counts. `other` is offered again what is in force on the side of `leg`. */
export function takeBack(session: CallSession, leg: CallLeg, other: CallLeg, edge: Edge): void {
  const before = inForce(leg)
  const after = (ms: number, run: () => void) => void edge.transactions.timers.after(ms, run)
  if (before === undefined) return
  offerTo(session, other, leg, before, after, (outcome) => {
    if (outcome.kind === 'agreed' && !session.over) session.tune(outcome.sdp)
  })
}

/** Our description of `leg` must be again what it was before the offer. */
function restore(leg: CallLeg, other: CallLeg): void {
  const before = inForce(leg)
  if (before !== undefined) leg.media.offer(before, leg.peer, other.media, () => {})
}

function inForce({ heard }: CallLeg): Sdp | undefined {
  const read = heard === undefined ? undefined : parseSdp(heard)
  return read?.kind === 'sdp' ? read.sdp : undefined
}
