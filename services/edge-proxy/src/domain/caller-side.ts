/**
 * The caller as the call sees him: hears what happens, is answered or refused. Usually he has sent an INVITE; in a call
 * placed by us (placed-caller.ts) he was rung first and waits.
 *
 * One early dialog is shown to the caller, whatever forks on the other side (docs/adr/0010): the first description that
 * is told stays the only one of its To tag, as RFC 3261 13.2.1 wants; an answer with another description comes under a
 * tag of its own.
 */
import type { Sdp } from '@tandem/sdp/parse.ts'
import { confirmDialog, dialogOfUas } from '@tandem/sip/dialog/dialog.ts'
import type { UasVerdict } from '@tandem/sip/dialog/session-timer.ts'
import { makeResponse } from '@tandem/sip/message/make.ts'
import { wantsReliable } from '@tandem/sip/message/reliable.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Edge } from '../edge.ts'
import { SDP_TYPE } from './call-body.ts'
import type { CallFacts } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallSession } from './call-session.ts'
import { ALLOW, SUPPORTED } from './leg-headers.ts'

type Fields = readonly (readonly [string, string])[]

export interface CallerSide {
  readonly leg: CallLeg
  /** 101-199. */
  progress(status: number, sdp: string | undefined, headers: Fields): void
  /** Runs `then` as soon as he may be answered (RFC 3262 3), or when the call is over before that. */
  whenSettled(then: () => void): void
  /** The call is his. `onNoAck`: his ACK never came. Returns false when he cannot be answered any more. */
  accept(sdp: string | undefined, headers: Fields, onNoAck: () => void): boolean
  /** The call stands: `far` has answered with `sdp`. Of a caller who cannot be told by an answer. */
  up?(session: CallSession, far: CallLeg, sdp: Sdp): void
  /** 300-699. */
  refuse(status: number, headers: Fields, reason?: string): void
  /** No final answer was given yet. */
  readonly waiting: boolean
}

export interface IncomingCallerParts {
  readonly edge: Edge
  readonly transaction: ServerTransaction
  readonly leg: CallLeg
  readonly timer: UasVerdict & { readonly kind: 'accept' }
  readonly random: () => string
  /** The router may know a call for help that the edge does not: looked at as late as possible. */
  readonly facts: Pick<CallFacts, 'emergency'>
  /** The leg is known under another tag from now on. */
  readonly onTag: (leg: CallLeg, tag: string) => void
}

export function incomingCaller(parts: IncomingCallerParts): CallerSide {
  const { transaction, leg, edge } = parts
  const required = wantsReliable(transaction.request) === 'required'
  const lateOffer = leg.heard === undefined
  let told: string | undefined
  return {
    leg,
    get waiting() {
      return !transaction.answered
    },
    progress(status, described, headers) {
      if (transaction.answered) return
      // RFC 3262 3: a 2xx waits for the PRACK of a reliable response that describes the session. A call for help waits for
      // nothing: what need not be reliable is not, and what must be describes nothing
      const { emergency } = parts.facts
      const sdp = emergency && required ? undefined : described
      const consistent = sdp !== undefined && (told === undefined || told === sdp)
      // RFC 3262 5: the first reliable response has the offer when the INVITE had none: before that nothing can be said
      if (leg.provisionals && required && lateOffer && !consistent && told === undefined) return
      const carries = consistent && told === undefined ? (lateOffer ? 'offer' : 'answer') : undefined
      if (consistent) told = leg.said = sdp
      const response = {
        contact: leg.contact,
        recordRoute: true,
        headers: [['Allow', ALLOW], ...headers] as const,
        ...(consistent ? { body: sdp, contentType: SDP_TYPE } : {}),
      }
      leg.dialog ??= dialogOfUas(
        transaction.request,
        makeResponse(transaction.request, status, { toTag: leg.localTag }),
      )
      if (leg.provisionals && (required || (carries && !emergency)))
        leg.provisionals.send({ status, parts: response, carries })
      else transaction.reply(status, response)
    },
    whenSettled(then) {
      if (leg.provisionals) leg.provisionals.whenSettled(then)
      else then()
    },
    accept(sdp, headers, onNoAck) {
      if (transaction.answered) return false
      const changed = told !== undefined && sdp !== undefined && told !== sdp && leg.said !== sdp
      if (changed) parts.onTag(leg, parts.random())
      // RFC 6337 3.1.1: after a reliable answer the 2xx describes nothing
      const body = leg.agreed && !changed ? undefined : sdp
      const response = makeResponse(transaction.request, 200, {
        toTag: leg.localTag,
        contact: leg.contact,
        recordRoute: true,
        headers: [['Allow', ALLOW], ['Supported', SUPPORTED], ...parts.timer.fields, ...headers],
        ...(body === undefined ? {} : { body, contentType: SDP_TYPE }),
      })
      leg.dialog =
        changed || leg.dialog === undefined
          ? dialogOfUas(transaction.request, response)
          : confirmDialog(leg.dialog, response)
      leg.session = parts.timer.timer
      leg.said = sdp
      leg.unacked = edge.transactions.accept(transaction, response, onNoAck)
      leg.provisionals?.stop()
      // from here on the session knows who has agreed to what
      leg.agreed = false
      return true
    },
    refuse(status, headers, reason) {
      if (transaction.answered) return
      transaction.reply(status, { headers, reason })
      leg.provisionals?.stop()
    },
  }
}
