/** Where the ports, access points and subnets of the enterprise are (location.md L8). */
import { type NetworkTable, networkTable } from './network-table.ts'
import { bssidPattern, chassisOf, macOf, portOf } from './wire-address.ts'

/** One row; `T` is what it leads to, a name of a location for instance. A BSSID may end in `*`. */
export interface WireRow<T> {
  readonly bssid?: string | null
  readonly chassis?: string | null
  readonly port?: string | null
  readonly subnet?: string | null
  readonly location: T
}

export interface Wiremap<T> {
  bssid(written: string): T | undefined
  port(chassis: string, port: string): T | undefined
  chassis(chassis: string): T | undefined
  subnet(address: string): T | undefined
  /** Rows that could not be read. */
  readonly bad: readonly { readonly row: number; readonly why: string }[]
}

/** Of two equal rows the first counts. */
export function wiremapOf<T>(rows: Iterable<WireRow<T>>): Wiremap<T> {
  const bssids = new Map<string, T>()
  const beginnings = new Map<number, Map<string, T>>()
  const ports = new Map<string, T>()
  const chassis = new Map<string, T>()
  const subnets: [string, T][] = []
  const bad: { row: number; why: string }[] = []
  const put = (table: Map<string, T>, key: string, value: T) => {
    if (!table.has(key)) table.set(key, value)
  }

  let row = -1
  for (const { bssid, chassis: switchId, port, subnet, location } of rows) {
    row++
    if (bssid) {
      const pattern = bssidPattern(bssid)
      if (!pattern) bad.push({ row, why: `${bssid} is no BSSID` })
      else if (pattern.beginning) {
        const length = pattern.digits.length
        const table = beginnings.get(length) ?? new Map<string, T>()
        beginnings.set(length, table)
        put(table, pattern.digits, location)
      } else put(bssids, pattern.digits, location)
    } else if (switchId && port) put(ports, `${chassisOf(switchId)} ${portOf(port)}`, location)
    else if (switchId) put(chassis, chassisOf(switchId), location)
    else if (subnet) subnets.push([subnet, location])
    else bad.push({ row, why: 'neither BSSID, chassis nor subnet' })
  }
  const longestFirst = [...beginnings].sort(([a], [b]) => b - a)
  const networks: NetworkTable<T> = networkTable(subnets)

  return {
    bssid(written) {
      const digits = macOf(written)
      if (digits === undefined) return undefined
      const exact = bssids.get(digits)
      if (exact !== undefined) return exact
      for (const [length, table] of longestFirst) {
        const found = table.get(digits.slice(0, length))
        if (found !== undefined) return found
      }
      return undefined
    },
    port: (id, port) => ports.get(`${chassisOf(id)} ${portOf(port)}`),
    chassis: (id) => chassis.get(chassisOf(id)),
    subnet: (address) => networks.find(address),
    bad,
  }
}
