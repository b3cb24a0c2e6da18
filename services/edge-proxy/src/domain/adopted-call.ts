/**
 * A call whose edge was lost, gone on with here: two dialogs from its record, media ports of this edge, and a re-INVITE to
 * each side that tells where its audio goes now. From then on it is a call like any other (call-session.ts).
 */
import { EmergencyEnded } from '@tandem/contracts/emergency.ts'
import type { HeldCall, HeldLeg } from '@tandem/contracts/held-call.ts'
import { negotiatedCodec } from '@tandem/sdp/offer-answer.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import type { Wire } from '../edge.ts'
import { trunkNeeds } from './call-admission.ts'
import { type CallFacts, type LegEnd, rounded } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts, LiveCall } from './call-parts.ts'
import { CallSession } from './call-session.ts'
import { legOf, type Now } from './dialog-record.ts'
import { instant } from './instant.ts'
import { contactOf } from './leg-wire.ts'
import { mediaPolicy } from './media-policy.ts'
import { tellWhenBack } from './phone-return.ts'
import { withTrace } from './trace-of.ts'
import { agreedKbps } from './wire-rate.ts'

/** A phone over TCP or TLS has so long to come back over a new connection, ms. */
const RETURN_MS = 60_000

/** The edge that had the call, and until when it was heard, clock ms. */
export interface LostEdge {
  readonly edge: string
  readonly heardMs: number
}

export class AdoptedCall implements LiveCall {
  readonly id: string
  /** Its beginning was told by the edge that is lost. */
  readonly emergency = undefined
  readonly #parts: CallParts
  readonly #session: CallSession
  readonly #facts: CallFacts
  #able: () => void = () => {}
  #dtls: string | undefined

  constructor(parts: CallParts, held: HeldCall, wires: readonly Wire[], from: LostEdge) {
    this.id = held.callId
    this.#parts = parts
    const { clock, node } = parts.edge
    this.#facts = factsOf(held, node)
    const now = { ms: clock.now(), wall: clock.wall() }
    const legs = held.legs.map((leg, i) => this.#leg(held, leg, wires[i] as Wire, now, from))
    const [caller, callee] = legs as [CallLeg, CallLeg]
    this.#session = new CallSession(parts, this.#facts, caller, callee, (end) => this.#over(end))
    this.#session.takeovers = held.takeovers
    for (const leg of legs) parts.dialogs.set(leg.key, { leg, owner: this.#session })
  }

  get legs(): readonly CallLeg[] {
    return this.#session.legs
  }

  get session(): CallSession {
    return this.#session
  }

  hangUp(reason: string): void {
    this.#session.end('tandem', { reason })
  }

  /** A record that no call comes of: both legs end where they are proven last. */
  end(reason: string): void {
    this.#session.end('tandem', { reason })
  }

  /** `able`: called once, when requests of the peers can be taken and before they hear of us; or when nothing comes of it. */
  begin(able: () => void): void {
    this.#able = able
    this.#session.begin()
    const [first, second] = this.#session.legs
    const [a, b] = first.legId === this.#dtls ? [second, first] : [first, second]
    const heard = [descriptionOf(a), descriptionOf(b)]
    if (heard[0] === undefined || heard[1] === undefined) return void this.#useless('no description to go on with')
    if (b.legId === this.#dtls) return void this.#browserFirst(b, heard[0], a)
    // one side's words are the offer to the other, whose words answer it: both are told anew as an offer of ours
    this.#describe('offer', a, heard[0], b, () =>
      this.#describe('answer', b, heard[1] as Sdp, a, () => {
        this.#join(a, b)
        for (const leg of this.#session.legs) this.#tell(leg)
      }),
    )
  }

  /**
   * A browser agrees on keys and on a way with the new end of its audio (RFC 8842 4, RFC 8839 4.4.1.1.1): what it has said
   * to the old one is no answer to that. The other side is told when it has answered.
   */
  #browserFirst(browser: CallLeg, offer: Sdp, other: CallLeg): void {
    this.#describe('offer', other, offer, browser, () => {
      browser.onAnswer = (answer) =>
        this.#describe('answer', browser, answer, other, () => {
          other.media.connect(browser.media)
          this.#tell(other)
        })
      this.#join(other, browser)
      this.#tell(browser)
    })
  }

  #useless(reason: string): void {
    this.end(reason)
    this.#able()
  }

  /** What `from` has said, for `to`, at addresses of ours. */
  #describe(as: 'offer' | 'answer', from: CallLeg, said: Sdp, to: CallLeg, done: () => void): void {
    if (to.said !== undefined) to.media.resume?.(to.said)
    from.media[as](said, from.peer, to.media, (text) => {
      if (text === undefined) return void this.#useless('its media cannot be carried')
      to.said = text
      const clock = negotiatedCodec(said)?.clock
      if (clock !== undefined) from.media.tune(clock)
      done()
    })
  }

  #join(a: CallLeg, b: CallLeg): void {
    a.media.connect(b.media)
    // a BYE that has waited ends the call by its own word; a re-INVITE is answered, where ours would meet it (491)
    this.#able()
  }

  #tell(leg: CallLeg): void {
    if (leg.party.kind !== 'user') return void this.#session.reanchor(leg)
    // a user is reached on his own connection only (RFC 5626 5.3): it went with the edge, and his phone opens another
    const untilMs = this.#parts.edge.clock.now() + RETURN_MS
    const over = () => this.end('the phone has not come back')
    tellWhenBack(this.#parts, this.#session, leg, { untilMs, over })
  }

  #leg(held: HeldCall, of: HeldLeg, wire: Wire, now: Now, from: LostEdge): CallLeg {
    const { edge, media, limits } = this.#parts
    const contact = contactOf(wire, this.#parts.held.keyOf(held.callId))
    const { listener, address } = of.wire
    const policy = mediaPolicy(this.#parts.config(), of.party, listener, { address, behindNat: of.behindNat })
    const opened = media.openLeg({
      ...{ legId: of.legId, emergency: held.emergency, takeovers: held.takeovers, ...policy },
    })
    if (policy.keying === 'dtls') this.#dtls = of.legId
    const leg = legOf(held, of, { wire, contact, media: opened }, now)
    if (of.madeIn !== undefined) leg.madeIn = factsOf(of.madeIn, edge.node)
    leg.provenMs = Math.max(leg.provenMs ?? 0, from.heardMs)
    leg.context = withTrace(held.traceparent)
    const { party } = leg
    if (party.kind === 'trunk') {
      // an emergency call was never counted (location.md L3)
      const site = of.direction === 'out' ? held.legs[0]?.identity.site : undefined
      if (!held.emergency) leg.held = limits.adopt(trunkNeeds(party.trunk, site, kbpsOf(of)), from.edge)
      edge.trunks.callStarted(party.trunk)
    }
    const peer =
      party.kind === 'trunk' ? `trunk:${party.trunk}` : party.kind === 'user' ? `user:${party.user}` : 'unknown'
    const sinceMs = Math.min(...held.legs.map((each) => Date.parse(each.startedAt)))
    edge.capture.follow(leg.sipCallId, held.callId, leg.legId, peer, sinceMs)
    return leg
  }

  #over(end: LegEnd): void {
    const { edge } = this.#parts
    const { from, dialled, to, emergency } = this.#facts
    if (emergency) {
      const answeredAtMs = this.#session.legs[1].answeredAtMs ?? edge.clock.now()
      edge.bus.tell(EmergencyEnded, {
        callId: this.id,
        at: instant(edge.clock.wall()),
        answered: true,
        durationMs: rounded(edge.clock.now() - answeredAtMs),
      })
    }
    edge.log.info(
      {
        call: this.id,
        from,
        dialled,
        to,
        emergency,
        status: end.status,
        by: end.by,
        reason: end.reason,
        takenOver: true,
      },
      'call over',
    )
    this.#parts.over(this.id)
  }
}

function factsOf(held: Pick<HeldCall, 'callId' | 'from' | 'dialled' | 'to' | 'emergency'>, edge: string): CallFacts {
  const { callId, from, dialled, to, emergency } = held
  return { callId, edge, from, dialled, to, emergency }
}

function kbpsOf(leg: HeldLeg): number {
  const heard = descriptionOf(leg)
  return heard === undefined ? 0 : agreedKbps(heard)
}

function descriptionOf(leg: { readonly heard?: string | undefined }): Sdp | undefined {
  const read = leg.heard === undefined ? undefined : parseSdp(leg.heard)
  return read?.kind === 'sdp' ? read.sdp : undefined
}
