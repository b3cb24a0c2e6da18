/** All listeners of the edge: follows the configuration, finds or opens the wire to an address. */
import { isIP } from 'node:net'
import type { Listener, Trunk } from '@tandem/config/defaults.ts'
import type { Environment } from '@tandem/config/secrets.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { SipUri } from '@tandem/sip/message/message.ts'
import type { CredentialFaults } from '../credential-faults.ts'
import { defaultPort, hostHops, saidTransport, type Transport } from '../domain/next-hop.ts'
import { demandOf, type TlsDemand } from '../domain/tls-demand.ts'
import type { Clock, Timer, Wire, Wires } from '../edge.ts'
import { clientTls, type TlsPeer } from './client-tls.ts'
import { createNameResolver } from './name-resolver.ts'
import type { Inward, OpenListener } from './received.ts'
import { openTcp, type StreamListener } from './tcp.ts'
import { openTls } from './tls.ts'
import { openUdp, type UdpListener } from './udp.ts'
import { openWebSocket } from './websocket.ts'

/** edge.md E5: from the URI to its addresses, NAPTR, SRV and A together, ms. */
const RESOLVE_MS = 500
const MAX_HOPS = 8
/** How often certificates are looked at, ms. */
const LOOK_MS = 5_000

type Hop = { readonly transport: Transport; readonly address: string; readonly port: number }
type Open = { readonly configured: Listener; readonly open: UdpListener | StreamListener | OpenListener }

export interface Listeners extends Wires {
  /** Opens what is new, closes what is gone; what did not change keeps its sockets. Rejects when one cannot be opened. */
  apply(listen: Readonly<Record<string, Listener>>, trunks?: Readonly<Record<string, Trunk>>): Promise<void>
  /** Reads certificates again. A file that cannot be used is logged, and the old one stays. */
  renew(): void
  list(): readonly OpenListener[]
  /** `address[:port]`; empty: those of the machine. */
  useNameServers(servers: readonly string[]): void
  close(): Promise<void>
}

export function createListeners(parts: {
  clock: Clock
  inward: Inward
  env: Environment
  log: Pick<Logger, 'info' | 'error'>
  faults: Pick<CredentialFaults, 'say'>
}): Listeners {
  const { clock, inward, env, log, faults } = parts
  const client = clientTls(env, faults)
  const opened = new Map<string, Open>()
  let carriers: Readonly<Record<string, Trunk>> = {}
  let looking: Timer | undefined
  const names = createNameResolver(clock)

  const openOne = (listener: Listener): Promise<Open['open']> => {
    if (listener.transport === 'udp') return openUdp(listener, inward)
    if (listener.transport === 'tcp') return openTcp(listener, clock, inward)
    if (listener.transport === 'tls') return openTls(listener, demandFor(listener), env, clock, inward, client)
    return openWebSocket(listener, demandFor(listener), env, clock, inward)
  }

  const demandFor = (listener: Listener): TlsDemand => demandOf(listener, Object.values(carriers), twins(listener.name))

  const renew = () => {
    for (const { configured, open } of opened.values()) renewOne(configured, open)
    client.renew(Object.values(carriers))
  }

  const renewOne = (configured: Listener, open: OpenListener) => {
    const { name } = configured
    if (!open.renew) return
    try {
      if (open.renew(configured, demandFor(configured))) log.info({ listener: name }, 'certificate renewed')
      faults.say(`listener ${name}`, undefined)
    } catch (error) {
      faults.say(`listener ${name}`, (error as Error).message)
    }
  }

  // not fs.watch: secrets of Kubernetes are links that are turned over, which it does not see
  const look = () => {
    renew()
    looking = clock.setTimer(LOOK_MS, look)
  }

  const apply: Listeners['apply'] = async (listen, trunks = {}) => {
    carriers = trunks
    looking ??= clock.setTimer(LOOK_MS, look)
    for (const [name, { configured, open }] of [...opened]) {
      const next = listen[name]
      if (next && same(configured, next)) {
        opened.set(name, { configured: next, open })
        continue
      }
      opened.delete(name)
      await open.close()
    }
    const fresh: string[] = []
    try {
      for (const listener of Object.values(listen)) {
        if (opened.has(listener.name)) continue
        opened.set(listener.name, { configured: listener, open: await openOne(listener) })
        fresh.push(listener.name)
      }
    } catch (error) {
      for (const name of fresh) {
        await opened.get(name)?.open.close()
        opened.delete(name)
      }
      throw error
    }
    renew()
  }

  const twins = (name: string): string[] => {
    const own = opened.get(name)?.configured
    if (!own) return []
    const others = [...opened.values()].map((o) => o.configured).filter((l) => !isWeb(l.transport))
    const beside = others.filter((l) => l.transport !== own.transport && l.address === own.address)
    // with ports that the system chooses only the name tells that they belong together: carrier, carrier-tcp
    const together = (l: Listener) => (own.port === 0 ? l.name.startsWith(`${name}-`) : l.port === own.port)
    return beside.filter(together).map((l) => l.name)
  }

  const find = (name: string, transport: Wire['transport']): Open['open'] => {
    const own = opened.get(name)
    if (!own) throw new Error(`there is no listener ${name}`)
    if (own.open.transport === transport) return own.open
    const all = [...opened.values()].filter((o) => o.open.transport === transport)
    const twin =
      all.find((o) => twins(name).includes(o.configured.name)) ??
      all.find((o) => o.configured.address === own.configured.address) ??
      all[0]
    if (!twin) throw new Error(`no listener speaks ${transport}`)
    return twin.open
  }

  const to = async (
    name: string,
    transport: Wire['transport'],
    address: string,
    port: number,
    peer?: TlsPeer,
  ): Promise<Wire> => {
    if (port < 1 || port > 65_535) throw new Error(`${port} is no port`)
    const listener = find(name, transport)
    if ('wireTo' in listener) return listener.wireTo(address, port)
    // RFC 7118: only browsers open WebSockets
    if (!('connect' in listener)) throw new Error(`${transport} is for those who connect to us`)
    return await listener.connect(address, port, transport === 'TLS' ? peer : undefined)
  }

  const watched = async (wire: Wire): Promise<void> => {
    const open = opened.get(wire.listener)?.open
    if (open && 'watch' in open) await open.watch(wire.remoteAddress, wire.remotePort)
  }

  /** Its own first: RFC 3263 4.1 leaves the choice among NAPTR-less targets to us. */
  const supported = (name: string): Transport[] => {
    const own = opened.get(name)
    const beside = [...opened.values()].filter((o) => o.configured.address === own?.configured.address)
    const spoken = [own, ...beside].map((o) => o?.open.transport ?? 'UDP')
    return [...new Set(spoken.filter((t) => t === 'UDP' || t === 'TCP' || t === 'TLS'))]
  }

  const hopsTo = async (name: string, uri: SipUri): Promise<Hop[]> => {
    const host = uri.params.get('maddr') ?? uri.host
    const bare = host.startsWith('[') ? host.slice(1, -1) : host
    if (isIP(bare)) {
      const transport = saidTransport(uri) ?? supported(name)[0] ?? 'UDP'
      return [{ transport, address: bare, port: uri.port ?? defaultPort(transport) }]
    }
    const found = await hostHops(uri, host, { names, supported: supported(name), random: Math.random })
    // RFC 3263 4.2: A and AAAA; those of the listener's own family can be reached
    const family = (opened.get(name)?.configured.address ?? '').includes(':') ? 6 : 4
    const of = await Promise.allSettled(found.slice(0, MAX_HOPS).map((hop) => names.addresses(hop.host, family)))
    const hops = of.flatMap((result, i) => {
      const { transport, port } = found[i] as (typeof found)[number]
      return result.status === 'rejected' ? [] : result.value.map((address) => ({ transport, address, port }))
    })
    const failed = of.find((result) => result.status === 'rejected')
    if (hops.length === 0) throw failed?.reason ?? new Error(`${host}: no IPv${family} address`)
    return hops
  }

  const toUri: Listeners['toUri'] = async (name, uri, trunk, unproven = false) => {
    const carrier = trunk === undefined ? undefined : carriers[trunk]
    const peer = carrier && { trunk: carrier, host: uri.host.replace(/^\[|\]$/g, ''), unproven }
    const hops = await within(hopsTo(name, uri), RESOLVE_MS, `${uri.host}: no answer from DNS`)
    const tried = await Promise.allSettled(
      hops.slice(0, MAX_HOPS).map((hop) => to(name, hop.transport, hop.address, hop.port, peer)),
    )
    const wires = tried.filter((t) => t.status === 'fulfilled').map((t) => t.value)
    if (trunk !== undefined) await Promise.all(wires.map(watched))
    if (wires.length > 0) return wires
    throw tried.find((t) => t.status === 'rejected')?.reason ?? new Error(`${uri.host}: nowhere to go`)
  }

  return {
    apply,
    renew,
    to,
    toUri,
    useNameServers: names.use,
    twins,
    list: () => [...opened.values()].map((o) => o.open),
    async close() {
      const all = [...opened.values()]
      opened.clear()
      names.close()
      if (looking) clock.clearTimer(looking)
      await Promise.all(all.map((o) => o.open.close()))
    },
  }
}

const isWeb = (transport: string): boolean => transport === 'ws' || transport === 'wss'

/** What can change under open connections: digests are asked for, certificates read again. */
function same(a: Listener, b: Listener): boolean {
  const sockets = ({ url, advertise }: Listener) => JSON.stringify([url, advertise])
  return sockets(a) === sockets(b)
}

async function within<T>(work: Promise<T>, ms: number, why: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(why)), ms)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}
