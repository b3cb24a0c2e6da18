/** Addresses, networks and ports that cannot be, or clash. */
import ipaddr from 'ipaddr.js'
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import type { Path } from './source.ts'
import { parseCollectorUrl, parseListenUrl, parsePeer, parsePortRange } from './units.ts'

export function addressProblems(d: ConfigurationDocument, found: Findings): void {
  listeners(d, found)
  media(d, found)
  collector(d, found)
  networks(d, found)
  peers(d, found)
}

function listeners(d: ConfigurationDocument, found: Findings): void {
  const taken: { name: string; family: string; address: string; port: number }[] = []
  for (const [name, listener] of Object.entries(d.edge.listen)) {
    const at = ['edge', 'listen', name]
    const { transport, address, port } = parseListenUrl(listener.url)
    if (!ipaddr.isValid(address))
      found.problem(
        [...at, 'url'],
        `${address} is not an IP address`,
        'Write an address of this machine, or 0.0.0.0 for all.',
      )
    if (port < 1 || port > 65535) found.problem([...at, 'url'], `${port} is not a port`, 'Write 1 to 65535.')
    const family = transport === 'udp' ? 'udp' : 'tcp'
    const other = taken.find((t) => t.family === family && t.port === port && overlaps(t.address, address))
    if (other) {
      found.problem(
        [...at, 'url'],
        `${name} and ${other.name} both listen on ${family} port ${port}`,
        `Give one another port; ${other.name} is at ${found.where(['edge', 'listen', other.name, 'url'])}.`,
      )
    }
    taken.push({ name, family, address, port })
    if (transport === 'tls' || transport === 'wss') {
      for (const key of ['certificate', 'privateKey'] as const) {
        if (!listener[key])
          found.problem(
            at,
            `${name} speaks TLS and has no ${key}`,
            `Add ${key}: certs/edge.${key === 'certificate' ? 'pem' : 'key'}.`,
            'key',
          )
      }
    }
  }
}

function media(d: ConfigurationDocument, found: Findings): void {
  const at = ['edge', 'media']
  const { relay, address, ports, control } = d.edge.media
  if (relay === 'rtpengine' && !control) {
    found.problem([...at, 'relay'], 'rtpengine is controlled over a socket', 'Add control: ["udp://127.0.0.1:22222"].')
  }
  if (address && !ipaddr.isValid(address))
    found.problem(
      [...at, 'address'],
      `${address} is not an IP address`,
      'Write an address of this machine that the phones reach.',
    )
  if (!ports) return
  const { first, last } = parsePortRange(ports)
  if (first < 1024 || last > 65535 || last - first < 3) {
    found.problem(
      [...at, 'ports'],
      `${ports} holds no room for calls`,
      'Write a range within 1024-65535; a call takes four ports.',
    )
  }
  for (const [name, listener] of Object.entries(d.edge.listen)) {
    const l = parseListenUrl(listener.url)
    if (l.transport === 'udp' && l.port >= first && l.port <= last && overlaps(l.address, address ?? l.address)) {
      found.problem(
        [...at, 'ports'],
        `port ${l.port} of listener ${name} lies within ${ports}`,
        'Move the range or the listener.',
      )
    }
  }
}

function collector({ edge }: ConfigurationDocument, found: Findings): void {
  if (!edge.capture) return
  const at = ['edge', 'capture', 'hep']
  const { host, port } = parseCollectorUrl(edge.capture.hep)
  if (port < 1 || port > 65535) found.problem(at, `${port} is not a port`, 'Write 1 to 65535; Homer listens on 9060.')
  if (/^[\d.]+$|:/.test(host) && !ipaddr.isValid(host))
    found.problem(at, `${host} is not an IP address`, 'Write an address or a name, as udp://192.0.2.9:9060.')
}

function overlaps(a: string, b: string): boolean {
  return a === b || a === '0.0.0.0' || b === '0.0.0.0' || a === '::' || b === '::'
}

function networks(d: ConfigurationDocument, found: Findings): void {
  const seen = new Map<string, Path>()
  for (const [name, site] of Object.entries(d.sites)) {
    for (const [i, network] of (site.networks ?? []).entries()) {
      const at = ['sites', name, 'networks', i]
      const written = network.includes('/') ? network : `${network}/${network.includes(':') ? 128 : 32}`
      checkNetwork(at, written, found)
      const before = seen.get(written)
      if (before)
        found.problem(at, `${network} belongs to two sites`, `The other is at ${found.where(before)}: keep one.`)
      seen.set(written, at)
    }
  }
  for (const [i, wire] of (d.wiremap ?? []).entries()) {
    if (wire.subnet) checkNetwork(['wiremap', i, 'subnet'], wire.subnet, found)
  }
}

function peers(d: ConfigurationDocument, found: Findings): void {
  const seen = new Map<string, Path>()
  for (const [name, trunk] of Object.entries(d.trunks)) {
    for (const [i, written] of (trunk.from ?? []).entries()) {
      const at = ['trunks', name, 'from', i]
      const peer = parsePeer(written)
      if (peer.prefix !== null) checkNetwork(at, written, found)
      else if (!ipaddr.isValid(peer.address))
        found.problem(at, `${peer.address} is not an IP address`, 'Write an address or a network, as 192.0.2.0/24.')
      if (peer.port !== null && (peer.port < 1 || peer.port > 65535))
        found.problem(at, `${peer.port} is not a port`, 'Write 1 to 65535.')
      const key = `${trunk.listener} ${written}`
      const before = seen.get(key)
      if (before)
        found.problem(
          at,
          `calls from ${written} could be of two trunks`,
          `The other is at ${found.where(before)}: keep one, or give them different listeners.`,
        )
      seen.set(key, at)
    }
  }
}

function checkNetwork(at: Path, written: string, found: Findings): void {
  if (!written.includes('/') && ipaddr.isValid(written)) return
  if (!ipaddr.isValidCIDR(written)) {
    found.problem(at, `${written} is not a network`, 'Write address/length, as 10.1.0.0/16.')
    return
  }
  const [address, length] = ipaddr.parseCIDR(written)
  const first =
    address.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(written).toString()
      : ipaddr.IPv6.networkAddressFromCIDR(written).toString()
  if (first !== address.toString()) {
    found.warn(at, `${written} has bits set after /${length}`, `Write ${first}/${length}.`)
  }
}
