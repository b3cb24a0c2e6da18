/** Brings two legs to talk that talked to others before: a re-INVITE with what the far side has said (RFC 3261 14, 3725). */
import type { Sdp } from '@tandem/sdp/parse.ts'
import { descriptionOf, SDP_TYPE } from './call-body.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallSession } from './call-session.ts'

/** A re-INVITE that crosses one of theirs is tried so often. */
const TRIES = 4

export interface Agreed {
  readonly kind: 'agreed'
  readonly sdp: Sdp
  /** The same as the far side may see it. */
  readonly text: string
}

/**
 * `status`: what the peer said, 408 for nothing, 481 when one of the two is gone, 503 without media. `moved`: the peer took
 * the offer all the same, and talks to where it leads.
 */
export type Outcome = Agreed | { readonly kind: 'refused'; readonly status: number; readonly moved: boolean }

const refused = (status: number, moved = false): Outcome => ({ kind: 'refused', status, moved })
const GONE = refused(481)

/**
 * Offers `leg` the description of `far`; `done` hears once what came of it, within a bounded time (`session.request`,
 * media-engine.ts). `after` is the edge's timer.
 */
export function offerTo(
  session: CallSession,
  leg: CallLeg,
  far: CallLeg,
  sdp: Sdp,
  after: (ms: number, run: () => void) => void,
  done: (outcome: Outcome) => void,
): void {
  let left = TRIES

  // RFC 3261 14.1: after a 491 the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s
  const later = () => {
    left--
    if (left <= 0) return void done(refused(491))
    after(leg.direction === 'out' ? 2100 + session.random(1900) : 50 + session.random(1950), attempt)
  }

  const attempt = () => {
    if (session.over || leg.ended) return void done(GONE)
    if (leg.exchange.kind !== 'none' || leg.unacked?.waiting) return void later()
    far.media.offer(sdp, far.peer, leg.media, (body, why = 503) => {
      if (body === undefined) return void done(refused(why))
      if (session.over || leg.ended) return void done(GONE)
      leg.exchange = { kind: 'ours', transaction: undefined }
      const ask = { method: 'INVITE', headers: session.timers.offerHeaders(leg), body, contentType: SDP_TYPE }
      const sent = session.request(leg, ask, (response, request, client) => {
        leg.exchange = { kind: 'none' }
        const status = response?.status ?? 408
        if (!session.agreed(leg, response, request)) {
          if (status === 491 && !session.over) return void later()
          // a challenge or a redirection inside a call is nothing that anybody else could answer
          return void done(refused(status < 400 || status === 401 || status === 407 ? 488 : status))
        }
        session.ack(leg, request, client)
        const answer = response === undefined ? undefined : descriptionOf(response)
        if (answer?.kind !== 'sdp') return void done(refused(488, true))
        leg.said = body
        leg.heard = answer.text
        leg.media.answer(answer.sdp, leg.peer, far.media, (text) => {
          done(text === undefined ? refused(503, true) : { kind: 'agreed', sdp: answer.sdp, text })
        })
      })
      if (leg.exchange.kind === 'ours') leg.exchange.transaction = sent
    })
  }

  attempt()
}
