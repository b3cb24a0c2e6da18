/** What the schema cannot see: names that point at each other. Runs every other check after the schema has passed. */
import { addressProblems } from './address-check.ts'
import { costProblems } from './cost-check.ts'
import { emergencyProblems } from './emergency-check.ts'
import { type Findings, startFindings } from './findings.ts'
import { forwardProblems } from './forward-check.ts'
import { interimProblems } from './interim-check.ts'
import { inventoryProblems } from './inventory-check.ts'
import { mediaProblems } from './media-check.ts'
import { numberProblems } from './number-check.ts'
import { patternProblems } from './pattern-check.ts'
import { qualityProblems } from './quality-check.ts'
import type { ConfigurationDocument } from './schema.ts'
import type { Source } from './source.ts'
import { tlsProblems } from './tls-check.ts'

export function referenceProblems(
  document: ConfigurationDocument,
  source: Source,
  options: { lint: boolean } = { lint: true },
): Findings {
  const found = startFindings(source)
  const names = namesOf(document)
  siteReferences(document, names, found)
  userReferences(document, names, found)
  usageReferences(document, found)
  trunkReferences(document, names, found)
  locationReferences(document, names, found)
  billingReferences(document, names, found)
  testReferences(document, names, found)
  addressProblems(document, found)
  numberProblems(document, found)
  inventoryProblems(document, found)
  patternProblems(document, found, options)
  emergencyProblems(document, found)
  forwardProblems(document, found)
  qualityProblems(document, found)
  costProblems(document, found)
  mediaProblems(document, found)
  interimProblems(document, found)
  tlsProblems(document, found)
  return found
}

type Section =
  | 'sites'
  | 'pools'
  | 'dialPlans'
  | 'policies'
  | 'trunks'
  | 'users'
  | 'locations'
  | 'rateDecks'
  | 'listeners'
  | 'routes'
type Trunks = ConfigurationDocument['trunks']
type Names = Record<Section, ReadonlySet<string>>

function namesOf(d: ConfigurationDocument): Names {
  const keys = (record: object | undefined) => new Set(Object.keys(record ?? {}))
  return {
    sites: keys(d.sites),
    pools: keys(d.pools),
    dialPlans: keys(d.dialPlans),
    policies: keys(d.policies),
    trunks: keys(d.trunks),
    users: keys(d.users),
    locations: keys(d.locations),
    rateDecks: keys(d.rateDecks),
    listeners: keys(d.edge.listen),
    routes: new Set((d.routes ?? []).map((r) => r.name)),
  }
}

function siteReferences(d: ConfigurationDocument, names: Names, found: Findings): void {
  found.refer(['dialPlan'], d.dialPlan, 'dial plan', names.dialPlans)
  for (const [name, pool] of Object.entries(d.pools ?? {}))
    found.refer(['pools', name, 'dialPlan'], pool.dialPlan, 'dial plan', names.dialPlans)
  for (const [name, site] of Object.entries(d.sites)) {
    found.refer(['sites', name, 'dialPlan'], site.dialPlan, 'dial plan', names.dialPlans)
    found.refer(['sites', name, 'location'], site.location, 'location', names.locations)
  }
}

function userReferences(d: ConfigurationDocument, names: Names, found: Findings): void {
  for (const [name, user] of Object.entries(d.users)) {
    const at = ['users', name]
    found.refer([...at, 'site'], user.site, 'site', names.sites)
    found.refer([...at, 'policy'], user.policy, 'policy', names.policies)
    found.refer([...at, 'pool'], user.pool, 'pool', names.pools)
    found.refer([...at, 'dialPlan'], user.dialPlan, 'dial plan', names.dialPlans)
    found.refer([...at, 'location'], user.location, 'location', names.locations)
    if (user.simultaneousRing && !user.mobile) {
      found.problem(
        [...at, 'simultaneousRing'],
        `${name} has no mobile to ring`,
        'Add mobile: "+1…", or take simultaneousRing away.',
        'key',
      )
    }
  }
}

/** A usage exists by being said in a route; one that only a policy says reaches nothing. */
function usageReferences(d: ConfigurationDocument, found: Findings): void {
  const routed = new Set((d.routes ?? []).flatMap((r) => r.usages))
  const held = new Set<string>()
  for (const [name, policy] of Object.entries(d.policies)) {
    for (const way of ['usages', 'forward', 'ring'] as const) {
      for (const [i, usage] of (policy[way] ?? []).entries()) {
        held.add(usage)
        found.refer(['policies', name, way, i], usage, 'route with the PSTN usage', routed)
      }
    }
  }
  for (const [name, trunk] of Object.entries(d.trunks)) {
    for (const [i, usage] of (trunk.usages ?? []).entries()) {
      held.add(usage)
      found.refer(['trunks', name, 'usages', i], usage, 'route with the PSTN usage', routed)
    }
  }
  const seen = new Map<string, number>()
  for (const [i, route] of (d.routes ?? []).entries()) {
    const before = seen.get(route.name)
    if (before !== undefined) {
      found.problem(
        ['routes', i, 'name'],
        `two routes are named ${route.name}`,
        `The other is at ${found.where(['routes', before, 'name'])}: give one another name.`,
      )
    }
    seen.set(route.name, i)
    if (!route.usages.some((u) => held.has(u))) {
      found.warn(
        ['routes', i, 'usages'],
        `no policy holds a usage of route ${route.name}: nobody can use it`,
        `Add ${route.usages[0]} to the usages of a policy.`,
      )
    }
  }
}

function trunkReferences(d: ConfigurationDocument, names: Names, found: Findings): void {
  for (const [name, trunk] of Object.entries(d.trunks)) {
    const at = ['trunks', name]
    found.refer([...at, 'listener'], trunk.listener, 'listener', names.listeners)
    found.refer([...at, 'cost'], trunk.cost, 'rate deck', names.rateDecks)
    found.refer([...at, 'dialPlan'], trunk.dialPlan, 'dial plan', names.dialPlans)
    if (!trunk.from && !trunk.register && !trunk.credentials && !trunk.authenticate && !trunk.tls?.clientCertificate) {
      found.problem(
        at,
        `nothing says which calls come from ${name}: it has neither from nor credentials`,
        `Add from: ["${hostOf(trunk.to[0])}"], authenticate: { user, password }, or register: { registrar, user, password }.`,
        'key',
      )
    }
    const namesake = Object.entries(d.trunks).find(
      ([other, t]) =>
        other !== name && !t.from && !trunk.from && t.listener === trunk.listener && sameDigestUser(t, trunk),
    )
    if (namesake) {
      found.problem(
        [...at, 'authenticate', 'user'],
        `${name} and ${namesake[0]} have one digest user: their calls cannot be told apart`,
        'Give each a user of its own.',
      )
    }
    const listener = d.edge.listen[trunk.listener]
    for (const [i, uri] of trunk.to.entries()) {
      const wanted = /;transport=(\w+)/i.exec(uri)?.[1]?.toLowerCase()
      const has = listener && new URL(listener.url).protocol.slice(0, -1)
      if (
        wanted &&
        has &&
        wanted !== has &&
        !Object.values(d.edge.listen).some((l) => l.url.startsWith(`${wanted}:`))
      ) {
        found.problem(
          [...at, 'to', i],
          `no listener speaks ${wanted}`,
          `Add a ${wanted}:// listener to edge.listen, or write ;transport=${has}.`,
        )
      }
    }
  }
  for (const [i, route] of (d.routes ?? []).entries()) {
    for (const [j, trunk] of route.trunks.entries())
      found.refer(['routes', i, 'trunks', j], trunk, 'trunk', names.trunks)
  }
}

function sameDigestUser(a: Trunks[string], b: Trunks[string]): boolean {
  return a.authenticate !== undefined && a.authenticate.user === b.authenticate?.user
}

function hostOf(uri: string | undefined): string {
  return /^sips?:(?:[^@]*@)?(\[[^\]]+\]|[^:;]+)/.exec(uri ?? '')?.[1] ?? '192.0.2.1'
}

function locationReferences(d: ConfigurationDocument, names: Names, found: Findings): void {
  for (const [i, wire] of (d.wiremap ?? []).entries()) {
    const at = ['wiremap', i]
    found.refer([...at, 'location'], wire.location, 'location', names.locations)
    const kinds = [wire.bssid, wire.chassis, wire.subnet].filter((k) => k !== undefined)
    if (kinds.length !== 1) {
      found.problem(
        at,
        'an entry is about one of bssid, chassis (with port) and subnet',
        'Make one entry of each.',
        'key',
      )
    } else if (wire.port !== undefined && wire.chassis === undefined) {
      found.problem([...at, 'port'], 'a port belongs to a chassis', 'Add chassis: "00:0a:95:9d:68:16".', 'key')
    }
  }
}

function billingReferences(d: ConfigurationDocument, names: Names, found: Findings): void {
  const centres = new Set(Object.values(d.users).flatMap((u) => (u.costCentre ? [u.costCentre] : [])))
  for (const [name, price] of Object.entries(d.prices ?? {})) {
    found.refer(['prices', name, 'deck'], price.deck, 'rate deck', names.rateDecks)
    if (d.rateDecks?.[price.deck]?.kind === 'bandwidth') {
      found.problem(['prices', name, 'deck'], `${price.deck} prices bandwidth, not calls`, 'Name a per-minute deck.')
    }
    if (!centres.has(name))
      found.warn(['prices', name], `no user has the cost centre ${name}`, `Add costCentre: ${name} to a user.`, 'key')
  }
}

function testReferences(d: ConfigurationDocument, names: Names, found: Findings): void {
  const callers = new Set([...names.users, ...names.trunks])
  for (const [i, test] of (d.tests ?? []).entries()) {
    const at = ['tests', i]
    if (!/^[+\d]/.test(test.from)) found.refer([...at, 'from'], test.from, 'user or trunk', callers)
    found.refer([...at, 'trunk'], test.trunk, 'trunk', names.trunks)
    found.refer([...at, 'user'], test.user, 'user', names.users)
    found.refer([...at, 'route'], test.route, 'route', names.routes)
    const expects = [test.normalised, test.usage, test.route, test.trunk, test.user, test.emergency, test.reject]
    if (expects.every((e) => e === undefined)) {
      found.problem(
        at,
        'this test expects nothing',
        'Add normalised, usage, route, trunk, user, emergency or reject.',
        'key',
      )
    }
  }
}
