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
}
export type Trunk = {
  emergency: boolean
  priority?: number
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

export function expectCall(e: Enterprise, caller: Caller, dialledText: string): Expected {
  const dialled = withoutSeparators(dialledText.split(';')[0] ?? '')
  const user = 'user' in caller ? e.users[caller.user] : undefined
  const plan = user && 'site' in caller ? planOf(e, user, caller.site) : undefined
  const meant = emergencyNumber(e, caller, plan, dialled)
  if (meant !== undefined) return emergencyCall(e, caller, meant)
  if ('trunk' in caller) return fromTrunk(e, caller, dialled)
  return fromUser(e, caller, dialled, plan)
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

function emergencyCall(e: Enterprise, caller: Caller, meant: string): Expected {
  const names = Object.keys(e.trunks)
  const able = names.filter((n) => e.trunks[n]?.emergency)
  const ladder = [...e.emergency.trunks, ...able.filter((n) => !e.emergency.trunks.includes(n))]
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
): Expected {
  const user = e.users[caller.user] as User
  const shows = user.callerId ?? user.did
  if (dialled === '') return { reject: 484 }
  if (e.users[dialled] !== undefined) return ring(e, dialled, undefined, shows)
  const number = normalise(plan, dialled)
  const byDid = Object.keys(e.users).find((n) => e.users[n]?.did === number)
  if (byDid !== undefined) return ring(e, byDid, number, shows)
  const withExtension = Object.keys(e.users).filter((n) => e.users[n]?.extension === dialled)
  const near = withExtension.find((n) => e.users[n]?.site === caller.site)
  if (near !== undefined) return ring(e, near, number, shows)
  if (withExtension.length === 1) return ring(e, withExtension[0] as string, number, shows)
  if (!isNumber(number)) return { reject: /[^0-9*#+]/.test(dialled) ? 404 : 484 }
  return toNetwork(e, number, e.policies[user.policy]?.usages ?? [], shows)
}

/** The user's phones, and at the same time the mobile by the policy's usages for simultaneous ring. */
function ring(e: Enterprise, name: string, number: string | undefined, shows: string | undefined): Expected {
  const user = e.users[name] as User
  const branches = [`callee: ${name}`]
  if (user.simultaneousRing && user.mobile !== undefined && user.mobile !== shows) {
    const places = candidates(e, user.mobile, e.policies[user.policy]?.ring ?? [])
    if (places.length > 0) branches.push(`mobile: ${say(e, places, user.mobile, shows)}`)
  }
  const normalised = user.did ?? (number !== undefined && isNumber(number) ? number : undefined)
  return { emergency: false, ...(normalised === undefined ? {} : { normalised }), branches }
}

type Place = { trunk: string; usage: string }

/** Usages in order; in each the routes that hold it, by priority and then as listed; in each its trunks; each trunk once. */
function candidates(e: Enterprise, number: string, usages: readonly string[]): Place[] {
  const places: Place[] = []
  for (const usage of usages) {
    const routes = e.routes.filter((r) => r.usages.includes(usage) && takes(r, number))
    for (let priority = 0; priority <= 9; priority++) {
      for (const route of routes.filter((r) => (r.priority ?? 0) === priority)) {
        for (let rank = 0; rank <= 9; rank++) {
          for (const trunk of route.trunks) {
            if ((e.trunks[trunk]?.priority ?? 0) === rank && !places.some((p) => p.trunk === trunk))
              places.push({ trunk, usage })
          }
        }
      }
    }
  }
  return places
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
  not?: string,
): Expected {
  const all = candidates(e, number, usages)
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
}

/** The user who has the number; else through, by the usages of the trunk, but not back into it. */
function fromTrunk(e: Enterprise, caller: { trunk: string; number: string }, dialled: string): Expected {
  const dids = Object.values(e.users).flatMap((u) => (u.did === undefined ? [] : [u.did]))
  const forms = [dialled, `+${dialled}`, `+1${dialled}`]
  const american = /^1?([2-9]\d\d[2-9]\d{6})$/.exec(dialled)
  const number = isNumber(dialled)
    ? dialled
    : (forms.find((f) => dids.includes(f)) ?? (american ? `+1${american[1]}` : undefined))
  if (number === undefined) return { reject: 404 }
  const user = Object.keys(e.users).find((n) => e.users[n]?.did === number)
  if (user !== undefined) return ring(e, user, number, caller.number)
  const through = toNetwork(e, number, e.trunks[caller.trunk]?.usages ?? [], caller.number, caller.trunk)
  const ours = [...dids, ...Object.values(e.emergency.elins).flat()]
  const neighbour = ours.some((one) => one.slice(0, -3) === number.slice(0, -3))
  return 'reject' in through && neighbour ? { reject: 404 } : through
}
