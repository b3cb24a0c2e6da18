/**
 * Keys of one stream of a leg: what its peer offered and answered, what it was offered and answered by us, and the SRTP
 * that comes of it. RFC 4568 with RTP/SAVP; RFC 8643 (opportunistic) with RTP/AVP and `a=crypto`.
 *
 * Our keys stay through the call, so that a re-INVITE changes nothing by itself. A peer's former key is still taken for
 * what is on its way (RFC 4568 7.1.4), and when its offer came to nothing.
 */
import type { Keying } from '../media-engine.ts'
import { type CryptoLine, ownLines, usable, written } from './sdes.ts'
import { SrtpContext } from './srtp-context.ts'
import { type HeardKeys, RTP, SECURE } from './takes-offer.ts'

/** What the description for this leg's peer says of the stream. */
export interface StreamKeys {
  readonly protocol: string
  /** Values of `a=crypto`. */
  readonly crypto: readonly string[]
}

export class StreamKeying {
  readonly #keying: Keying
  readonly #urgent: boolean
  readonly #random: (bytes: number) => Uint8Array
  #own: CryptoLine[] | undefined
  /** The line of ours that is in use, under the tag that the peer's offer gave it. */
  #chosen: { readonly line: CryptoLine; readonly tag: number } | undefined
  #sender: { readonly line: CryptoLine; readonly context: SrtpContext } | undefined
  /** The peer's keys, the newest first. */
  #receivers: { readonly text: string; readonly context: SrtpContext }[] = []
  /** Of the peer's last offer: an answer keeps it (RFC 3264 6). */
  #offered: string | undefined

  constructor(keying: Keying, urgent: boolean, random: (bytes: number) => Uint8Array) {
    this.#keying = keying
    this.#urgent = urgent
    this.#random = random
  }

  get secure(): boolean {
    return this.#sender !== undefined
  }

  heardOffer(heard: HeardKeys): void {
    this.#offered = heard.protocol
    const asked = SECURE.test(heard.protocol) || this.#keying !== 'off'
    // RFC 4568 5.1.2: the most preferred of the offerer that we can speak
    const theirs = asked && RTP.test(heard.protocol) ? usable(heard.crypto)[0] : undefined
    if (theirs === undefined) return void this.#plain()
    const line = this.#lines().find(({ suite }) => suite === theirs.suite) as CryptoLine
    this.#chosen = { line, tag: theirs.tag }
    this.#receives(theirs)
    this.#sends(line)
  }

  /** False: what the peer answered cannot be. */
  heardAnswer(heard: HeardKeys): boolean {
    const theirs = usable(heard.crypto)[0]
    const line = theirs && this.#answered(theirs)
    if (theirs === undefined || line === undefined || !RTP.test(heard.protocol)) {
      this.#plain()
      // not keyed: fine where it was not wanted, or was only an opportunity
      return this.#keying !== 'required' || this.#urgent || !RTP.test(heard.protocol)
    }
    this.#chosen = { line, tag: theirs.tag }
    this.#receives(theirs)
    this.#sends(line)
    return true
  }

  /** The line of ours that the peer has taken: of our offer, or of an answer of ours that was offered again to refresh. */
  #answered(theirs: CryptoLine): CryptoLine | undefined {
    const own = this.#own?.find(({ tag, suite }) => tag === theirs.tag && suite === theirs.suite)
    if (own !== undefined) return own
    const { tag, line } = this.#chosen ?? {}
    return tag === theirs.tag && line?.suite === theirs.suite ? line : undefined
  }

  /** For an offer of ours that passes on one made with `protocol`. */
  offer(protocol: string): StreamKeys {
    if (!RTP.test(protocol)) return { protocol, crypto: [] }
    const feedback = protocol.endsWith('F') ? 'F' : ''
    switch (this.#keying) {
      case 'required':
        return { protocol: `RTP/SAVP${feedback}`, crypto: this.#lines().map((line) => written(line)) }
      case 'optional':
        // RFC 8643 3.1: RTP/AVP with keying attributes
        return { protocol: `RTP/AVP${feedback}`, crypto: this.#lines().map((line) => written(line)) }
      default:
        return { protocol: `RTP/AVP${feedback}`, crypto: [] }
    }
  }

  answer(protocol: string): StreamKeys {
    return {
      protocol: this.#offered ?? protocol,
      crypto: this.#chosen === undefined ? [] : [written(this.#chosen.line, this.#chosen.tag)],
    }
  }

  /** What goes to the peer; undefined: it must not. */
  outward(packet: Buffer, rtcp: boolean): Buffer | undefined {
    if (this.#sender === undefined) return packet
    const { context } = this.#sender
    return rtcp ? context.protectRtcp(packet) : context.protectRtp(packet)
  }

  /** What came from the peer, in the clear; undefined: nobody but the peer could have sent it, and it did not. */
  inward(packet: Buffer, rtcp: boolean): Buffer | undefined {
    if (this.#receivers.length === 0) return packet
    for (const { context } of this.#receivers) {
      const clear = rtcp ? context.unprotectRtcp(packet) : context.unprotectRtp(packet)
      if (clear !== undefined) return clear
    }
    return undefined
  }

  #lines(): readonly CryptoLine[] {
    this.#own ??= ownLines(this.#random)
    return this.#own
  }

  #plain(): void {
    this.#chosen = undefined
    this.#sender = undefined
    this.#receivers = []
  }

  #receives(theirs: CryptoLine): void {
    const known = this.#receivers.find(({ text }) => text === theirs.text)
    const receiver = known ?? { text: theirs.text, context: new SrtpContext(theirs.suite, theirs.key) }
    const former = this.#receivers.find((each) => each !== receiver)
    this.#receivers = former === undefined ? [receiver] : [receiver, former]
  }

  #sends(line: CryptoLine): void {
    if (this.#sender?.line !== line) this.#sender = { line, context: new SrtpContext(line.suite, line.key) }
  }
}
