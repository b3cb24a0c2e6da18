/** Brings two legs to talk that talked to others before: a re-INVITE with what the far side has said (RFC 3261 14, 3725). */
import type { Sdp } from '@tandem/sdp/parse.ts'
import { descriptionOf, SDP_TYPE } from './call-body.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallSession } from './call-session.ts'

/** A re-INVITE that crosses one of theirs is tried so often. */
const TRIES = 4

export interface Answered {
  readonly sdp: Sdp
  /** The same as the far side may see it. */
  readonly text: string
}

/**
 * Offers `leg` the description of `far`; `done` hears the answer, or undefined when it was refused, the session is over
 * or the dialogs never come to rest. `after` is the edge's timer; `wait` a random time below its argument, ms.
 */
export function offerTo(
  session: CallSession,
  leg: CallLeg,
  far: CallLeg,
  sdp: Sdp,
  after: (ms: number, run: () => void) => void,
  done: (answer: Answered | undefined) => void,
): void {
  let left = TRIES

  // RFC 3261 14.1: after a 491 the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s
  const later = () => {
    left--
    if (left <= 0) return void done(undefined)
    after(leg.direction === 'out' ? 2100 + session.random(1900) : 50 + session.random(1950), attempt)
  }

  const attempt = () => {
    if (session.over || leg.ended) return void done(undefined)
    if (leg.exchange.kind !== 'none' || leg.unacked?.waiting) return void later()
    far.media.offer(sdp, far.peer, leg.media, (body) => {
      if (body === undefined || session.over || leg.ended) return void done(undefined)
      leg.exchange = { kind: 'ours', transaction: undefined }
      const ask = { method: 'INVITE', headers: session.timers.offerHeaders(leg), body, contentType: SDP_TYPE }
      const sent = session.request(leg, ask, (response, request, client) => {
        leg.exchange = { kind: 'none' }
        if (!session.agreed(leg, response, request)) {
          if (response?.status === 491 && !session.over) return void later()
          return void done(undefined)
        }
        session.ack(leg, request, client)
        const answer = response === undefined ? undefined : descriptionOf(response)
        if (answer?.kind !== 'sdp') return void done(undefined)
        leg.said = body
        leg.heard = answer.text
        leg.media.answer(answer.sdp, leg.peer, far.media, (text) => {
          done(text === undefined ? undefined : { sdp: answer.sdp, text })
        })
      })
      if (leg.exchange.kind === 'ours') leg.exchange.transaction = sent
    })
  }

  attempt()
}
