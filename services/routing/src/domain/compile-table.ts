import type { Configuration, Policy, Route, Trunk } from '@tandem/config/defaults.ts'
import { compileDialPlan, type DialPlan } from '@tandem/numbers/dial-plan.ts'
import { callingCode } from '@tandem/numbers/e164.ts'
import { compilePattern, type Pattern } from '@tandem/numbers/pattern.ts'
import { compileRules } from '@tandem/numbers/translate.ts'
import { compilePatterns, type Directory, type DirectoryBuilder, directoryBuilder } from './compile-users.ts'
import { indexNumbers, type NumberIndex } from './number-index.ts'
import { buildPrices, type PriceTree } from './price-tree.ts'
import type {
  Authority,
  CallerIdPolicy,
  EmergencyRouting,
  RoutedPolicy,
  RoutedRoute,
  RoutedSite,
  RoutedTrunk,
  RoutingTable,
} from './table.ts'
import { compileWindows } from './time-windows.ts'
import { compileCost } from './vendor-cost.ts'

export type TableSource = {
  readonly revision: number
  /** CSV text of the rate decks and lists of numbers by their file; only `select: cost` reads prices. */
  readonly decks?: Readonly<Record<string, string>>
}

/** What is made of the files: flat arrays, that another process may have made. */
export type CompiledFiles = {
  readonly revision: number
  readonly prices: ReadonlyMap<string, PriceTree>
  readonly numbers: readonly NumberIndex[]
}

/** The files of a configuration that routing reads. */
export function compileFiles(
  { trunks, rateDecks, numberFiles }: Pick<Configuration, 'trunks' | 'rateDecks' | 'numberFiles'>,
  { revision, decks = {} }: TableSource,
): CompiledFiles {
  const prices = new Map<string, PriceTree>()
  for (const { cost } of Object.values(trunks)) {
    const deck = cost === null ? undefined : rateDecks[cost]
    const csv = deck?.kind === 'per-minute' ? decks[deck.file] : undefined
    if (deck?.kind === 'per-minute' && csv !== undefined && !prices.has(deck.file))
      prices.set(deck.file, buildPrices(csv))
  }
  return { revision, prices, numbers: numberFiles.flatMap((file) => indexNumbers(decks[file] ?? '')) }
}

/**
 * A checked configuration → the table that decides. Everything that can be done once is done here. A pattern that the
 * engine lacks leaves its rule or route out (the check of the configuration refuses it before).
 */
export function compileTable(configuration: Configuration, source: TableSource): RoutingTable {
  const builder = tableBuilder(configuration, compileFiles(configuration, source))
  builder.add(Object.values(configuration.users))
  return builder.finish()
}

/** The same in steps: everything but the users at once, those in slices as the caller has time. */
export function tableBuilder(
  configuration: Configuration,
  files: CompiledFiles,
): { add: DirectoryBuilder['add']; finish(): RoutingTable } {
  const plans = new Map(Object.entries(configuration.dialPlans).map(([name, plan]) => [name, compileDialPlan(plan)]))
  const trunks = compileTrunks(configuration, plans, files)
  const routes = configuration.routes.flatMap((route) => compileRoute(route, trunks, configuration.timeZone))
  const sites = compileSites(configuration, plans)
  const byUsage = groupByUsage(routes)
  for (const trunk of trunks.values()) {
    const usages = configuration.trunks[trunk.name]?.usages ?? []
    Object.assign(trunk, { transit: authority(`trunk ${trunk.name}`, usages, byUsage) })
  }
  const people = directoryBuilder(configuration, plans, sites, compilePolicies(configuration, byUsage), files.numbers)
  return {
    add: people.add,
    finish() {
      const directory = people.finish()
      return {
        revision: files.revision,
        domain: configuration.domain,
        country: configuration.country,
        timeZone: configuration.timeZone,
        dialPlan: configuration.dialPlan === null ? undefined : plans.get(configuration.dialPlan),
        emergency: compileEmergency(configuration, trunks, plans, directory),
        ...directory,
        sites,
        trunks,
        routes,
      }
    },
  }
}

function compileTrunks(c: Configuration, plans: ReadonlyMap<string, DialPlan>, files: CompiledFiles) {
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
      trusted: trunk.trusted,
      callerId: compileCallerId(trunk),
      priority: trunk.priority,
      weight: trunk.weight,
      windows: compileWindows(trunk.when, c.timeZone),
      transit: { owner: `trunk ${trunk.name}`, usages: [] },
      retry: [...trunk.retry],
      noResponseMs: trunk.timers.noResponseMs,
      onlyTryingMs: trunk.timers.tryingOnlyMs,
      limits: trunk.limits,
      cost: compileCost(deck, deck?.kind === 'per-minute' ? files.prices.get(deck.file) : undefined),
    }
  }
  return new Map(Object.values(c.trunks).map((trunk) => [trunk.name, compile(trunk)]))
}

function compileCallerId({ callerId }: Trunk): CallerIdPolicy | undefined {
  if (callerId === null) return undefined
  return {
    allow: compilePatterns(callerId.allow),
    otherwise: callerId.otherwise,
    number: callerId.number ?? undefined,
  }
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
    callback: c.sites[name]?.emergencyCallback ?? undefined,
  })
  return new Map(Object.values(c.sites).map((site) => [site.name, compile(site.name, site.dialPlan)]))
}

function compilePolicies(c: Configuration, byUsage: ReadonlyMap<string, RoutedRoute[]>): Map<string, RoutedPolicy> {
  const compile = ({ name, usages, forward, ring, callerId, showAs, mayShow, otherwise }: Policy): RoutedPolicy => ({
    usages: authority(`policy ${name}`, usages, byUsage),
    forward: authority(`forwarding by policy ${name}`, forward, byUsage),
    ring: authority(`simultaneous ring by policy ${name}`, ring, byUsage),
    suppress: callerId === 'suppress',
    showAs: showAs ?? undefined,
    mayShow: compilePatterns(mayShow),
    otherwise,
  })
  return new Map(Object.values(c.policies).map((policy) => [policy.name, compile(policy)]))
}

function compileEmergency(
  c: Configuration,
  trunks: ReadonlyMap<string, RoutedTrunk>,
  plans: ReadonlyMap<string, DialPlan>,
  { users }: Directory,
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
