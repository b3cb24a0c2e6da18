/**
 * A slow, plain model of what Lync Server 2013 documents ("Dial plans and normalization rules", "Voice policies and PSTN
 * usage records", "Voice routes", "Translation rules", "Outbound call routing") with the differences that we state:
 * emergency numbers first, priorities of trunks, 404 for numbers of ours that nobody has. It knows nothing of how the
 * product does it and shares no code with it: JavaScript's own regular expressions, no tables, everything done again for
 * each call.
 */
export type Rule = { name: string; match: string; to: string; internal?: boolean }
export type Plan = { externalPrefix?: string; rules: Rule[] }
export type Route = {
  name: string
  match: string
  except?: string[]
  usages: string[]
  trunks: string[]
  priority?: number
  weight?: number
  select?: 'order' | 'cost'
  when?: Window[]
}
/** Hours in `timeZone`; an end before the beginning is on the next day. */
export type Window = { days?: string[]; from?: string; to?: string }
/** Prices of a further minute by prefix; `bandwidth` costs nothing more for one more call. */
export type Deck = { kind: 'bandwidth' } | { kind: 'per-minute'; rows: [prefix: string, perMinute: string][] }
/** When the call is made and what is known of the trunks then. */
export type Moment = { at: number; down: string[]; poor: string[] }
export type Trunk = {
  emergency: boolean
  priority?: number
  weight?: number
  when?: Window[]
  cost?: string
  usages?: string[]
  translate: { outbound: { called?: Translation[]; calling?: Translation[] } }
}
export type Translation = { match: string; to: string }
export type User = {
  did?: string
  extension?: string
  site: string
  policy: string
  dialPlan?: string
  mobile?: string
  simultaneousRing?: boolean
  callerId?: string
}
export type Enterprise = {
  timeZone: string
  decks: Record<string, Deck>
  dialPlan?: string
  sites: Record<string, { dialPlan?: string }>
  dialPlans: Record<string, Plan>
  policies: Record<string, { usages: string[]; ring: string[] }>
  routes: Route[]
  trunks: Record<string, Trunk>
  users: Record<string, User>
  emergency: {
    numbers: string[]
    test: string[]
    trunks: string[]
    relayCentre?: string
    elins: Record<string, string[]>
    deskUsers: string[]
  }
}
export type Caller = { user: string; site: string } | { trunk: string; number: string }

/** What must come out, in a form that can be compared. */
export type Expected =
  | { reject: number }
  | { emergency: boolean; normalised?: string; usage?: string; branches: string[] }

/** Every answer that is right: where weights share calls out, any order of those that share is. */
export function expectCall(e: Enterprise, caller: Caller, dialledText: string, moment: Moment): Expected[] {
  const dialled = withoutSeparators(dialledText.split(';')[0] ?? '')
  const user = 'user' in caller ? e.users[caller.user] : undefined
  const plan = user && 'site' in caller ? planOf(e, user, caller.site) : undefined
  const meant = emergencyNumber(e, caller, plan, dialled)
  if (meant !== undefined) return [emergencyCall(e, caller, meant, moment)]
  if ('trunk' in caller) return fromTrunk(e, caller, dialled, moment)
  return fromUser(e, caller, dialled, plan, moment)
}

function withoutSeparators(text: string): string {
  return /^\+?[0-9*# .()-]*$/.test(text) ? text.replace(/[ .()-]/g, '') : text
}

/** Scope: user, then site, then global. A user who is elsewhere dials as there, if there is a dial plan. */
function planOf(e: Enterprise, user: User, here: string): Plan | undefined {
  const names = [user.dialPlan, e.sites[here]?.dialPlan, e.sites[user.site]?.dialPlan, e.dialPlan]
  const name = names.find((n) => n !== undefined)
  return name === undefined ? undefined : e.dialPlans[name]
}

/** The matched part is replaced; what an unanchored pattern leaves stays around it. */
function apply({ match, to }: Translation, text: string): string | undefined {
  const found = new RegExp(match).exec(text)
  if (found === null) return undefined
  let made = ''
  for (let i = 0; i < to.length; i++) {
    const group = to[i] === '$' ? Number(to[i + 1]) : Number.NaN
    if (Number.isNaN(group)) made += to[i]
    else {
      made += found[group] ?? ''
      i++
    }
  }
  return text.slice(0, found.index) + made + text.slice(found.index + found[0].length)
}
function firstMatch(rules: readonly Translation[], text: string): string | undefined {
  for (const rule of rules) {
    const made = apply(rule, text)
    if (made !== undefined) return made
  }
  return undefined
}

/** Internal rules; then the others without the external access prefix, if it is there; then the others as dialled. */
function normalise(plan: Plan | undefined, dialled: string): string {
  if (plan === undefined) return dialled
  const inside = firstMatch(
    plan.rules.filter((r) => r.internal === true),
    dialled,
  )
  if (inside !== undefined) return inside
  const others = plan.rules.filter((r) => r.internal !== true)
  const prefix = plan.externalPrefix ?? ''
  if (prefix !== '' && dialled.startsWith(prefix) && dialled !== prefix) {
    const outside = firstMatch(others, dialled.substring(prefix.length))
    if (outside !== undefined) return outside
  }
  return firstMatch(others, dialled) ?? dialled
}

const isNumber = (text: string): boolean => /^\+[1-9][0-9]{2,14}$/.test(text)

function emergencyNumber(e: Enterprise, caller: Caller, plan: Plan | undefined, dialled: string): string | undefined {
  if ('trunk' in caller && (e.trunks[caller.trunk]?.usages ?? []).length === 0) return undefined
  const all = [...e.emergency.numbers, ...e.emergency.test]
  const prefixes = 'trunk' in caller ? Object.values(e.dialPlans).map((p) => p.externalPrefix) : [plan?.externalPrefix]
  return all.find(
    (n) =>
      dialled === n || dialled === `+${n}` || prefixes.some((p) => p !== undefined && p !== '' && dialled === p + n),
  )
}

/** Neither priority nor weight, hours, cost, quality or drain order a call for help: only a trunk that is down comes later. */
function emergencyCall(e: Enterprise, caller: Caller, meant: string, { down }: Moment): Expected {
  const names = Object.keys(e.trunks)
  const able = names.filter((n) => e.trunks[n]?.emergency)
  const named = [...e.emergency.trunks, ...able.filter((n) => !e.emergency.trunks.includes(n))]
  const ladder = [...named.filter((n) => !down.includes(n)), ...named.filter((n) => down.includes(n))]
  const user = 'user' in caller ? e.users[caller.user] : undefined
  const back =
    'trunk' in caller ? caller.number : (user?.did ?? e.emergency.elins[caller.site]?.[0] ?? user?.callerId ?? '')
  const steps = ladder.map((n) => `${n} ${meant} ${calling(e, n, back)}`)
  const { relayCentre } = e.emergency
  if (relayCentre !== undefined && !e.emergency.test.includes(meant)) {
    for (const n of [...ladder, ...names.filter((one) => !ladder.includes(one))])
      steps.push(`${n} ${called(e, n, relayCentre)} ${calling(e, n, back)}`)
  }
  for (const one of e.emergency.deskUsers) if (!('user' in caller) || one !== caller.user) steps.push(one)
  return { emergency: true, branches: [`callee: ${steps.join(', ')}`] }
}

function called(e: Enterprise, trunk: string, number: string): string {
  return firstMatch(e.trunks[trunk]?.translate.outbound.called ?? [], number) ?? number
}
function calling(e: Enterprise, trunk: string, number: string | undefined): string {
  if (number === undefined) return 'anonymous'
  return firstMatch(e.trunks[trunk]?.translate.outbound.calling ?? [], number) ?? number
}

function fromUser(
  e: Enterprise,
  caller: { user: string; site: string },
  dialled: string,
  plan: Plan | undefined,
  moment: Moment,
): Expected[] {
  const user = e.users[caller.user] as User
  const shows = user.callerId ?? user.did
  if (dialled === '') return [{ reject: 484 }]
  if (e.users[dialled] !== undefined) return ring(e, dialled, undefined, shows, moment)
  const number = normalise(plan, dialled)
  const byDid = Object.keys(e.users).find((n) => e.users[n]?.did === number)
  if (byDid !== undefined) return ring(e, byDid, number, shows, moment)
  const withExtension = Object.keys(e.users).filter((n) => e.users[n]?.extension === dialled)
  const near = withExtension.find((n) => e.users[n]?.site === caller.site)
  if (near !== undefined) return ring(e, near, number, shows, moment)
  if (withExtension.length === 1) return ring(e, withExtension[0] as string, number, shows, moment)
  if (!isNumber(number)) return [{ reject: /[^0-9*#+]/.test(dialled) ? 404 : 484 }]
  return toNetwork(e, number, e.policies[user.policy]?.usages ?? [], shows, moment)
}

/** The user's phones, and at the same time the mobile by the policy's usages for simultaneous ring. */
function ring(
  e: Enterprise,
  name: string,
  number: string | undefined,
  shows: string | undefined,
  moment: Moment,
): Expected[] {
  const user = e.users[name] as User
  const normalised = user.did ?? (number !== undefined && isNumber(number) ? number : undefined)
  const rings = (...mobile: string[]): Expected => ({
    emergency: false,
    ...(normalised === undefined ? {} : { normalised }),
    branches: [`callee: ${name}`, ...mobile],
  })
  const { mobile } = user
  if (!user.simultaneousRing || mobile === undefined || mobile === shows) return [rings()]
  return candidates(e, mobile, e.policies[user.policy]?.ring ?? [], moment).map((places) =>
    places.length > 0 ? rings(`mobile: ${say(e, places, mobile, shows)}`) : rings(),
  )
}

type Place = { trunk: string; usage: string }

/**
 * Usages in order; in each the open routes that hold it, by priority; in each its open trunks, by priority, and by price
 * where the route asks for it; each trunk once. Then those of bad quality after the good ones, and those down at the end.
 */
function candidates(e: Enterprise, number: string, usages: readonly string[], moment: Moment): Place[][] {
  let plans: Place[][] = [[]]
  for (const usage of usages) {
    const routes = e.routes.filter((r) => r.usages.includes(usage) && takes(r, number) && open(e, r.when, moment.at))
    plans = different(
      inTurn(routes, (r) => r.priority ?? 0).flatMap((order) =>
        order.reduce((now, route) => addRoute(e, now, route, usage, number, moment), plans),
      ),
    )
  }
  const { down, poor } = moment
  return plans.map((places) => {
    const bad = (p: Place) => poor.includes(p.trunk) && !down.includes(p.trunk)
    const good = places.filter((p) => !down.includes(p.trunk) && !bad(p))
    return [...good, ...places.filter(bad), ...places.filter((p) => down.includes(p.trunk))]
  })
}

function addRoute(
  e: Enterprise,
  plans: Place[][],
  route: Route,
  usage: string,
  number: string,
  moment: Moment,
): Place[][] {
  const trunks = route.trunks
    .filter((name) => open(e, e.trunks[name]?.when, moment.at))
    .map((name) => ({
      name,
      weight: e.trunks[name]?.weight ?? 0,
      price: route.select === 'cost' ? price(e, name, number) : 0,
    }))
  const rank = ({ name, price }: (typeof trunks)[number]) =>
    (e.trunks[name]?.priority ?? 0) * 1e6 + Math.min(price, 9e5)
  const orders = inTurn(trunks, rank)
  return different(
    plans.flatMap((places) =>
      orders.map((order) => [
        ...places,
        ...order
          .filter(({ name }) => !places.some((p) => p.trunk === name))
          .map(({ name }) => ({ trunk: name, usage })),
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

function different(plans: Place[][]): Place[][] {
  return [...new Map(plans.map((plan) => [JSON.stringify(plan), plan])).values()]
}

/** Of a further minute by the longest prefix that has one; a trunk without a price is the dearest. */
function price(e: Enterprise, trunk: string, number: string): number {
  const deck = e.decks[e.trunks[trunk]?.cost ?? '']
  if (deck === undefined) return Number.POSITIVE_INFINITY
  if (deck.kind === 'bandwidth') return 0
  const rows = deck.rows.filter(([prefix]) => number.startsWith(`+${prefix}`))
  const longest = rows.sort((a, b) => b[0].length - a[0].length)[0]
  return longest === undefined ? Number.POSITIVE_INFINITY : Number(longest[1])
}

const week = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

function open(e: Enterprise, windows: readonly Window[] | undefined, at: number): boolean {
  if (windows === undefined) return true
  // 2026-03-10 10:00:00
  const [date, time] = new Date(at).toLocaleString('sv-SE', { timeZone: e.timeZone }).split(' ') as [string, string]
  const clock = time.slice(0, 5)
  const weekday = new Date(`${date}T00:00:00Z`).getUTCDay()
  return windows.some(({ days = week, from = '00:00', to = '24:00' }) => {
    const today = days.includes(week[weekday] as string)
    const yesterday = days.includes(week[(weekday + 6) % 7] as string)
    if (from < to) return today && from <= clock && clock < to
    return (today && from <= clock) || (yesterday && clock < to)
  })
}

const takes = (route: Route, number: string): boolean =>
  new RegExp(route.match).test(number) && !(route.except ?? []).some((x) => new RegExp(x).test(number))

const say = (e: Enterprise, places: readonly Place[], number: string, shows: string | undefined): string =>
  places.map(({ trunk }) => `${trunk} ${called(e, trunk, number)} ${calling(e, trunk, shows)}`).join(', ')

function toNetwork(
  e: Enterprise,
  number: string,
  usages: readonly string[],
  shows: string | undefined,
  moment: Moment,
  not?: string,
): Expected[] {
  return candidates(e, number, usages, moment).map((all) => {
    if (all.length === 0) return { reject: e.routes.some((r) => takes(r, number)) ? 403 : 404 }
    const places = all.filter(({ trunk }) => trunk !== not)
    const [first] = places
    if (first === undefined) return { reject: 403 }
    return {
      emergency: false,
      normalised: number,
      usage: first.usage,
      branches: [`callee: ${say(e, places, number, shows)}`],
    }
  })
}

/** The user who has the number; else through, by the usages of the trunk, but not back into it. */
function fromTrunk(
  e: Enterprise,
  caller: { trunk: string; number: string },
  dialled: string,
  moment: Moment,
): Expected[] {
  const dids = Object.values(e.users).flatMap((u) => (u.did === undefined ? [] : [u.did]))
  const forms = [dialled, `+${dialled}`, `+1${dialled}`]
  const american = /^1?([2-9]\d\d[2-9]\d{6})$/.exec(dialled)
  const number = isNumber(dialled)
    ? dialled
    : (forms.find((f) => dids.includes(f)) ?? (american ? `+1${american[1]}` : undefined))
  if (number === undefined) return [{ reject: 404 }]
  const user = Object.keys(e.users).find((n) => e.users[n]?.did === number)
  if (user !== undefined) return ring(e, user, number, caller.number, moment)
  const through = toNetwork(e, number, e.trunks[caller.trunk]?.usages ?? [], caller.number, moment, caller.trunk)
  const ours = [...dids, ...Object.values(e.emergency.elins).flat()]
  const neighbour = ours.some((one) => one.slice(0, -3) === number.slice(0, -3))
  return through.map((one) => ('reject' in one && neighbour ? { reject: 404 } : one))
}
