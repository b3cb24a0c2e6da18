/** Durations and bandwidths as people write them. The schema has checked the shape; a wrong one here is a bug. */

const MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const KBPS = { bit: 0.001, kbit: 1, Mbit: 1_000, Gbit: 1_000_000 } as const

/** `30s` → 30000 ms. Throws a TypeError on anything else. */
export function parseDuration(written: string): number {
  const parts = /^(\d{1,9})(ms|s|m|h|d)$/.exec(written)
  if (!parts) throw new TypeError(`not a duration: ${written}`)
  return Number(parts[1]) * MS[parts[2] as keyof typeof MS]
}

/** `9Mbit/s` → 9000 kbit/s. Throws a TypeError on anything else. */
export function parseBandwidth(written: string): number {
  const parts = /^(\d{1,9}(?:\.\d{1,3})?)(bit|kbit|Mbit|Gbit)\/s$/.exec(written)
  if (!parts) throw new TypeError(`not a bandwidth: ${written}`)
  return Number(parts[1]) * KBPS[parts[2] as keyof typeof KBPS]
}

/** `20000-20999` → first and last port, both included. */
export function parsePortRange(written: string): { first: number; last: number } {
  const [first, last] = written.split('-').map(Number)
  if (first === undefined || last === undefined) throw new TypeError(`not a port range: ${written}`)
  return { first, last }
}

export type ListenTransport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss'

/** `tls://[::1]:5061` → transport, address without brackets, port. */
export function parseListenUrl(written: string): { transport: ListenTransport; address: string; port: number } {
  const parts = /^(udp|tcp|tls|wss?):\/\/(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(written)
  if (!parts) throw new TypeError(`not a listener URL: ${written}`)
  return {
    transport: parts[1] as ListenTransport,
    address: (parts[2] ?? parts[3]) as string,
    port: Number(parts[4]),
  }
}

/** `udp://homer.example:9060`, `udp://[2001:db8::9]:9060` → host without brackets, port. */
export function parseCollectorUrl(written: string): { host: string; port: number } {
  const parts = /^udp:\/\/(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(written)
  if (!parts) throw new TypeError(`not a collector URL: ${written}`)
  return { host: (parts[1] ?? parts[2]) as string, port: Number(parts[3]) }
}

/** `192.0.2.10:5060`, `10.0.0.0/8`, `[2001:db8::1]:5060`, `2001:db8::/32` → address, prefix length and port as written. */
export function parsePeer(written: string): { address: string; prefix: number | null; port: number | null } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(written)
  if (bracketed)
    return { address: bracketed[1] as string, prefix: null, port: bracketed[2] ? Number(bracketed[2]) : null }
  const slash = written.indexOf('/')
  if (slash > 0) return { address: written.slice(0, slash), prefix: Number(written.slice(slash + 1)), port: null }
  const four = /^([\d.]+):(\d+)$/.exec(written)
  if (four) return { address: four[1] as string, prefix: null, port: Number(four[2]) }
  return { address: written, prefix: null, port: null }
}
