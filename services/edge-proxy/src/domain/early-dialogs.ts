/**
 * The early dialogs that the provisional responses to one INVITE of ours make: one for each To tag, for whoever takes
 * the INVITE may fork it (RFC 3261 12.1.2, 13.2.2.4). Reliable responses are taken in order and acknowledged, each in
 * its own dialog (RFC 3262 4).
 */
import { confirmDialog, type Dialog, dialogOfUac } from '@tandem/sip/dialog/dialog.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { cseq, toTag } from '@tandem/sip/message/read.ts'
import { reliableNumber } from '@tandem/sip/message/reliable.ts'
import { descriptionOf, SDP_TYPE } from './call-body.ts'
import type { CallLeg, Exchange } from './call-leg.ts'
import type { CallParts } from './call-parts.ts'
import { askInDialog, type DialogHolder } from './dialog-request.ts'
import { allowsUpdate } from './leg-headers.ts'

/** Branches of one INVITE that are kept apart; responses of further ones only ring. */
const MAX_FORKS = 16

/** One of them, in the fields that a leg has for its confirmed dialog. */
export interface EarlyDialog extends DialogHolder {
  readonly tag: string
  takesUpdate: boolean
  /** The last description of this branch, and ours that it has. */
  heard: string | undefined
  said: string | undefined
  /** Offer and answer have gone both ways for certain: RFC 3311 5.1 allows the next offer. */
  agreed: boolean
  exchange: Exchange
  /** RSeq of the last reliable response. */
  rseq: number | undefined
  /** The reliable response whose offer waits for our answer in the PRACK (RFC 3262 5). */
  offered: SipResponse | undefined
}

export class EarlyDialogs {
  readonly #parts: Pick<CallParts, 'edge' | 'random'>
  readonly #leg: CallLeg
  readonly #dialogs = new Map<string, EarlyDialog>()

  constructor(parts: Pick<CallParts, 'edge' | 'random'>, leg: CallLeg) {
    this.#parts = parts
    this.#leg = leg
  }

  of(tag: string | undefined): EarlyDialog | undefined {
    return tag === undefined ? undefined : this.#dialogs.get(tag)
  }

  /** Another INVITE goes out (401, 407, 422): what belonged to the last is over. */
  clear(): void {
    this.#dialogs.clear()
  }

  /** Takes a 101-199 in. False: it is to be discarded (RFC 3262 4: a retransmission, or out of order). */
  take(invite: SipRequest, response: SipResponse): boolean {
    const early = this.#find(invite, response)
    const number = reliableNumber(response)
    if (early === undefined) return true
    if (response.headers.has('allow')) early.takesUpdate = allowsUpdate(response)
    const described = descriptionOf(response)
    if (described.kind === 'sdp' && !early.agreed && (invite.body.length > 0 || number !== undefined))
      early.heard = described.text
    if (number === undefined) return true
    // "if the UAC receives another reliable provisional response ... and its RSeq value is not one higher than the value
    // of the sequence number, that response MUST NOT be acknowledged ... and MUST NOT be processed further"
    if (early.rseq !== undefined && number !== early.rseq + 1) return false
    early.rseq = number
    const isOffer = described.kind === 'sdp' && invite.body.length === 0 && !early.agreed
    if (isOffer) early.offered = response
    else {
      if (described.kind === 'sdp') early.agreed = true
      this.acknowledge(early, response)
    }
    return true
  }

  /** The PRACK, with the answer to an offer where there was one. */
  acknowledge(early: EarlyDialog, response: SipResponse, answer?: string): void {
    const about = cseq(response)
    const rack = `${reliableNumber(response)} ${about?.sequence} ${about?.method}`
    if (answer !== undefined) {
      early.said = answer
      early.agreed = true
      early.offered = undefined
    }
    const body = answer === undefined ? {} : { body: answer, contentType: SDP_TYPE }
    // whatever comes of it, the final response of the INVITE decides
    askInDialog(this.#parts, this.#leg, early, { method: 'PRACK', headers: [['RAck', rack]], ...body }, () => {})
  }

  /** The dialog of a 2xx: the early one of its tag goes on with its numbers (RFC 3261 13.2.2.4). */
  confirmed(invite: SipRequest, response: SipResponse): Dialog | undefined {
    const early = this.of(toTag(response))
    return early?.dialog === undefined ? dialogOfUac(invite, response) : confirmDialog(early.dialog, response)
  }

  #find(invite: SipRequest, response: SipResponse): EarlyDialog | undefined {
    const tag = toTag(response)
    const known = this.of(tag)
    if (known || tag === undefined || this.#dialogs.size >= MAX_FORKS) return known
    const dialog = dialogOfUac(invite, response)
    if (dialog === undefined) return undefined
    const early: EarlyDialog = {
      dialog,
      tag,
      takesUpdate: false,
      heard: undefined,
      said: this.#leg.said,
      agreed: false,
      exchange: { kind: 'none' },
      rseq: undefined,
      offered: undefined,
    }
    this.#dialogs.set(tag, early)
    return early
  }
}
