/** Which value belongs to an IP address: the most specific network that holds it. Built once, asked often. */
import ipaddr from 'ipaddr.js'

export interface NetworkTable<T> {
  find(address: string): T | undefined
}

interface Network {
  readonly bytes: readonly number[]
  readonly bits: number
}

/** Networks as `10.2.9.0/24`, `2001:db8::/32` or one address. What is none is left out; of two equal ones the first counts. */
export function networkTable<T>(networks: Iterable<readonly [network: string, value: T]>): NetworkTable<T> {
  const bySize = new Map<string, { family: number; bits: number; values: Map<string, T> }>()
  for (const [written, value] of networks) {
    const network = readNetwork(written)
    if (!network) continue
    const size = `${network.bytes.length}/${network.bits}`
    const table = bySize.get(size) ?? { family: network.bytes.length, bits: network.bits, values: new Map<string, T>() }
    bySize.set(size, table)
    const key = keyOf(network.bytes, network.bits)
    if (!table.values.has(key)) table.values.set(key, value)
  }
  const longestFirst = [...bySize.values()].sort((a, b) => b.bits - a.bits)
  return {
    find(address) {
      const bytes = readAddress(address)
      if (!bytes) return undefined
      for (const { family, bits, values } of longestFirst) {
        if (family !== bytes.length) continue
        const value = values.get(keyOf(bytes, bits))
        if (value !== undefined) return value
      }
      return undefined
    },
  }
}

export function readNetwork(written: string): Network | undefined {
  const [address = '', length, more] = written.trim().split('/')
  const bytes = readAddress(address)
  if (!bytes || more !== undefined) return undefined
  const bits = length === undefined ? bytes.length * 8 : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  return bits <= bytes.length * 8 ? { bytes, bits } : undefined
}

/** 4 or 16 bytes; an IPv4 address inside IPv6 counts as IPv4. Ports and brackets as in `[::1]:5060` are stepped over. */
export function readAddress(written: string): number[] | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(written)?.[1] ?? /^([\d.]+):\d+$/.exec(written)?.[1] ?? written
  // without this, ipaddr.js reads 10 and 0x7f000001 as addresses too
  if (!bare.includes(':') && !/^\d{1,3}(\.\d{1,3}){3}$/.test(bare)) return undefined
  return ipaddr.isValid(bare) ? ipaddr.process(bare).toByteArray() : undefined
}

function keyOf(bytes: readonly number[], bits: number): string {
  let key = ''
  for (let i = 0; i * 8 < bits; i++) {
    const left = bits - i * 8
    key += String.fromCharCode(left >= 8 ? (bytes[i] as number) : (bytes[i] as number) & (0xff << (8 - left)))
  }
  return key
}
