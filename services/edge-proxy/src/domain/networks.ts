/** Which named thing an IP address belongs to: the most specific network wins. */
import ipaddr from 'ipaddr.js'

/** Prefix lengths that occur, longest first, each with its networks by masked address. */
export interface NetworkTable<T> {
  /** The value of the most specific network that holds the address. */
  find(address: string): T | undefined
}

/** `networks`: addresses or CIDR, IPv4 or IPv6; the first one said wins among equals. Malformed ones match nothing. */
export function networkTable<T>(networks: Iterable<readonly [network: string, value: T]>): NetworkTable<T> {
  const byPrefix = new Map<string, { bits: number; v6: boolean; values: Map<string, T> }>()
  for (const [network, value] of networks) {
    const read = readNetwork(network)
    if (!read) continue
    const key = `${read.bytes.length}/${read.bits}`
    const group = byPrefix.get(key) ?? { bits: read.bits, v6: read.bytes.length === 16, values: new Map() }
    byPrefix.set(key, group)
    const masked = mask(read.bytes, read.bits)
    if (!group.values.has(masked)) group.values.set(masked, value)
  }
  const groups = [...byPrefix.values()].sort((a, b) => b.bits - a.bits)
  return {
    find(address) {
      const bytes = readAddress(address)
      if (!bytes) return undefined
      for (const group of groups) {
        if (group.v6 !== (bytes.length === 16)) continue
        const value = group.values.get(mask(bytes, group.bits))
        if (value !== undefined) return value
      }
      return undefined
    },
  }
}

/** True when the address lies in the network (an address alone is a network of one). */
export function inNetwork(address: string, network: string): boolean {
  const a = readAddress(address)
  const n = readNetwork(network)
  return !!a && !!n && a.length === n.bytes.length && mask(a, n.bits) === mask(n.bytes, n.bits)
}

export function readNetwork(text: string): { readonly bytes: readonly number[]; readonly bits: number } | undefined {
  const [address = '', length] = text.split('/')
  const bytes = readAddress(address)
  if (!bytes) return undefined
  const bits = length === undefined ? bytes.length * 8 : Number(length)
  return Number.isInteger(bits) && bits >= 0 && bits <= bytes.length * 8 ? { bytes, bits } : undefined
}

/** An IPv4 address in IPv6 clothes (::ffff:a.b.c.d) counts as the IPv4 address. */
function readAddress(text: string): readonly number[] | undefined {
  const bare = text.startsWith('[') ? text.slice(1, -1) : text
  if (!ipaddr.isValid(bare)) return undefined
  return ipaddr.process(bare).toByteArray()
}

function mask(bytes: readonly number[], bits: number): string {
  let key = ''
  for (let i = 0; i < bytes.length; i++) {
    const keep = Math.min(Math.max(bits - i * 8, 0), 8)
    key += String.fromCharCode((bytes[i] as number) & (0xff00 >> keep) & 0xff)
  }
  return key
}
