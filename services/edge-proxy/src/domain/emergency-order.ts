/**
 * The standing order of an emergency call (location.md L2, L6): what is done with the configuration alone when the
 * router, the location service or both are late, and what is added to the router's plan so that no rung is left out.
 *
 *   911 trunks in their order > any other trunk that takes 911 > the relay centre's number > the desk
 */
import type { Configuration } from '@tandem/config/schema.ts'
import type { LocateAnswer } from '@tandem/contracts/location.ts'
import type { Attempt, RoutePlan, TrunkAttempt } from '@tandem/contracts/routing.ts'
import type { Place } from '@tandem/contracts/values.ts'

/** The desk is rung this long, ms: there is no rung after it. */
const DESK_RING_MS = 120_000

export interface EmergencyCaller {
  readonly user: string | undefined
  /** The site whose networks hold the source address; undefined outside. */
  readonly insideSite: string | undefined
}

export interface WhereCalled {
  readonly place: Place | undefined
  readonly source: string | undefined
  readonly routeClass: 'direct' | 'screened'
  readonly callback: string | undefined
}

/**
 * Where the caller is without the location service (L8): its static place when it is at its own site, else that of the site
 * it is inside of, else unknown: the address of a desk that the caller may not be at would be a false one.
 */
export function standingLocation(config: Configuration, caller: EmergencyCaller): WhereCalled {
  const user = caller.user === undefined ? undefined : config.users[caller.user]
  const site = caller.insideSite ?? user?.site
  // routing.md R6, as the router has it: the user's own, the ELIN of the place, the number of the site
  const ofPlace = elinOf(config, site) ?? (site === undefined ? undefined : config.sites[site]?.emergencyCallback)
  const callback = user?.emergencyCallback ?? user?.did ?? ofPlace ?? user?.callerId ?? undefined
  const fixed = standsAtHome(config, user?.site, caller.insideSite) ? (user?.location ?? undefined) : undefined
  const ofSite = caller.insideSite === undefined ? undefined : (config.sites[caller.insideSite]?.location ?? undefined)
  const ref = fixed ?? ofSite
  const place = ref === undefined ? undefined : placeOf(config, ref)
  if (place === undefined) return { place: undefined, source: undefined, routeClass: 'screened', callback }
  // where nobody can tell whether the caller is there, somebody has to ask
  const routeClass = caller.insideSite === undefined ? 'screened' : 'direct'
  return { place, source: fixed === undefined ? 'site' : 'static', routeClass, callback }
}

/** True also when the user's site has no networks, so that nobody can tell. */
function standsAtHome(config: Configuration, home: string | undefined, inside: string | undefined): boolean {
  if (inside !== undefined) return inside === home
  const site = home === undefined ? undefined : config.sites[home]
  return site === undefined || site.networks.length === 0
}

export function answeredLocation(config: Configuration, answer: LocateAnswer, caller: EmergencyCaller): WhereCalled {
  const callback = answer.callback ?? standingLocation(config, caller).callback
  if (answer.kind === 'unknown') return { place: undefined, source: undefined, routeClass: 'screened', callback }
  return { place: answer.place, source: answer.source, routeClass: answer.routeClass, callback }
}

function placeOf(config: Configuration, ref: string): Place | undefined {
  const written = config.locations[ref]
  if (written === undefined) return undefined
  const { geo, ...fields } = written
  const civic: Record<string, string> = {}
  for (const [name, value] of Object.entries(fields)) if (typeof value === 'string') civic[name] = value
  if (geo === undefined) return { ref, civic }
  const { latitude, longitude, radius } = geo
  return { ref, civic, point: { latitude, longitude, ...(radius === undefined ? {} : { radius }) } }
}

function elinOf(config: Configuration, site: string | undefined): string | undefined {
  return site === undefined ? undefined : config.emergency.elins[site]?.[0]
}

export interface Ladder {
  readonly attempts: readonly Attempt[]
  /** True for an attempt that asks the relay centre, whose number is sent instead of 911. */
  readonly relayed: ReadonlySet<Attempt>
}

/**
 * Every rung, each once. The router's plan comes first when it answered with one; the number goes out as the emergency
 * number itself, never translated (E11). A caller whose place is unknown is asked by the relay centre first (L8).
 */
export function ladderOf(
  config: Configuration,
  number: string,
  where: WhereCalled,
  plan: RoutePlan | undefined,
): Ladder {
  const relayed = new Set<Attempt>()
  const own: Attempt[] = []
  const seen = new Set<string>()
  const { timers } = config.emergency
  const calling = where.callback ?? ''
  const rung = (trunk: string, called: string, base?: TrunkAttempt): TrunkAttempt => ({
    ...(base ?? {}),
    kind: 'trunk',
    trunk,
    called,
    calling: base?.calling || calling,
    noResponseMs: Math.min(base?.noResponseMs ?? timers.noResponseMs, timers.noResponseMs),
    onlyTryingMs: Math.min(base?.onlyTryingMs ?? timers.tryingOnlyMs, timers.tryingOnlyMs),
    retry: [],
  })
  const add = (trunk: string, called: string, base?: TrunkAttempt): void => {
    if (config.trunks[trunk] === undefined || seen.has(`${trunk} ${called}`)) return
    seen.add(`${trunk} ${called}`)
    own.push(rung(trunk, called, base))
  }
  for (const attempt of planned(plan))
    if (attempt.kind === 'trunk' && !isRelay(config, attempt)) add(attempt.trunk, number, attempt)
  for (const trunk of config.emergency.trunks) add(trunk, number)
  for (const trunk of Object.values(config.trunks)) if (trunk.emergency) add(trunk.name, number)

  const centre: Attempt[] = []
  if (config.emergency.relayCentre !== null) {
    for (const trunk of relayTrunks(config)) {
      const written = planned(plan).find((a) => a.kind === 'trunk' && a.trunk === trunk && isRelay(config, a))
      const called = written?.kind === 'trunk' ? written.called : config.emergency.relayCentre
      const attempt = rung(trunk, called, written?.kind === 'trunk' ? written : undefined)
      relayed.add(attempt)
      centre.push(attempt)
    }
  }
  const desk = deskUsers(config).map((user): Attempt => ({ kind: 'user', user, ringMs: DESK_RING_MS }))
  const attempts = where.routeClass === 'screened' ? [...centre, ...own, ...desk] : [...own, ...centre, ...desk]
  return { attempts: attempts.slice(0, 64), relayed }
}

function planned(plan: RoutePlan | undefined): readonly Attempt[] {
  return plan?.branches.flatMap((branch) => branch.attempts) ?? []
}

function isRelay(config: Configuration, attempt: TrunkAttempt): boolean {
  const centre = config.emergency.relayCentre?.replace(/\D/g, '')
  const called = attempt.called.replace(/\D/g, '')
  return centre !== undefined && called.length > 5 && (centre.endsWith(called) || called.endsWith(centre))
}

/** The relay centre is an ordinary number: any trunk reaches it, those of the ladder first. */
function relayTrunks(config: Configuration): string[] {
  return [...new Set([...config.emergency.trunks, ...Object.keys(config.trunks)])]
    .filter((trunk) => config.trunks[trunk] !== undefined)
    .slice(0, 8)
}

/** Users of ours among the desk's addresses. */
function deskUsers(config: Configuration): string[] {
  const users: string[] = []
  for (const desk of config.emergency.desk) {
    const user = /^sips?:([^@;]+)@([^;:?]+)/.exec(desk)
    if (user?.[2] === config.domain && user[1] !== undefined && config.users[user[1]] !== undefined) users.push(user[1])
  }
  return users
}
