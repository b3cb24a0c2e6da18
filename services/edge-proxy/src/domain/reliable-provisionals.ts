/**
 * Provisional responses of ours to a caller's INVITE that arrive for certain (RFC 3262 3): one at a time, each again and
 * again until its PRACK comes.
 *
 *   idle --send--> outstanding --PRACK--> the next that waits, or idle
 *                      `--64*T1--> lost: the call is refused
 */
import { receiveInDialog, withRemoteSequence } from '@tandem/sip/dialog/dialog.ts'
import type { ResponseParts } from '@tandem/sip/message/make.ts'
import { cseq } from '@tandem/sip/message/read.ts'
import { readRAck } from '@tandem/sip/message/reliable.ts'
import { RetransmitUntilAck } from '@tandem/sip/transaction/retransmit-until-ack.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Edge } from '../edge.ts'
import { type Description, descriptionOf } from './call-body.ts'
import type { CallLeg } from './call-leg.ts'

/** More than that never waits: the last word is what counts. */
const MAX_WAITING = 4

export interface ReliableParts {
  readonly edge: Pick<Edge, 'transactions'>
  /** The INVITE. */
  readonly transaction: ServerTransaction
  readonly leg: CallLeg
  /** RFC 3262 3: 1 to 2^31 - 1, chosen at random. */
  readonly firstNumber: number
  /** No PRACK came in 64*T1. */
  readonly onLost: () => void
}

interface Provisional {
  readonly status: number
  readonly parts: ResponseParts
  /** What its description is; undefined: it has none. */
  readonly carries: 'offer' | 'answer' | undefined
}

interface Outstanding {
  readonly number: number
  readonly carries: Provisional['carries']
  readonly again: RetransmitUntilAck
}

export class ReliableProvisionals {
  /** The answer to the offer that we have sent reliably; undefined: the PRACK has none. */
  onAnswer: ((text: string | undefined) => void) | undefined
  /** An offer in a PRACK (RFC 3262 5), to be answered in its 2xx. */
  onOffer: ((prack: ServerTransaction, offer: Description & { kind: 'sdp' }) => void) | undefined
  readonly #parts: ReliableParts
  readonly #waiting: Provisional[] = []
  #number: number
  #outstanding: Outstanding | undefined
  /** Sent and never acknowledged when the final response went out. */
  #late: Outstanding | undefined
  #then: (() => void)[] = []
  #over = false

  constructor(parts: ReliableParts) {
    this.#parts = parts
    this.#number = parts.firstNumber
  }

  send(provisional: Provisional): void {
    if (this.#over) return
    if (this.#outstanding === undefined) return void this.#transmit(provisional)
    // RFC 3262 3: "MUST NOT send a second reliable provisional response until the first is acknowledged"
    if (this.#waiting.length === MAX_WAITING) this.#waiting.shift()
    this.#waiting.push(provisional)
  }

  /**
   * Runs `then` when a 2xx may go out: RFC 3262 3 has it wait for the PRACK of a response with a description. It runs
   * also when the call is over meanwhile.
   */
  whenSettled(then: () => void): void {
    this.#waiting.length = 0
    if (this.#outstanding?.carries !== undefined) this.#then.push(then)
    else then()
  }

  /** The final response goes out, or the call is over. */
  stop(): void {
    this.#over = true
    this.#late = this.#outstanding
    this.#outstanding?.again.stop()
    this.#outstanding = undefined
    this.#waiting.length = 0
    this.#settle()
  }

  /** Takes a PRACK in and answers it. */
  onPrack(prack: ServerTransaction): void {
    const { leg } = this.#parts
    const { request } = prack
    const found = this.#acknowledged(prack)
    // RFC 3262 3: one "that does not match any unacknowledged reliable provisional response" gets 481
    if (found === undefined || leg.dialog === undefined) return void prack.reply(481)
    const verdict = receiveInDialog(leg.dialog, request)
    if (verdict.kind === 'refuse') return void prack.reply(verdict.status)
    leg.dialog = withRemoteSequence(leg.dialog, request)
    found.again.stop()
    if (found === this.#late) this.#late = undefined
    else this.#outstanding = undefined
    this.#takeBody(prack, found)
    const next = this.#waiting.shift()
    if (next && !this.#over) this.#transmit(next)
    else this.#settle()
  }

  #takeBody(prack: ServerTransaction, found: Outstanding): void {
    const described = descriptionOf(prack.request)
    const text = described.kind === 'sdp' ? described.text : undefined
    if (found.carries === 'offer') {
      prack.reply(200)
      this.#parts.leg.agreed = text !== undefined
      return void this.onAnswer?.(text)
    }
    if (found.carries === 'answer') this.#parts.leg.agreed = true
    if (described.kind === 'none') return void prack.reply(200)
    // RFC 6337 2.3: an offer that cannot be taken may get 488
    if (described.kind === 'sdp' && found.carries === 'answer' && this.onOffer) this.onOffer(prack, described)
    else prack.reply(488)
  }

  #acknowledged(prack: ServerTransaction): Outstanding | undefined {
    const rack = readRAck(prack.request)
    const invite = cseq(this.#parts.transaction.request)?.sequence
    if (rack === undefined || rack.method !== 'INVITE' || rack.cseq !== invite) return undefined
    return [this.#outstanding, this.#late].find((o) => o?.number === rack.rseq)
  }

  #transmit({ status, parts, carries }: Provisional): void {
    const { transaction, edge } = this.#parts
    const number = this.#number++
    const headers = [...(parts.headers ?? []), ['Require', '100rel'], ['RSeq', String(number)]] as const
    const response = transaction.reply(status, { ...parts, headers: headers as ResponseParts['headers'] })
    const { timers, times } = edge.transactions
    const again = new RetransmitUntilAck({
      timers,
      // RFC 3262 3: "starts at T1 seconds and doubles", without the cap at T2 that a 2xx has
      times: { t1: times.t1, t2: Number.POSITIVE_INFINITY },
      send: () => transaction.respond(response),
      onGiveUp: () => {
        this.#outstanding = undefined
        this.#parts.onLost()
        this.#settle()
      },
    })
    this.#outstanding = { number, carries, again }
  }

  #settle(): void {
    const then = this.#then
    this.#then = []
    for (const run of then) run()
  }
}
