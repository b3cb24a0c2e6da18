/** What the doorkeeper looks up, made once for each configuration: sites, sources of trunks, names of users. */
import type { Configuration } from '@tandem/config/defaults.ts'
import { type TrunkSource, trunkSources } from './identify-trunk.ts'
import { type NetworkTable, networkTable } from './networks.ts'

/** The other end of a trunk's registration with its carrier. */
export type RegisteredAt = (trunk: string) => { readonly address: string; readonly port: number } | undefined

export interface DoorTables {
  readonly sites: NetworkTable<string>
  readonly sources: ReadonlyMap<string, readonly TrunkSource[]>
  /** Source -> is it one of a trunk; filled as they come. */
  readonly known: Map<string, boolean>
  /** Trunks whose calls are known by digest alone, by the listeners that they come to. */
  readonly callers: ReadonlyMap<string, readonly string[]>
  /** Listeners that only carriers use. */
  readonly carrierOnly: ReadonlySet<string>
  /** DID and extension -> user. */
  readonly users: ReadonlyMap<string, string>
}

export function doorTables(
  configuration: Configuration,
  twins: (listener: string) => readonly string[],
  registeredAt: RegisteredAt,
): DoorTables {
  const sites = networkTable(
    Object.values(configuration.sites).flatMap((s) => s.networks.map((n) => [n, s.name] as const)),
  )
  const sources = new Map<string, TrunkSource[]>()
  for (const source of trunkSources(Object.values(configuration.trunks), twins, registeredAt)) {
    const group = sources.get(source.listener)
    if (group) group.push(source)
    else sources.set(source.listener, [source])
  }
  // where phones have a listener of their own, a stranger on the carriers' one is nobody's phone
  const { listen } = configuration.edge
  const forPhones = new Set(Object.values(listen).flatMap((l) => (sources.has(l.name) ? [] : [l.transport])))
  const carrierOnly = new Set(
    Object.values(listen).flatMap((l) => (sources.has(l.name) && forPhones.has(l.transport) ? [l.name] : [])),
  )
  const users = new Map<string, string>()
  for (const user of Object.values(configuration.users)) {
    if (user.did !== null) users.set(user.did, user.name).set(user.did.slice(1), user.name)
    if (user.extension !== null && !users.has(user.extension)) users.set(user.extension, user.name)
  }
  const callers = new Map<string, string[]>()
  for (const trunk of Object.values(configuration.trunks)) {
    if (!trunk.authenticate || trunk.from.length > 0) continue
    for (const name of [trunk.listener, ...twins(trunk.listener)]) {
      callers.set(name, [...(callers.get(name) ?? []), trunk.name])
    }
  }
  return { sites, sources, known: new Map(), callers, carrierOnly, users }
}
