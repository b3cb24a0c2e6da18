/** The slow model of caller identity (R6): which number the PSTN is told, and what one INVITE to a carrier holds. */
import type { Enterprise, Moment, Plan, User } from './enterprise.ts'
import { isNumber, normalise, ownerOf, translated, withoutSeparators } from './slow-numbers.ts'
import { type Place, select } from './slow-selection.ts'

/** Who the far end is told is calling; no number: it is withheld. Diversions (RFC 5806): the last one first. */
export type Calling = { number: string | undefined; display?: string; diversions: string[] }

/** What stands for the user; in an emergency it does so whatever the policy wants withheld. */
export const ownNumber = (e: Enterprise, user: User): string | undefined =>
  user.callerId ?? e.policies[user.policy]?.showAs ?? user.did

/**
 * What the phone says in From counts when the user has that number or may show it; else the user's own number stands in
 * its place, or the call is refused. A name or an extension says nothing.
 */
export function shownOf(
  e: Enterprise,
  name: string,
  said: string,
  privacy: boolean,
  plan: Plan | undefined,
): { number: string | undefined } | 'refused' {
  const user = e.users[name] as User
  const policy = e.policies[user.policy]
  if (privacy || policy?.callerId === 'suppress') return { number: undefined }
  const own = ownNumber(e, user)
  const digits = withoutSeparators(said)
  const number = isNumber(digits) ? digits : /^\d{7,}$/.test(digits) ? normalise(plan, digits).number : ''
  if (!isNumber(number) || number === own || number === user.did) return { number: own }
  if (ownerOf(e, number) === name) return { number }
  if ([...(user.mayShow ?? []), ...(policy?.mayShow ?? [])].some((p) => new RegExp(p).test(number))) return { number }
  return policy?.otherwise === 'reject' ? 'refused' : { number: own }
}

const seconds = (written: string | undefined, otherwise: number): number =>
  written === undefined ? otherwise : Number(written.replace('s', '')) * 1000

/** One right order of attempts, and the usage by which the first of them may be made. */
export type Way = { usage: string; attempts: object[] }

/** All right ways to a number by these usages; none when no trunk may carry the call or be shown its caller. */
export function waysTo(e: Enterprise, number: string, usages: readonly string[], calling: Calling, moment: Moment) {
  const selection = select(e, number, usages, moment)
  return selection.kind === 'chosen' ? waysOver(e, selection.orders, number, calling) : []
}

export function waysOver(e: Enterprise, orders: readonly Place[][], number: string, calling: Calling): Way[] {
  const ways = orders.map((places) => {
    const made = places.map((place) => ({ place, attempt: attempt(e, place, number, calling) }))
    const left = made.filter((one) => one.attempt !== undefined)
    return { usage: left[0]?.place.usage ?? '', attempts: left.map((one) => one.attempt as object) }
  })
  return ways.filter((way) => way.attempts.length > 0)
}

function attempt(e: Enterprise, { trunk: name, route }: Place, number: string, calling: Calling) {
  const trunk = e.trunks[name]
  const list = trunk?.callerId
  let shown = calling.number
  if (list !== undefined && shown !== undefined) {
    const said = shown
    if (!list.allow.some((p) => new RegExp(p).test(said))) {
      if (list.otherwise === 'reject') return undefined
      shown = list.otherwise === 'suppress' ? undefined : list.number
    }
  }
  return {
    ...{ kind: 'trunk', trunk: name, route, called: translated(trunk?.translate.outbound.called, number) },
    ...fields(e, name, { ...calling, number: shown }),
    noResponseMs: seconds(trunk?.timers?.noResponse, 4000),
    onlyTryingMs: seconds(trunk?.timers?.tryingOnly, 10_000),
    retry: trunk?.retry ?? [408, 500, 502, 503, 504],
  }
}

/** RFC 3323: who withholds the number is Anonymous, and asks for privacy in so many words. */
export function fields(e: Enterprise, trunk: string, { number, display, diversions }: Calling) {
  const headers = diversions.map((value) => ['Diversion', value])
  if (number === undefined)
    return { calling: 'anonymous', displayName: 'Anonymous', headers: [...headers, ['Privacy', 'id']] }
  return {
    calling: translated(e.trunks[trunk]?.translate.outbound.calling, number),
    ...(display === undefined ? {} : { displayName: display }),
    ...(headers.length === 0 ? {} : { headers }),
  }
}
