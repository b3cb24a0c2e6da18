/**
 * A call before its answer, as far as descriptions go: whose early media the caller hears, reliable answers and offers
 * (RFC 3262 5), and offers inside early dialogs (PRACK, RFC 3311). One of all branches and forks is heard; the others
 * ring silently (docs/adr/0010, 0020).
 */
import { type Codec, codecsOf } from '@tandem/sdp/attributes.ts'
import { audioOf } from '@tandem/sdp/offer-answer.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { receiveInDialog, withRemoteSequence } from '@tandem/sip/dialog/dialog.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import { fromTag, toTag } from '@tandem/sip/message/read.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { type Description, descriptionOf, SDP_TYPE } from './call-body.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts } from './call-parts.ts'
import type { CallerSide } from './caller-side.ts'
import { askInDialog, type DialogHolder } from './dialog-request.ts'
import type { EarlyDialog } from './early-dialogs.ts'
import { ALLOW, passInfo, passResponse, SUPPORTED } from './leg-headers.ts'
import type { OutLeg } from './leg-launcher.ts'

type Described = Description & { readonly kind: 'sdp' }
type State = DialogHolder & Pick<EarlyDialog, 'takesUpdate' | 'heard' | 'said' | 'agreed' | 'exchange'>

/** One end of an exchange: the caller, or one early dialog of a leg of ours. */
interface Side {
  readonly leg: CallLeg
  readonly state: State
}

export interface EarlyStageParts {
  readonly parts: CallParts
  readonly caller: CallerSide
  /** The caller made no offer in his INVITE. */
  readonly lateOffer: boolean
  /** The call is neither answered nor over. */
  readonly open: () => boolean
  readonly tune: (leg: CallLeg, answer: Sdp) => void
  /** The caller broke the rules: nothing can come of the call. */
  readonly failed: (reason: string) => void
}

export class EarlyStage {
  readonly #it: EarlyStageParts
  /** Whose early media the caller hears. */
  #heard: { readonly out: OutLeg; readonly tag: string | undefined } | undefined
  /** Reliable offers of branches that wait for the caller's answer. */
  #offers: { readonly out: OutLeg; readonly early: EarlyDialog; readonly response: SipResponse }[] = []

  constructor(parts: EarlyStageParts) {
    this.#it = parts
    const { provisionals } = parts.caller.leg
    if (provisionals === undefined) return
    provisionals.onAnswer = (text) => this.#answered(text)
    provisionals.onOffer = (prack, offer) => this.#offered(this.#caller, prack, offer)
  }

  get #caller(): Side {
    const { leg } = this.#it.caller
    return { leg, state: leg }
  }

  /** A 101-199 of a branch, taken in by its early dialog. */
  rings(out: OutLeg, response: SipResponse): void {
    const { caller, lateOffer } = this.#it
    const described = descriptionOf(response)
    const headers = passResponse(response)
    const tag = toTag(response)
    const early = out.invite.early.of(tag)
    // RFC 6337 3.1.1: once it was answered reliably, what other responses describe is ignored
    const stale = described.kind === 'sdp' && early?.agreed === true && early.heard !== described.text
    // RFC 3261 13.2.1: without an offer in the INVITE the first reliable response has it, an unreliable one nothing
    const means = described.kind === 'sdp' && !stale && (!lateOffer || early?.offered === response)
    if (!means) return void caller.progress(response.status, undefined, headers)
    if (lateOffer) this.#offers.push({ out, early: early as EarlyDialog, response })
    // the first that plays something is heard; the others ring silently
    this.#heard ??= { out, tag }
    if (this.#heard.out !== out || this.#heard.tag !== tag) {
      caller.progress(180, undefined, headers)
      return void this.#answerOffers()
    }
    const told = (text: string | undefined): void => {
      if (!this.#it.open() || out.leg.ended) return
      out.leg.media.connect(caller.leg.media)
      this.#it.tune(out.leg, described.sdp)
      caller.progress(response.status, text, headers)
    }
    if (lateOffer) out.leg.media.offer(described.sdp, out.leg.peer, caller.leg.media, told)
    else out.leg.media.answer(described.sdp, out.leg.peer, caller.leg.media, told)
  }

  /**
   * What the answered branch has described in the end. `agreed`: by its early dialog, so that the 2xx adds nothing to it
   * (RFC 6337 3.1.1); `told`: the caller knows it, too.
   */
  outcome(out: OutLeg, response: SipResponse): { described: Description; agreed: boolean; told: boolean } {
    const tag = toTag(response)
    const early = out.invite.early.of(tag)
    const own = descriptionOf(response)
    // a 2xx that should describe and does not: what was heard before must do
    const text = early?.agreed || own.kind === 'none' ? (early?.heard ?? this.#last(out)) : undefined
    const agreed = early?.agreed === true
    if (early) out.leg.said = early.said
    const told = agreed && this.#it.caller.leg.agreed && this.#heard?.out === out && this.#heard.tag === tag
    return { described: text === undefined ? own : read(text), agreed, told }
  }

  #last(out: OutLeg): string | undefined {
    return this.#heard?.out === out ? out.invite.early.of(this.#heard.tag)?.heard : undefined
  }

  /** A request inside an early dialog. False: nothing that belongs here. */
  onRequest(leg: CallLeg, out: OutLeg | undefined, transaction: ServerTransaction): boolean {
    const { method } = transaction.request
    if (method !== 'UPDATE' && method !== 'INFO') return false
    const side = this.#sideOf(leg, out, transaction)
    if (side?.state.dialog === undefined) return false
    const verdict = receiveInDialog(side.state.dialog, transaction.request)
    if (verdict.kind === 'refuse') transaction.reply(verdict.status, { headers: [['Retry-After', '1']] })
    else if (method === 'INFO') {
      side.state.dialog = withRemoteSequence(side.state.dialog, transaction.request)
      this.#info(side, transaction)
    } else {
      side.state.dialog = verdict.dialog
      this.#updated(side, transaction)
    }
    return true
  }

  #sideOf(leg: CallLeg, out: OutLeg | undefined, transaction: ServerTransaction): Side | undefined {
    if (leg === this.#it.caller.leg) return this.#caller
    const state = out?.invite.early.of(fromTag(transaction.request))
    return state && { leg, state }
  }

  /** Who hears and is heard by this one. */
  #opposite(side: Side): Side | undefined {
    const { out, tag } = this.#heard ?? {}
    const state = out?.invite.early.of(tag)
    if (out === undefined || state === undefined) return undefined
    if (side.leg === this.#it.caller.leg) return { leg: out.leg, state }
    return side.state === state ? this.#caller : undefined
  }

  #info(side: Side, transaction: ServerTransaction): void {
    const other = this.#opposite(side)
    if (other?.state.dialog === undefined) return void transaction.reply(480)
    const { request } = transaction
    const ask = { method: 'INFO', headers: passInfo(request), body: request.body }
    askInDialog(
      this.#it.parts,
      other.leg,
      other.state,
      { ...ask, contentType: request.headers.get('content-type') },
      (response) => transaction.reply(shown(response)),
    )
  }

  #updated(side: Side, transaction: ServerTransaction): void {
    const { request } = transaction
    if (request.headers.has('allow')) side.state.takesUpdate = true
    const described = descriptionOf(request)
    if (described.kind === 'invalid') return void transaction.reply(488, { reason: described.reason })
    if (described.kind === 'other') return void transaction.reply(415, { headers: [['Accept', SDP_TYPE]] })
    if (described.kind === 'none') return void this.#accept(side, transaction, undefined)
    // RFC 3311 5.2: an offer of ours that has no answer yet: 491; one of theirs: 500 with Retry-After of 0 to 10 s
    const pending = side.state.exchange.kind !== 'none' ? side.state.exchange.kind : this.#initial(side)
    if (pending === 'ours') return void transaction.reply(491)
    if (pending === 'theirs') return void transaction.reply(500, { headers: [['Retry-After', this.#seconds()]] })
    this.#offered(side, transaction, described)
  }

  /** Whose first offer on this dialog still waits for a reliable answer. */
  #initial({ leg, state }: Side): 'ours' | 'theirs' | undefined {
    if (state.agreed) return undefined
    const callerOffers = !this.#it.lateOffer
    return (leg === this.#it.caller.leg) === callerOffers ? 'theirs' : 'ours'
  }

  /** An offer in an UPDATE or a PRACK: asked of the other side when it changes anything there, else answered here. */
  #offered(side: Side, transaction: ServerTransaction, offer: Described): void {
    const other = this.#opposite(side)
    if (other?.state.heard === undefined) return void transaction.reply(504)
    side.state.exchange = { kind: 'theirs', transaction }
    side.leg.media.offer(offer.sdp, side.leg.peer, other.leg.media, (text, why = 503) => {
      if (!this.#it.open()) return void this.#refuse(side, other, transaction, 487)
      if (text === undefined) return void this.#refuse(side, other, transaction, why)
      const { state } = other
      const asks = state.agreed && state.takesUpdate && state.exchange.kind === 'none' && text !== state.said
      if (asks) this.#ask(side, other, transaction, offer, text)
      else this.#answerHere(side, other, transaction, offer)
    })
  }

  #ask(side: Side, other: Side, transaction: ServerTransaction, offer: Described, text: string): void {
    const { state } = other
    state.exchange = { kind: 'ours', transaction: undefined }
    const headers = [
      ['Allow', ALLOW],
      ['Supported', SUPPORTED],
    ] as const
    const ask = { method: 'UPDATE', headers, contact: other.leg.contact, body: text, contentType: SDP_TYPE }
    askInDialog(this.#it.parts, other.leg, state, ask, (response) => {
      state.exchange = { kind: 'none' }
      const answer = response && response.status < 300 ? descriptionOf(response) : undefined
      if (answer?.kind !== 'sdp') return void this.#refuse(side, other, transaction, answer ? 488 : shown(response))
      state.said = text
      state.heard = answer.text
      this.#it.tune(other.leg, answer.sdp)
      other.leg.media.answer(answer.sdp, other.leg.peer, side.leg.media, (mine) =>
        this.#answer(side, transaction, offer, mine),
      )
    })
  }

  /**
   * The other side need not, or cannot, hear of it: what it has described already is the answer, if the two still have a
   * codec in common. RFC 3311 5.2: "If the UAS cannot change the session parameters without prompting the user, it SHOULD
   * reject the request with a 504".
   */
  #answerHere(side: Side, other: Side, transaction: ServerTransaction, offer: Described): void {
    const known = parseSdp(other.state.heard ?? '')
    if (known.kind !== 'sdp' || !fits(offer.sdp, known.sdp, side.leg.codec))
      return void this.#refuse(side, other, transaction, 504)
    other.leg.media.answer(known.sdp, other.leg.peer, side.leg.media, (mine) =>
      this.#answer(side, transaction, offer, mine),
    )
  }

  #answer(side: Side, transaction: ServerTransaction, offer: Described, mine: string | undefined): void {
    side.state.exchange = { kind: 'none' }
    if (mine === undefined) return void transaction.reply(503)
    side.state.heard = offer.text
    this.#accept(side, transaction, mine)
  }

  #accept(side: Side, transaction: ServerTransaction, sdp: string | undefined): void {
    if (sdp !== undefined) side.state.said = sdp
    transaction.reply(200, {
      contact: side.leg.contact,
      headers: [
        ['Allow', ALLOW],
        ['Supported', SUPPORTED],
      ],
      ...(sdp === undefined ? {} : { body: sdp, contentType: SDP_TYPE }),
    })
  }

  /** RFC 3311 5.3: the session parameters stay as they were. */
  #refuse(side: Side, other: Side, transaction: ServerTransaction, status: number): void {
    side.state.exchange = { kind: 'none' }
    transaction.reply(status)
    const before = side.state.heard === undefined ? undefined : parseSdp(side.state.heard)
    if (before?.kind === 'sdp') side.leg.media.offer(before.sdp, side.leg.peer, other.leg.media, () => {})
  }

  /** The caller's answer to a reliable offer has come in his PRACK. */
  #answered(text: string | undefined): void {
    const { caller } = this.#it
    if (!this.#it.open()) return
    if (text === undefined) return void this.#it.failed('no answer in the PRACK')
    caller.leg.heard = text
    this.#answerOffers()
  }

  #answerOffers(): void {
    const { caller } = this.#it
    const { heard, agreed } = caller.leg
    const answer = heard === undefined || !agreed ? undefined : parseSdp(heard)
    if (answer?.kind !== 'sdp') return
    for (const { out, early, response } of this.#offers.splice(0)) {
      caller.leg.media.answer(answer.sdp, caller.leg.peer, out.leg.media, (text) => {
        if (text === undefined || out.leg.ended) return
        out.leg.said = text
        this.#it.tune(out.leg, answer.sdp)
        out.invite.early.acknowledge(early, response, text)
      })
    }
  }

  #seconds(): string {
    return String(Buffer.from(this.#it.parts.random()).readUInt16BE(0) % 11)
  }
}

function read(text: string): Description {
  const parsed = parseSdp(text)
  return parsed.kind === 'sdp' ? { ...parsed, text } : parsed
}

/** The same streams, both ways, and the codec that is talked under the same payload type: packets pass as they are. */
function fits(offer: Sdp, known: Sdp, codec: string | undefined): boolean {
  if (offer.media.length !== known.media.length) return false
  const same = offer.media.every((m, i) => m.kind === known.media[i]?.kind && m.direction === 'sendrecv')
  const talked = codecsIn(known).find(({ name }) => name === codec)
  return same && codecsIn(offer).some((c) => c.name === codec && c.payloadType === talked?.payloadType)
}

function codecsIn(sdp: Sdp): Codec[] {
  const audio = audioOf(sdp)
  return audio === undefined ? [] : codecsOf(sdp, audio)
}

function shown(response: SipResponse | undefined): number {
  if (response === undefined) return 504
  const { status } = response
  return status === 401 || status === 407 || (status >= 300 && status < 400) ? 500 : status
}
