/** The slow model of routes and trunks: which may carry a call to the PSTN, and in which order they are tried. */
import type { Enterprise, Moment, Route, Window } from './enterprise.ts'

/** One place of the plan: a trunk, and by which route and usage it came in. */
export type Place = { trunk: string; route: string; usage: string }
/** Every right order of the same places; or why there is none. */
export type Selection = { kind: 'chosen'; orders: Place[][] } | { kind: 'no-route' | 'no-usage' | 'closed' }

/**
 * Usages in order; in each the open routes that hold it, by priority; in each its open trunks, by priority, and by price
 * where the route asks for it; each trunk once. Then those of bad quality after the good ones, and those down at the end.
 */
export function select(e: Enterprise, number: string, usages: readonly string[], moment: Moment): Selection {
  let orders: Place[][] = [[]]
  for (const usage of usages) {
    const routes = e.routes.filter((r) => r.usages.includes(usage) && takes(r, number) && open(e, r.when, moment.at))
    orders = different(
      inTurn(routes, (r) => r.priority ?? 0).flatMap((turn) =>
        turn.reduce((now, route) => addRoute(e, now, route, usage, number, moment), orders),
      ),
    )
  }
  if (orders[0]?.length !== 0) return { kind: 'chosen', orders: different(orders.flatMap((o) => demoted(o, moment))) }
  const fitting = e.routes.filter((r) => takes(r, number))
  if (fitting.some((r) => r.usages.some((usage) => usages.includes(usage)))) return { kind: 'closed' }
  return { kind: fitting.length > 0 ? 'no-usage' : 'no-route' }
}

/** A share of the calls tries a trunk of bad quality in its ordinary place: both are right then. */
function demoted(places: readonly Place[], { down, poor }: Moment): Place[][] {
  const undecided = Object.keys(poor).filter((name) => (poor[name] as number) > 0 && (poor[name] as number) < 1)
  let tried: string[][] = [Object.keys(poor).filter((name) => poor[name] === 1)]
  for (const name of undecided) tried = tried.flatMap((some) => [some, [...some, name]])
  return tried.map((some) => {
    const isDown = (p: Place) => down.includes(p.trunk)
    const bad = (p: Place) => p.trunk in poor && !some.includes(p.trunk) && !isDown(p)
    return [...places.filter((p) => !isDown(p) && !bad(p)), ...places.filter(bad), ...places.filter(isDown)]
  })
}

function addRoute(
  e: Enterprise,
  orders: Place[][],
  route: Route,
  usage: string,
  number: string,
  moment: Moment,
): Place[][] {
  // a ported number is priced by who serves it now
  const rated = moment.ported[number] ?? number
  const trunks = route.trunks
    .filter((name) => open(e, e.trunks[name]?.when, moment.at))
    .map((name) => ({
      name,
      weight: e.trunks[name]?.weight ?? 0,
      price: route.select === 'cost' ? price(e, name, rated, moment.at) : 0,
    }))
  const rank = ({ name, price }: (typeof trunks)[number]) =>
    (e.trunks[name]?.priority ?? 0) * 1e6 + Math.min(price, 9e5)
  return different(
    orders.flatMap((places) =>
      inTurn(trunks, rank).map((turn) => [
        ...places,
        ...turn
          .filter(({ name }) => !places.some((p) => p.trunk === name))
          .map(({ name }) => ({ trunk: name, route: route.name, usage })),
      ]),
    ),
  )
}

/** Every right order: the lower rank first; among equals those with a weight in any order, then the others as listed. */
function inTurn<T extends { weight?: number }>(list: readonly T[], rank: (one: T) => number): T[][] {
  let orders: T[][] = [[]]
  for (const value of [...new Set(list.map(rank))].sort((a, b) => a - b)) {
    const equal = list.filter((one) => rank(one) === value)
    const others = equal.filter((one) => !one.weight)
    const shared = permutations(equal.filter((one) => one.weight))
    orders = orders.flatMap((order) => shared.map((some) => [...order, ...some, ...others]))
  }
  return orders
}

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]]
  return list.flatMap((one, i) => permutations(list.filter((_, j) => j !== i)).map((rest) => [one, ...rest]))
}

function different(orders: Place[][]): Place[][] {
  if (orders.length < 2) return orders
  return [...new Map(orders.map((order) => [JSON.stringify(order), order])).values()]
}

/** Of a further minute by the longest prefix in effect; a trunk without a price is the dearest. */
export function price(e: Enterprise, trunk: string, number: string, at: number): number {
  const deck = e.decks[e.trunks[trunk]?.cost ?? '']
  if (deck === undefined) return Number.POSITIVE_INFINITY
  if (deck.kind === 'bandwidth') return 0
  const begun = (from = '1970-01-01T00:00:00Z') => Date.parse(from)
  const rows = deck.rows
    .filter(({ prefix }) => number.startsWith(`+${prefix}`))
    .filter(({ from, to }) => begun(from) <= at && (to === undefined || at < Date.parse(to)))
  // of two prices of one prefix the newer
  const [best] = rows.sort((a, b) => b.prefix.length - a.prefix.length || begun(b.from) - begun(a.from))
  return best === undefined ? Number.POSITIVE_INFINITY : Number(best.perMinute)
}

const week = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

export function open(e: Enterprise, windows: readonly Window[] | undefined, at: number): boolean {
  if (windows === undefined) return true
  // 2026-03-10 10:00:00
  const [date, time] = local(e.timeZone, at)
  const clock = time.slice(0, 5)
  const weekday = new Date(`${date}T00:00:00Z`).getUTCDay()
  return windows.some(({ days = week, from = '00:00', to = '24:00' }) => {
    const today = days.includes(week[weekday] as string)
    const yesterday = days.includes(week[(weekday + 6) % 7] as string)
    if (from < to) return today && from <= clock && clock < to
    return (today && from <= clock) || (yesterday && clock < to)
  })
}

const formats = new Map<string, Intl.DateTimeFormat>()
function local(timeZone: string, at: number): [string, string] {
  const format =
    formats.get(timeZone) ?? new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone })
  formats.set(timeZone, format)
  return format.format(at).split(' ') as [string, string]
}

export const takes = (route: Route, number: string): boolean =>
  new RegExp(route.match).test(number) && !(route.except ?? []).some((x) => new RegExp(x).test(number))
