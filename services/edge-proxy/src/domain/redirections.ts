/**
 * 3xx of a callee (RFC 3261 8.1.3.4): followed, passed on or refused by policy (docs/adr/0021). A place that is followed
 * is asked of the router like any other number: it is never dialled as it stands.
 */
import type { Configuration, RedirectMode } from '@tandem/config/defaults.ts'
import type { RouteDecision, RoutePlan } from '@tandem/contracts/routing.ts'
import type { NameAddr, SipResponse } from '@tandem/sip/message/message.ts'
import { contacts } from '@tandem/sip/message/read.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'
import type { CallLeg } from './call-leg.ts'
import { userPart } from './leg-identity.ts'
import type { CallSeed, OutLeg } from './leg-launcher.ts'

type Fields = readonly (readonly [string, string])[]

/** RFC 3261 21.3: where else the callee is; 305 names a proxy and 380 a service, which are nobody's number. */
const MOVED: ReadonlySet<number> = new Set([300, 301, 302])
/** Places that one response may name, and redirections that one call may follow. */
const MAX_PLACES = 5
const MAX_FOLLOWED = 5

export interface Place {
  readonly dialled: string
  readonly uri: string
}

/**
 * The router is asked about another place in the same call. `redirectedBy`: the trunk that wrote the number; `onBehalfOf`:
 * the user whose phone did.
 */
export type AskAgain = (
  place: Place,
  by: { readonly redirectedBy?: string; readonly onBehalfOf?: string },
) => Promise<RouteDecision | undefined>

/** A call for help goes to the next rung instead: whoever is named has not been proven to be a PSAP. */
function redirectMode(config: Configuration, leg: CallLeg, status: number, emergency: boolean): RedirectMode {
  if (emergency || !MOVED.has(status)) return 'reject'
  const { party } = leg
  if (party.kind === 'trunk') return config.trunks[party.trunk]?.redirect ?? 'reject'
  if (party.kind !== 'user') return 'reject'
  const policy = config.users[party.user]?.policy
  return (policy === undefined ? undefined : config.policies[policy]?.redirect) ?? 'follow'
}

/** The places that a 3xx names, best first, as far as they can mean something to us. */
function placesOf(response: SipResponse, ours: (host: string) => boolean): Place[] {
  const found = contacts(response)
  const all = found === '*' ? [] : [...found].sort((a, b) => weight(b) - weight(a))
  const places: Place[] = []
  for (const { uri, uriText } of all.slice(0, MAX_PLACES)) {
    const dialled = unescapeUser(uri.user ?? '')
    if (!dialled) continue
    // a name at another host is a name there; a number is one everywhere
    if (/^[+\d][\d().-]*$/.test(dialled.split(';', 1)[0] as string) || ours(uri.host))
      places.push({ dialled, uri: uriText })
  }
  return places
}

/** RFC 3261 20.10: q is 0 to 1, 1 when left out. */
function weight({ params }: NameAddr): number {
  const q = Number(params.get('q') ?? 1)
  return Number.isFinite(q) ? q : 0
}

/** Contact fields for the caller: the same numbers, at an address of ours (edge.md E10). */
function passedContacts(response: SipResponse, address: string): Fields {
  return placesOf(response, () => true).map(
    ({ dialled }) => ['Contact', `<sip:${userPart(dialled)}@${address}>`] as const,
  )
}

/** `host` of a URI is this edge or the enterprise. */
function isOurs(config: Configuration, leg: CallLeg, host: string): boolean {
  return host === config.domain || host === leg.wire.localAddress || host === `[${leg.wire.localAddress}]`
}

export interface Followed {
  readonly out: OutLeg
  readonly status: number
  readonly reason: string
  readonly plan: RoutePlan
}

/** What one 3xx has named and was not tried yet. */
interface Named {
  readonly places: Place[]
  readonly ask: (place: Place) => Promise<RouteDecision | undefined>
}

export interface RedirectionsParts {
  readonly seed: CallSeed
  /** While the router is asked no timer of the attempt runs. */
  readonly silence: (attempt: number) => void
  readonly followed: (where: Followed) => void
  /** The next place after one where nobody answered; undefined: none is left. */
  readonly placed: (out: OutLeg, plan: RoutePlan | undefined) => void
  /** It is a failure, with the router's word where it had one. */
  readonly failed: (out: OutLeg, status: number, response: SipResponse) => void
}

/** Those of one call: no place twice (RFC 3261 8.1.3.4), and not for ever. */
export class Redirections {
  readonly #it: RedirectionsParts
  readonly #known = new Set<string>()
  readonly #named = new Map<OutLeg, Named>()
  #count = 0
  #passed: { readonly status: number; readonly contacts: Fields } | undefined

  constructor(parts: RedirectionsParts) {
    this.#it = parts
  }

  /** What the caller is told with this status, when that is a redirection that goes on to him. */
  passed(status: number): Fields | undefined {
    return this.#passed?.status === status ? this.#passed.contacts : undefined
  }

  /** True: the response is being followed, and `followed` or `failed` comes. */
  takes(out: OutLeg, response: SipResponse): boolean {
    const { parts, facts, caller, askAgain } = this.#it.seed
    const { status } = response
    if (out.pending) return false
    const mode = redirectMode(parts.config(), out.leg, status, facts.emergency)
    if (mode === 'pass') this.#passed = { status, contacts: passedContacts(response, caller.leg.wire.sentBy) }
    if (mode !== 'follow' || askAgain === undefined) return false
    this.#it.silence(out.attempt)
    this.#follow(out, response, askAgain).catch((error: unknown) => {
      parts.edge.log.error({ call: facts.callId, err: error }, 'a redirection could not be followed')
      this.#it.failed(out, status, response)
    })
    return true
  }

  /** Nobody answered at the last place that `out` named. */
  next(out: OutLeg): void {
    const { parts, facts } = this.#it.seed
    const named = this.#named.get(out)
    if (named === undefined) return void this.#it.placed(out, undefined)
    this.#firstWay(named).then(
      (plan) => {
        const found = plan?.kind === 'route' ? plan : undefined
        if (found) parts.edge.log.info({ call: facts.callId, to: found.normalised }, 'redirected to the next place')
        else this.#named.delete(out)
        this.#it.placed(out, found)
      },
      (error: unknown) => {
        parts.edge.log.error({ call: facts.callId, err: error }, 'a redirection could not be followed')
        this.#it.placed(out, undefined)
      },
    )
  }

  async #follow(out: OutLeg, response: SipResponse, askAgain: AskAgain): Promise<void> {
    const { parts, facts } = this.#it.seed
    const { leg } = out
    const { party } = leg
    const by =
      party.kind === 'trunk' ? { redirectedBy: party.trunk } : party.kind === 'user' ? { onBehalfOf: party.user } : {}
    const config = parts.config()
    const places = placesOf(response, (host) => isOurs(config, leg, host))
    const named: Named = { places, ask: (place) => askAgain(place, by) }
    const plan = await this.#firstWay(named)
    const { status, reason } = response
    if (plan?.kind !== 'route') return this.#it.failed(out, plan?.status ?? status, response)
    parts.edge.log.info({ call: facts.callId, leg: leg.legId, status, to: plan.normalised }, 'redirected')
    this.#named.set(out, named)
    this.#it.followed({ out, status, reason, plan })
  }

  /** To the first of the places that the router has a way to; its refusal when there is none; undefined: nothing to follow. */
  async #firstWay({ places, ask }: Named): Promise<RouteDecision | undefined> {
    const { dialled, to } = this.#it.seed.facts
    for (const first of [dialled, to]) if (first !== undefined) this.#known.add(first)
    let refused: RouteDecision | undefined
    for (let place = places.shift(); place !== undefined; place = places.shift()) {
      if (this.#known.has(place.dialled) || this.#count >= MAX_FOLLOWED) continue
      this.#known.add(place.dialled)
      const decision = await ask(place)
      if (decision?.kind !== 'route') {
        refused ??= decision
        continue
      }
      const number = decision.normalised
      // the same number written in another way; docs/adr/0061: nobody is sent on to an emergency number
      if (decision.emergency || (number !== undefined && number !== place.dialled && this.#known.has(number))) continue
      if (number !== undefined) this.#known.add(number)
      this.#count++
      return decision
    }
    return refused
  }
}
