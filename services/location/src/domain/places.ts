/** The configuration as the location service asks it: compiled once per revision. */
import type { Configuration, CivicAddress as WrittenLocation } from '@tandem/config/defaults.ts'
import type { Place } from '@tandem/contracts/values.ts'
import { toE164 } from '@tandem/numbers/e164.ts'
import { type CivicAddress, inSchemaOrder } from '@tandem/pidf/civic.ts'
import { networkTable } from './network-table.ts'
import { type Wiremap, wiremapOf } from './wiremap.ts'

export interface Places {
  readonly wiremap: Wiremap<string>
  /** A location of the configuration; `ref` is its name. */
  place(name: string | null | undefined): Place | undefined
  /** Site whose networks hold this address. */
  siteOf(address: string): string | undefined
  /** Default location of a site. */
  siteDefault(site: string): Place | undefined
  /** Whether the address lies in the user's own site; undefined when that site names no networks. */
  onOwnSite(user: string, address: string): boolean | undefined
  user(
    name: string,
  ):
    | { readonly name: string; readonly did: string | null; readonly site: string; readonly location: string | null }
    | undefined
  /**
   * E.164 by which emergency services reach somebody again, as the router has it (routing.md R6): the user's own number,
   * the ELIN of the site where the call comes from, the number of that site.
   */
  callback(user: string | undefined, site: string | undefined): string | undefined
  userOfNumber(number: string): string | undefined
  /** Site or location that this ELIN stands for. */
  elin(number: string): string | undefined
  e164(number: string): string | undefined
}

export function placesOf(configuration: Configuration): Places {
  const { sites, users, locations, wiremap, emergency, country } = configuration
  const networks = networkTable(Object.values(sites).flatMap((s) => s.networks.map((n) => [n, s.name] as const)))
  const places = new Map(Object.entries(locations).map(([name, written]) => [name, placeOf(name, written)]))
  const numbers = new Map<string, string>()
  for (const user of Object.values(users)) {
    if (user.did !== null) numbers.set(user.did, user.name)
    if (user.extension !== null) numbers.set(user.extension, user.name)
  }
  const elins = new Map(
    Object.entries(emergency.elins).flatMap(([where, list]) => list.map((n) => [n, where] as const)),
  )
  const e164 = (number: string) => toE164(number, { country })
  const place = (name: string | null | undefined) => (name ? places.get(name) : undefined)

  return {
    wiremap: wiremapOf(wiremap),
    place,
    siteOf: (address) => networks.find(address),
    siteDefault: (site) => place(own(sites, site)?.location),
    onOwnSite(user, address) {
      const site = own(sites, own(users, user)?.site ?? '')
      if (!site || site.networks.length === 0) return undefined
      return networks.find(address) === site.name
    },
    user: (name) => own(users, name),
    callback(name, inside) {
      const user = name === undefined ? undefined : own(users, name)
      const site = inside ?? user?.site
      const ofSite =
        site === undefined ? undefined : (own(emergency.elins, site)?.[0] ?? own(sites, site)?.emergencyCallback)
      return user?.emergencyCallback ?? user?.did ?? ofSite ?? undefined
    },
    userOfNumber: (number) => numbers.get(number) ?? numbers.get(e164(number) ?? ''),
    elin: (number) => elins.get(number) ?? elins.get(e164(number) ?? ''),
    e164,
  }
}

/** A name from outside must not find what every object has, like `constructor`. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

function placeOf(ref: string, { geo, ...fields }: WrittenLocation): Place {
  const civic = inSchemaOrder(fields as CivicAddress) as Record<string, string>
  if (!geo) return { ref, civic }
  const { latitude, longitude, radius } = geo
  return { ref, civic, point: { latitude, longitude, ...(radius === undefined ? {} : { radius }) } }
}
