import type { Configuration, Policy, Route, Trunk, User } from '@tandem/config/defaults.ts'
import { compileDialPlan, type DialPlan, normalise, readDialled } from '@tandem/numbers/dial-plan.ts'
import { callingCode, isE164 } from '@tandem/numbers/e164.ts'
import { compilePattern, type Pattern } from '@tandem/numbers/pattern.ts'
import { compileRules } from '@tandem/numbers/translate.ts'
import type {
  Authority,
  EmergencyRouting,
  ForwardTarget,
  RoutedRoute,
  RoutedSite,
  RoutedTrunk,
  RoutedUser,
  RoutingTable,
} from './table.ts'
import { compileWindows } from './time-windows.ts'
import { compileCost } from './vendor-cost.ts'

export type TableSource = {
  readonly revision: number
  /** CSV text of the rate decks by their file; only `select: cost` reads them. */
  readonly decks?: Readonly<Record<string, string>>
}

/**
 * A checked configuration → the table that decides. Everything that can be done once is done here. A pattern that the
 * engine lacks leaves its rule or route out (the check of the configuration refuses it before).
 */
export function compileTable(configuration: Configuration, source: TableSource): RoutingTable {
  const plans = new Map(Object.entries(configuration.dialPlans).map(([name, plan]) => [name, compileDialPlan(plan)]))
  const trunks = compileTrunks(configuration, plans, source)
  const routes = configuration.routes.flatMap((route) => compileRoute(route, trunks, configuration.timeZone))
  const sites = compileSites(configuration, plans)
  const byUsage = groupByUsage(routes)
  for (const trunk of trunks.values()) {
    const usages = configuration.trunks[trunk.name]?.usages ?? []
    Object.assign(trunk, { transit: authority(`trunk ${trunk.name}`, usages, byUsage) })
  }
  const users = compileUsers(configuration, plans, sites, byUsage)
  const dids = new Map<string, RoutedUser>()
  for (const user of users.values()) if (user.did !== undefined) dids.set(user.did, user)
  return {
    revision: source.revision,
    domain: configuration.domain,
    country: configuration.country,
    emergency: compileEmergency(configuration, trunks, plans, users),
    users,
    dids,
    ...compileExtensions(configuration, users),
    blocks: blocksOf(configuration, dids),
    sites,
    trunks,
    routes,
  }
}

function compileTrunks(c: Configuration, plans: ReadonlyMap<string, DialPlan>, source: TableSource) {
  const compile = (trunk: Trunk): RoutedTrunk => {
    const deck = trunk.cost === null ? undefined : c.rateDecks[trunk.cost]
    return {
      name: trunk.name,
      country: trunk.country,
      callingCode: callingCode(trunk.country),
      outbound: {
        called: compileRules(trunk.translate.outbound.called),
        calling: compileRules(trunk.translate.outbound.calling),
      },
      inbound: {
        called: compileRules(trunk.translate.inbound.called),
        calling: compileRules(trunk.translate.inbound.calling),
      },
      dialPlan: trunk.dialPlan === null ? undefined : plans.get(trunk.dialPlan),
      did: trunk.did,
      transit: { owner: `trunk ${trunk.name}`, usages: [] },
      retry: [...trunk.retry],
      noResponseMs: trunk.timers.noResponseMs,
      onlyTryingMs: trunk.timers.tryingOnlyMs,
      cost: compileCost(deck, deck?.kind === 'per-minute' ? source.decks?.[deck.file] : undefined),
    }
  }
  return new Map(Object.values(c.trunks).map((trunk) => [trunk.name, compile(trunk)]))
}

function compileRoute(route: Route, trunks: ReadonlyMap<string, RoutedTrunk>, timeZone: string): RoutedRoute[] {
  const pattern = patternOf(route.match)
  const except = route.except.map(patternOf)
  if (pattern === undefined || except.includes(undefined)) return []
  return [
    {
      name: route.name,
      pattern,
      except: except as Pattern[],
      usages: route.usages,
      trunks: route.trunks.flatMap((name) => trunks.get(name) ?? []),
      select: route.select,
      priority: route.priority,
      weight: route.weight,
      windows: compileWindows(route.when, timeZone),
    },
  ]
}

function patternOf(source: string): Pattern | undefined {
  const compiled = compilePattern(source)
  return compiled.kind === 'pattern' ? compiled.pattern : undefined
}

function groupByUsage(routes: readonly RoutedRoute[]): Map<string, RoutedRoute[]> {
  const grouped = new Map<string, RoutedRoute[]>()
  for (const route of routes) {
    for (const usage of route.usages) {
      const held = grouped.get(usage)
      if (held === undefined) grouped.set(usage, [route])
      else held.push(route)
    }
  }
  // The sort is stable: the order of the file stays among equals.
  for (const held of grouped.values()) held.sort((a, b) => a.priority - b.priority)
  return grouped
}

function authority(owner: string, usages: readonly string[], byUsage: ReadonlyMap<string, RoutedRoute[]>): Authority {
  return { owner, usages: usages.map((name) => ({ name, routes: byUsage.get(name) ?? [] })) }
}

function compileSites(c: Configuration, plans: ReadonlyMap<string, DialPlan>): Map<string, RoutedSite> {
  const compile = (name: string, dialPlan: string | null): RoutedSite => ({
    name,
    dialPlan: dialPlan === null ? undefined : plans.get(dialPlan),
    elin: c.emergency.elins[name]?.[0],
  })
  return new Map(Object.values(c.sites).map((site) => [site.name, compile(site.name, site.dialPlan)]))
}

type PolicyAuthorities = { usages: Authority; forward: Authority; ring: Authority }

function compileUsers(
  c: Configuration,
  plans: ReadonlyMap<string, DialPlan>,
  sites: ReadonlyMap<string, RoutedSite>,
  byUsage: ReadonlyMap<string, RoutedRoute[]>,
): Map<string, RoutedUser> {
  const nothing: Authority = { owner: 'no policy', usages: [] }
  const policies = new Map<string, PolicyAuthorities>()
  for (const policy of Object.values(c.policies)) {
    policies.set(policy.name, {
      usages: authority(`policy ${policy.name}`, policy.usages, byUsage),
      forward: authority(`forwarding by policy ${policy.name}`, policy.forward, byUsage),
      ring: authority(`simultaneous ring by policy ${policy.name}`, policy.ring, byUsage),
    })
  }
  const owners = new Map(
    Object.values(c.users).flatMap(({ did, name }) => (did === null ? [] : [[did, name] as const])),
  )
  const users = new Map<string, RoutedUser>()
  for (const user of Object.values(c.users)) {
    const policy = policies.get(user.policy) ?? { usages: nothing, forward: nothing, ring: nothing }
    const dialPlan = user.dialPlan === null ? undefined : plans.get(user.dialPlan)
    users.set(
      user.name,
      compileUser(c, user, policy, dialPlan, (text) =>
        forwardTarget(c, text, dialPlan ?? sites.get(user.site)?.dialPlan, owners),
      ),
    )
  }
  return users
}

function compileUser(
  c: Configuration,
  user: User,
  policy: PolicyAuthorities,
  dialPlan: DialPlan | undefined,
  target: (text: string | null) => ForwardTarget | undefined,
): RoutedUser {
  const shown = user.callerId ?? user.did ?? undefined
  const suppressed = (c.policies[user.policy] as Policy | undefined)?.callerId === 'suppress'
  return {
    name: user.name,
    identity: {
      user: user.name,
      ...(user.did === null ? {} : { number: user.did }),
      display: user.displayName,
      site: user.site,
      ...(user.costCentre === null ? {} : { costCentre: user.costCentre }),
    },
    did: user.did ?? undefined,
    site: user.site,
    dialPlan,
    ...policy,
    shows: suppressed ? undefined : shown,
    mobile: user.mobile ?? undefined,
    simultaneousRing: user.simultaneousRing,
    always: target(user.forward.always),
    noAnswer: target(user.forward.noAnswer),
    afterMs: user.forward.afterMs,
  }
}

/** A user's name, or a number as that user would dial it; anything else forwards nowhere. */
function forwardTarget(
  c: Configuration,
  text: string | null,
  plan: DialPlan | undefined,
  owners: ReadonlyMap<string, string>,
): ForwardTarget | undefined {
  if (text === null) return undefined
  if (Object.hasOwn(c.users, text)) return { kind: 'user', user: text }
  const digits = readDialled(text)
  const number = plan === undefined || isE164(digits) ? digits : normalise(plan, digits).number
  if (!isE164(number)) return undefined
  const owner = owners.get(number)
  return owner === undefined ? { kind: 'number', number } : { kind: 'user', user: owner }
}

function compileExtensions(c: Configuration, users: ReadonlyMap<string, RoutedUser>) {
  const extensions = new Map<string, RoutedUser>()
  const sole = new Map<string, RoutedUser | undefined>()
  for (const { name, extension, site } of Object.values(c.users)) {
    const user = users.get(name)
    if (extension === null || user === undefined) continue
    extensions.set(`${site} ${extension}`, user)
    sole.set(extension, sole.has(extension) ? undefined : user)
  }
  const soleExtensions = new Map<string, RoutedUser>()
  for (const [extension, user] of sole) if (user !== undefined) soleExtensions.set(extension, user)
  return { extensions, soleExtensions }
}

/** Numbers are given out by the thousand: an unassigned one beside ours is a wrong number, not a call to elsewhere. */
export const blockOf = (number: string): string => number.slice(0, -3)

function blocksOf(c: Configuration, dids: ReadonlyMap<string, RoutedUser>): Set<string> {
  const blocks = new Set<string>()
  for (const did of dids.keys()) blocks.add(blockOf(did))
  for (const elin of Object.values(c.emergency.elins).flat()) blocks.add(blockOf(elin))
  return blocks
}

function compileEmergency(
  c: Configuration,
  trunks: ReadonlyMap<string, RoutedTrunk>,
  plans: ReadonlyMap<string, DialPlan>,
  users: ReadonlyMap<string, RoutedUser>,
): EmergencyRouting {
  const { numbers, test, relayCentre, timers } = c.emergency
  const named = c.emergency.trunks.filter((name) => c.trunks[name]?.emergency)
  const able = Object.values(c.trunks).flatMap((trunk) => (trunk.emergency ? [trunk.name] : []))
  const ladder = [...new Set([...named, ...able])]
  const routed = (names: readonly string[]) => names.flatMap((name) => trunks.get(name) ?? [])
  const prefixes = [...plans.values()].map((plan) => plan.externalPrefix).filter((prefix) => prefix !== '')
  const desk = c.emergency.desk.flatMap((uri) => {
    const [, name, domain] = /^sips?:([^@;]+)@([^;>]+)/.exec(uri) ?? []
    return name !== undefined && domain === c.domain && users.has(name) ? [name] : []
  })
  return {
    numbers: new Set(numbers),
    test: new Set(test),
    all: new Set([...numbers, ...test]),
    prefixes: [...new Set(prefixes)],
    ladder: routed(ladder),
    others: routed([...trunks.keys()].filter((name) => !ladder.includes(name))),
    relayCentre: relayCentre ?? undefined,
    desk,
    noResponseMs: timers.noResponseMs,
    onlyTryingMs: timers.tryingOnlyMs,
  }
}
