import { brief, type Circumstances } from './circumstances.ts'
import type { Ported } from './number-facts.ts'
import type { Authority, RoutedRoute, RoutedTrunk, RoutingTable } from './table.ts'
import { isOpen, sayTime } from './time-windows.ts'

/** One place in the plan. */
export type Pick = { readonly trunk: RoutedTrunk; readonly route: RoutedRoute; readonly usage: string }

export type Selection =
  /** In the order in which they are tried; each trunk once. */
  | { readonly kind: 'chosen'; readonly picks: readonly Pick[] }
  /** Some route takes the number, but no usage of the authority holds it. */
  | { readonly kind: 'not-allowed'; readonly route: RoutedRoute }
  /** Allowed, but not at this time. */
  | { readonly kind: 'closed'; readonly route: RoutedRoute }
  | { readonly kind: 'no-route' }

/**
 * routing.md R2 and R3: the usages in order, in each its routes by priority, in each its trunks as listed; the first
 * usage whose route matches wins, the later ones are the failover.
 *
 * `seed` decides among routes of equal priority that have weights: the same call always gets the same plan.
 */
export function selectTrunks(
  number: string,
  authority: Authority,
  table: RoutingTable,
  seed: string,
  circumstances: Circumstances,
): Selection {
  const picks: Pick[] = []
  let closed: RoutedRoute | undefined
  let fitting: RoutedRoute | undefined
  for (const usage of authority.usages) {
    const taken: RoutedRoute[] = []
    for (const route of usage.routes) {
      const fit = fits(route, number, usage.name, circumstances)
      if (fit === 'open') taken.push(route)
      else if (fit === 'closed') closed ??= route
    }
    if (taken[0] !== undefined) fitting ??= taken[0]
    for (const route of byWeight(taken, seed)) addTrunks(picks, route, usage.name, number, seed, circumstances)
  }
  if (picks.length > 0) return { kind: 'chosen', picks: demote(picks, seed, circumstances) }
  // A route fits, but none of its trunks is used at this time.
  closed ??= fitting
  if (closed !== undefined) return { kind: 'closed', route: closed }
  return whyNot(number, authority, table, circumstances)
}

function fits(route: RoutedRoute, number: string, usage: string, { now, note }: Circumstances) {
  const item = `usage ${usage}, route ${route.name}`
  if (!route.pattern.test(number)) {
    note?.('authorisation', item, 'no-match', `${route.pattern.source} does not take ${number}`)
    return 'no'
  }
  for (const except of route.except) {
    if (!except.test(number)) continue
    note?.('authorisation', item, 'skipped', `${number} is one of its exceptions: ${except.source}`)
    return 'no'
  }
  if (route.windows !== undefined && !isOpen(route.windows, now)) {
    note?.('authorisation', item, 'skipped', `not at this time (${sayTime(route.windows, now)})`)
    return 'closed'
  }
  note?.('authorisation', item, 'matched', `${route.pattern.source} takes ${number}`)
  return 'open'
}

function addTrunks(
  picks: Pick[],
  route: RoutedRoute,
  usage: string,
  number: string,
  seed: string,
  c: Circumstances,
): void {
  const item = (trunk: RoutedTrunk) => `route ${route.name}, trunk ${trunk.name}`
  for (const trunk of inOrder(route, number, seed, c)) {
    if (picks.some((pick) => pick.trunk === trunk)) {
      c.note?.('selection', item(trunk), 'skipped', 'has an earlier place in the plan')
      continue
    }
    picks.push({ trunk, route, usage })
    c.note?.('selection', item(trunk), 'matched', `place ${picks.length}`)
  }
}

export const sayPorted = ({ routingNumber, carrier }: Ported): string =>
  `is ported: priced as ${routingNumber}${carrier === undefined ? '' : `, which ${carrier} serves`}`

/** By priority, then the cheapest where the route asks for it, then a share by weight, else as listed. */
function inOrder(
  route: RoutedRoute,
  number: string,
  seed: string,
  { now, note, facts }: Circumstances,
): readonly RoutedTrunk[] {
  const item = (trunk: RoutedTrunk) => `route ${route.name}, trunk ${trunk.name}`
  const open = route.trunks.filter((trunk) => {
    if (trunk.windows === undefined || isOpen(trunk.windows, now)) return true
    note?.('selection', item(trunk), 'skipped', `not at this time (${sayTime(trunk.windows, now)})`)
    return false
  })
  if (open.length < 2) return open
  const byCost = route.select === 'cost'
  const ported = byCost ? facts?.ported(number) : undefined
  // A carrier charges by who serves the number, which its digits do not say once it was ported.
  const rated = (ported?.routingNumber ?? number).slice(1)
  if (ported !== undefined) note?.('selection', `number ${number}`, 'note', sayPorted(ported))
  const ranked = open.map((trunk) => ({ trunk, cost: byCost ? trunk.cost?.of(rated, now) : 0 }))
  if (byCost && note !== undefined) {
    for (const { trunk, cost } of ranked) {
      const detail = cost === undefined ? 'no price for this number: last' : `${cost} per further minute`
      note('selection', item(trunk), 'note', detail)
    }
  }
  const rank = (cost: number | undefined) => cost ?? Number.MAX_VALUE
  const before = (a: (typeof ranked)[number], b: (typeof ranked)[number]) =>
    a.trunk.priority - b.trunk.priority || rank(a.cost) - rank(b.cost)
  const weighed = open.every(({ weight }) => weight === 0)
    ? ranked
    : ranked
        .map((each) => ({ ...each, key: draw(each.trunk.weight, `${seed} ${each.trunk.name}`) }))
        .sort((a, b) => b.key - a.key)
  return weighed.sort(before).map(({ trunk }) => trunk)
}

/**
 * Quality and health demote, they never erase: a trunk that is down may only seem so, and the last resort is still tried.
 * A share of the calls tries a trunk of bad quality in its ordinary place, else it could never show that it is good again.
 */
function demote(picks: readonly Pick[], seed: string, { down, poor, note }: Circumstances): readonly Pick[] {
  if (down.size === 0 && poor.size === 0) return picks
  const later: [Pick[], Pick[], Pick[]] = [[], [], []]
  for (const pick of picks) {
    const { name } = pick.trunk
    const bad = poor.get(name)
    if (down.has(name)) {
      note?.('selection', `trunk ${name}`, 'note', 'does not answer or is drained: tried last')
      later[2].push(pick)
    } else if (bad !== undefined && !probes(name, seed, bad.probe)) {
      note?.('selection', `trunk ${name}`, 'note', `demoted by quality (${bad.why}): tried after the good ones`)
      later[1].push(pick)
    } else later[0].push(pick)
  }
  return later.flat()
}

const probes = (trunk: string, seed: string, share: number): boolean =>
  share > 0 && hash(`probe ${seed} ${trunk}`) < share * 2 ** 32

/** Routes come by priority; among equals that have weights, a share of the calls begins with each. */
function byWeight(routes: readonly RoutedRoute[], seed: string): readonly RoutedRoute[] {
  if (routes.length < 2 || routes.every((route) => route.weight === 0)) return routes
  return routes
    .map((route) => ({ route, key: draw(route.weight, `${seed} ${route.name}`) }))
    .sort((a, b) => a.route.priority - b.route.priority || b.key - a.key)
    .map(({ route }) => route)
}

/** Sampling by u^(1/w): the largest comes first with a chance in proportion to its weight. */
function draw(weight: number, seed: string): number {
  const share = (hash(seed) + 1) / 2 ** 32
  return weight === 0 ? -1 : share ** (1 / weight)
}

/** FNV-1a with a final mix, below 2^32 - 1. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d)
  state = Math.imul(state ^ (state >>> 12), 0x297a2d39)
  return (state ^ (state >>> 15)) >>> 0
}

/** R2: refused for want of a usage is 403; for want of any route 404. */
function whyNot(number: string, authority: Authority, table: RoutingTable, { note }: Circumstances): Selection {
  const held = new Set(authority.usages.map((usage) => usage.name))
  for (const route of table.routes) {
    if (route.usages.some((usage) => held.has(usage))) continue
    const matches = route.pattern.test(number) && !route.except.some((except) => except.test(number))
    note?.(
      'authorisation',
      `route ${route.name}`,
      matches ? 'skipped' : 'no-match',
      matches
        ? `takes ${brief(number)}, but only for ${route.usages.join(', ')}, which ${authority.owner} does not hold`
        : `${route.pattern.source} does not take ${brief(number)}`,
    )
    if (matches) return { kind: 'not-allowed', route }
  }
  return { kind: 'no-route' }
}
