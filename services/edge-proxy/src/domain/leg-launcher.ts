/** Makes the legs of a call that go out: who is shown to whom, what the INVITE carries, where it goes. */
import { type Context, type Span, SpanKind, trace } from '@opentelemetry/api'
import type { Branch, TrunkAttempt, UserAttempt } from '@tandem/contracts/routing.ts'
import type { Sdp } from '@tandem/sdp/parse.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import type { LiveBinding, TrunkPath, Wire } from '../edge.ts'
import { SDP_TYPE } from './call-body.ts'
import type { CallFacts, LegEnd } from './call-facts.ts'
import { CallLeg } from './call-leg.ts'
import type { CallParts, LegOwner } from './call-parts.ts'
import type { CallerSide } from './caller-side.ts'
import type { EmergencyRun } from './emergency-run.ts'
import type { HelpCall } from './help-calls.ts'
import { diversionsFor, historyInfo } from './history-info.ts'
import type { Held } from './ledger.ts'
import { forgetLeg } from './leg-end.ts'
import { ALLOW, SUPPORTED } from './leg-headers.ts'
import { identityOf, type ShownCaller, userPart } from './leg-identity.ts'
import { contactOf } from './leg-wire.ts'
import type { MediaPeer, NoDescription } from './media-engine.ts'
import { mediaPolicy } from './media-policy.ts'
import { type InviteContent, OutInvite } from './out-invite.ts'
import type { AskAgain } from './redirections.ts'

export interface CallPlan {
  readonly branches: readonly Pick<Branch, 'role' | 'delayMs' | 'stage' | 'follows' | 'attempts'>[]
  readonly shown: ShownCaller
  readonly callee: {
    readonly user?: string | undefined
    readonly costCentre?: string | undefined
    readonly site?: string | undefined
  }
  /** Who pays for legs to trunks. */
  readonly costCentre: string | undefined
  readonly emergency: EmergencyRun | undefined
  /** Of this device only (RFC 5627). */
  readonly instance?: string | undefined
  /** Whoever called for help is called back (docs/adr/0115): their phones ring, and no limit stops it. */
  readonly calledBack?: readonly HelpCall[]
  /** Its phones are told so: `Priority: psap-callback` (RFC 7090). */
  readonly marked?: boolean
}

export interface CallSeed {
  readonly parts: CallParts
  readonly facts: CallFacts
  readonly caller: CallerSide
  readonly plan: CallPlan
  /** The caller's offer; undefined: he wants one (late offer). */
  readonly offer: { readonly sdp: Sdp; readonly text: string } | undefined
  readonly maxForwards: number
  /** Identity of the caller's INVITE, from a carrier (RFC 8224). */
  readonly identity?: readonly string[]
  /** From the caller's INVITE, on the allow-list. */
  readonly passed: readonly (readonly [string, string])[]
  readonly span: Span
  readonly context: Context
  /** Asks the router for the place that a 3xx names; undefined: no redirection is followed. */
  readonly askAgain?: AskAgain
  /** The caller stands in another call already and stays there: he is transferred (transfer.ts). */
  readonly transfer?: TransferSeed
}

export interface TransferSeed {
  /** `user:alice`: who transfers. */
  readonly by: string
  /** A leg has answered `sdp` and is acknowledged; what becomes of it is not the walk's business any more. */
  answered(leg: CallLeg, sdp: Sdp): void
  /** It has hung up again, and nobody else has it yet. */
  gone(leg: CallLeg): void
  failed(end: LegEnd): void
}

/** One INVITE of the walk. */
export interface OutLeg {
  readonly invite: OutInvite
  readonly leg: CallLeg
  /** The contact of a user that it rings. */
  readonly binding?: LiveBinding
  /** Its place in the walk (plan-walk.ts). */
  readonly attempt: number
  readonly index: number
  answer: SipResponse | undefined
  /** A rung that was left without an answer yet: its 2xx would still be welcome (emergency). */
  pending: LegEnd | undefined
}

/** What becomes of them is told to the call. */
export interface LegEvents {
  provisional(out: OutLeg, response: SipResponse): void
  answered(out: OutLeg, response: SipResponse): void
  failed(out: OutLeg, status: number, response: SipResponse | undefined, lost: boolean): void
  /** Nobody listens there (ICMP), and the INVITE is repeated all the same. */
  unreachable(out: OutLeg): void
}

export interface Place {
  readonly attempt: number
  readonly index: number
  readonly role: Branch['role']
  /** 1 for the first INVITE of its branch. */
  readonly number: number
  readonly held: Held
}

interface Target {
  readonly uri: string
  readonly routes: readonly string[]
  readonly from: string
  readonly to: string
  readonly headers: readonly (readonly [string, string])[]
  readonly extra: readonly (readonly [string, string])[]
}

export class LegLauncher {
  readonly #seed: CallSeed
  readonly #parts: CallParts
  readonly #owner: LegOwner & LegEvents
  /** Why there was no leg the last time. */
  why: NoDescription = 503

  constructor(seed: CallSeed, owner: LegOwner & LegEvents) {
    this.#seed = seed
    this.#parts = seed.parts
    this.#owner = owner
  }

  /** Undefined: no media port is left. */
  toContact(place: Place, what: UserAttempt, binding: LiveBinding, wire: Wire): OutLeg | undefined {
    const { plan } = this.#seed
    const { domain, users } = this.#parts.config()
    const { uri } = binding.contact
    const peer = { address: wire.remoteAddress, behindNat: bareHost(uri.host) !== wire.remoteAddress }
    const leg = this.#newLeg(place, { kind: 'user', user: binding.user }, wire, peer)
    const { costCentre, site } = users[binding.user] ?? {}
    // a call that was forwarded is that of whoever it was forwarded to
    leg.identity =
      place.role === 'forward'
        ? { user: binding.user, costCentre: costCentre ?? undefined, site, sent: binding.user }
        : { ...plan.callee, user: plan.callee.user ?? binding.user, sent: binding.user }
    const identity = identityOf({
      caller: plan.shown,
      called: binding.user,
      calledHost: domain,
      domain,
      tag: leg.localTag,
      trusted: !plan.shown.withheld,
      verstat: this.#seed.caller.leg.verstat,
    })
    // RFC 3327 5.1: the Path of the registration is the Route of requests to it
    const target = { uri: binding.contact.uriText, routes: binding.path, ...identity, extra: what.headers ?? [] }
    const out = this.#invite(place, leg, target)
    return out && Object.assign(out, { binding })
  }

  /** The trunk has admitted the call. Undefined: no media port is left. */
  toTrunk(place: Place, what: TrunkAttempt, path: TrunkPath): OutLeg | undefined {
    const { plan } = this.#seed
    const config = this.#parts.config()
    const peer = { address: path.wire.remoteAddress, behindNat: false }
    const leg = this.#newLeg(place, { kind: 'trunk', trunk: what.trunk }, path.wire, peer)
    const callee = place.role === 'callee' ? {} : plan.callee
    leg.identity = { ...callee, costCentre: callee.costCentre ?? plan.costCentre, sent: what.called }
    const trusted = plan.emergency !== undefined || (config.trunks[what.trunk]?.trusted ?? false)
    // the router says so with this number; location.md L3: an emergency call never hides its caller
    const withheld = plan.emergency === undefined && (plan.shown.withheld || what.calling === 'anonymous')
    const identity = identityOf({
      caller: {
        number: what.calling === 'anonymous' ? plan.shown.number : what.calling,
        display: withheld ? undefined : (what.displayName ?? plan.shown.display),
        withheld,
      },
      called: what.called,
      calledHost: path.host,
      domain: config.domain,
      tag: leg.localTag,
      trusted,
    })
    // Privacy is written above, once
    const written = (what.headers ?? []).filter(([name]) => name.toLowerCase() !== 'privacy')
    const extra = [...diversionsFor(written, trusted, config.domain)]
    const uri = `sip:${userPart(what.called)}@${path.host}`
    // RFC 8224 8: a number that is withheld from this carrier is not told by a signature either
    const hidden = withheld && !trusted
    const number = what.calling === 'anonymous' ? plan.shown.number : what.calling
    const signed = hidden ? undefined : this.#signed(what.trunk, number, what.called)
    leg.attestation = signed?.attestation
    if (signed) extra.push(...signed.headers)
    return this.#invite(place, leg, { uri, routes: path.routes, ...identity, extra })
  }

  #signed(trunk: string, orig: string, dest: string) {
    const { caller, facts, identity } = this.#seed
    const { edge, stir } = this.#parts
    const user = caller.leg.party.kind === 'user' ? caller.leg.party.user : undefined
    const came = identity && identity.length > 0 ? { identity, dest: facts.to ?? facts.dialled } : undefined
    return stir.sign({ trunk, orig, dest, user, came, nowMs: edge.clock.wall() })
  }

  #newLeg(place: Place, party: CallLeg['party'], wire: Wire, peer: MediaPeer): CallLeg {
    const { random, media, edge, tracer } = this.#parts
    const legId = random()
    const leg = new CallLeg({
      legId,
      role: place.role,
      party,
      direction: 'out',
      wire,
      peer,
      media: media.openLeg({
        legId,
        emergency: this.#seed.facts.emergency,
        ...mediaPolicy(this.#parts.config(), party, wire.listener, peer),
      }),
      sipCallId: random(),
      localTag: random(),
      attempt: place.number,
      held: place.held,
      contact: contactOf(wire, this.#parts.held.keyOf(this.#seed.facts.callId)),
      startedMs: edge.clock.now(),
      startedWall: edge.clock.wall(),
    })
    const peerName =
      party.kind === 'trunk' ? `trunk:${party.trunk}` : party.kind === 'user' ? `user:${party.user}` : 'unknown'
    if (this.#seed.transfer) {
      leg.referredBy = this.#seed.transfer.by
      leg.madeIn = this.#seed.facts
    }
    leg.span = tracer.startSpan(
      `INVITE ${peerName}`,
      { kind: SpanKind.CLIENT, attributes: { 'tandem.leg': legId, 'tandem.attempt': place.number } },
      this.#seed.context,
    )
    leg.context = trace.setSpan(this.#seed.context, leg.span)
    edge.capture.follow(leg.sipCallId, this.#seed.facts.callId, legId, peerName)
    this.#parts.dialogs.set(leg.key, { leg, owner: this.#owner })
    return leg
  }

  #invite(place: Place, leg: CallLeg, to: Target): OutLeg | undefined {
    const { plan, maxForwards } = this.#seed
    // policy withholds the caller all the same: one Privacy is enough
    const withheld = to.headers.some(([name]) => name === 'Privacy')
    const passed = this.#seed.passed.filter(([name, value]) =>
      // a name of the house means nothing to a carrier (RFC 3892)
      name === 'Referred-By' ? leg.party.kind === 'user' || tellsNumber(value) : name !== 'Privacy' || !withheld,
    )
    const { edge, config, random } = this.#parts
    const out: OutLeg = {
      leg,
      attempt: place.attempt,
      index: place.index,
      answer: undefined,
      pending: undefined,
      invite: new OutInvite({
        edge,
        leg,
        uri: to.uri,
        from: to.from,
        to: to.to,
        routes: to.routes,
        maxForwards: maxForwards - 1,
        headers: [
          ['Allow', ALLOW],
          ...this.#options(leg),
          ...to.headers,
          ...passed,
          ...to.extra,
          ...historyInfo(to.extra, to.uri),
        ],
        credentials: leg.party.kind === 'trunk' ? edge.trunks.credentials(leg.party.trunk) : undefined,
        timer: { interval: config().edge.sessionTimerS, minSe: 90, refresher: 'us' },
        cnonce: random,
        handlers: {
          onProvisional: (response) => this.#owner.provisional(out, response),
          onAnswer: (response) => this.#owner.answered(out, response),
          onFailed: (status, response, lost) => this.#owner.failed(out, status, response, lost),
          onUnreachable: () => this.#owner.unreachable(out),
        },
      }),
    }
    if (!this.#describe(out)) {
      forgetLeg(this.#parts, leg, this.why)
      return undefined
    }
    this.#parts.tell.started(this.#seed.facts, leg)
    if (leg.party.kind === 'trunk') plan.emergency?.attempted(leg, 'sent')
    return out
  }

  /**
   * Option tags. RFC 3262 4: a caller "SHOULD" support 100rel in all INVITEs; one without an offer only when whoever calls
   * us can answer the offer that then comes in a reliable response (RFC 3262 5). A call for help requires nothing.
   */
  #options(leg: CallLeg): (readonly [string, string])[] {
    const { offer, caller, facts } = this.#seed
    const prack = leg.party.kind === 'trunk' ? this.#parts.config().trunks[leg.party.trunk]?.prack : 'supported'
    const answers = offer !== undefined || (caller.leg.provisionals !== undefined && !facts.emergency)
    if (prack === 'off' || !answers) return [['Supported', SUPPORTED]]
    const supported = ['Supported', `${SUPPORTED}, 100rel`] as const
    return prack === 'required' && !facts.emergency ? [supported, ['Require', '100rel']] : [supported]
  }

  /** The offer that the INVITE carries. False: there is none, and that is known already. */
  #describe(out: OutLeg): boolean {
    const { offer, caller, facts } = this.#seed
    if (offer === undefined) {
      out.invite.carry(this.#content(undefined))
      return true
    }
    const { leg } = out
    let inTime = true
    let there = true
    caller.leg.media.offer(offer.sdp, caller.leg.peer, leg.media, (text, why = 503) => {
      there = text !== undefined
      this.why = why
      if (!there) this.#parts.edge.log.warn({ call: facts.callId, leg: leg.legId, status: why }, 'no media for a leg')
      leg.said = text
      if (there) out.invite.carry(this.#content(text))
      else if (!inTime && !leg.ended) out.invite.abandon(why)
    })
    inTime = false
    return there
  }

  #content(body: string | undefined): InviteContent {
    const located = this.#seed.plan.emergency?.body(body, this.#parts.random())
    if (located) return { body: located.text, contentType: located.type, headers: located.headers }
    return { body, contentType: body === undefined ? undefined : SDP_TYPE }
  }
}

const tellsNumber = (value: string): boolean => /^<sip:\+\d+@/.test(value)
const bareHost = (host: string): string => (host.startsWith('[') ? host.slice(1, -1) : host)
