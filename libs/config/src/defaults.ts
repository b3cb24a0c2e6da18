/**
 * The configuration as services read it (configuration.ts) from what was written: every default filled in, frozen.
 * Pure: the same document gives the same configuration everywhere.
 */
import type { Configuration } from './configuration.ts'
import { edge } from './defaults/edge.ts'
import { factSource, numberEntry, user } from './defaults/people.ts'
import { rateDeck } from './defaults/rates.ts'
import { emergency, route } from './defaults/routes.ts'
import { trunk } from './defaults/trunk.ts'
import { each, kbps, numberRule } from './defaults/values.ts'
import type { ConfigurationDocument } from './schema.ts'

export type * from './configuration.ts'
export { EMERGENCY_TIMERS, RETRY_STATUS, TIMERS } from './defaults/trunk.ts'

/** Fill in every default. The document has passed the schema; call `checkConfiguration` for what a person wrote. */
export function resolveConfiguration(d: ConfigurationDocument): Configuration {
  const country = d.country ?? 'US'
  return deepFreeze({
    version: 1,
    domain: d.domain,
    country,
    timeZone: d.timeZone ?? 'UTC',
    dialPlan: d.dialPlan ?? null,
    edge: edge(d.edge),
    sites: each(d.sites, (name, s) => ({
      name,
      networks: s.networks ?? [],
      dialPlan: s.dialPlan ?? null,
      location: s.location ?? null,
      bandwidthKbps: kbps(s.bandwidth),
      emergencyCallback: s.emergencyCallback ?? null,
      mediaBypass: s.mediaBypass ?? false,
    })),
    pools: each(d.pools, (name, p) => ({ name, dialPlan: p.dialPlan ?? null })),
    dialPlans: each(d.dialPlans, (name, p) => ({
      name,
      externalPrefix: p.externalPrefix ?? '',
      rules: p.rules.map((r) => ({ ...numberRule(r), name: r.name, internal: r.internal ?? false })),
    })),
    policies: each(d.policies, (name, p) => ({
      name,
      usages: p.usages,
      forward: p.forward ?? p.usages,
      ring: p.ring ?? p.usages,
      callerId: p.callerId ?? 'own',
      showAs: p.showAs ?? null,
      mayShow: p.mayShow ?? [],
      otherwise: p.otherwise ?? 'replace',
      transfer: p.transfer ?? 'act',
      redirect: p.redirect ?? 'follow',
    })),
    routes: (d.routes ?? []).map(route),
    trunks: each(d.trunks, (name, t) => trunk(name, t, country)),
    users: each(d.users, user),
    numberFacts: {
      portability: factSource(d.numberFacts?.portability),
      callerNames: factSource(d.numberFacts?.callerNames),
    },
    numbers: (d.numbers ?? []).filter((n) => n.file === undefined).map(numberEntry),
    numberFiles: (d.numbers ?? []).flatMap((n) => n.file ?? []),
    locations: d.locations ?? {},
    wiremap: (d.wiremap ?? []).map((w) => ({
      bssid: w.bssid ?? null,
      chassis: w.chassis ?? null,
      port: w.port ?? null,
      subnet: w.subnet ?? null,
      location: w.location,
    })),
    emergency: emergency(d.emergency),
    rateDecks: each(d.rateDecks, rateDeck),
    prices: each(d.prices, (_, p) => ({ deck: p.deck, markup: (p.markup ?? '0%').slice(0, -1) })),
    tests: d.tests ?? [],
  })
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}
