/**
 * RFC 3263 4 and RFC 2782: which transports, hosts and ports a SIP URI leads to, in the order to try. Pure: DNS and
 * randomness come in.
 */
import type { SipUri } from '@tandem/sip/message/message.ts'

export type Transport = 'UDP' | 'TCP' | 'TLS'

export interface SrvRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

export interface NaptrRecord {
  readonly flags: string
  readonly service: string
  readonly replacement: string
  readonly order: number
  readonly preference: number
}

/** Answers of DNS; an empty list is "no such record". Rejects when DNS does not answer. */
export interface Names {
  naptr(name: string): Promise<readonly NaptrRecord[]>
  srv(name: string): Promise<readonly SrvRecord[]>
}

export interface HostHop {
  readonly transport: Transport
  readonly host: string
  readonly port: number
}

export interface HopParts {
  readonly names: Names
  /** Transports that can be spoken from here, preferred first. */
  readonly supported: readonly Transport[]
  /** 0 ≤ x < 1 */
  readonly random: () => number
}

const SERVICES: Readonly<Record<string, Transport>> = { 'SIP+D2U': 'UDP', 'SIP+D2T': 'TCP', 'SIPS+D2T': 'TLS' }
const PREFIXES: Readonly<Record<Transport, string>> = { UDP: '_sip._udp', TCP: '_sip._tcp', TLS: '_sips._tcp' }

/** `host`: the target (maddr, else the host part), no IP address. */
export async function hostHops(uri: SipUri, host: string, parts: HopParts): Promise<HostHop[]> {
  const said = saidTransport(uri)
  const plain = said ?? parts.supported[0] ?? 'UDP'
  // RFC 3263 4.2: a port was given: no SRV
  if (uri.port !== undefined) return [{ transport: plain, host, port: uri.port }]
  const chosen = said === undefined ? await byNaptr(uri, host, parts) : undefined
  if (chosen) return chosen
  // RFC 3263 4.1: no NAPTR (or the transport is fixed): SRV for each transport that we speak
  const transports = said === undefined ? parts.supported : [said]
  const found = await Promise.all(transports.map((t) => parts.names.srv(`${PREFIXES[t]}.${host}`)))
  for (const [i, records] of found.entries()) {
    if (records.length > 0) return ofSrv(records, transports[i] as Transport, parts.random)
  }
  return [{ transport: plain, host, port: defaultPort(plain) }]
}

/** RFC 3263 4.1: a sips URI asks for TLS; the transport parameter, where there is one. */
export function saidTransport(uri: SipUri): Transport | undefined {
  const said = uri.params.get('transport')?.toUpperCase()
  if (uri.scheme === 'sips' || said === 'TLS') return 'TLS'
  return said === 'TCP' || said === 'UDP' ? said : undefined
}

export function defaultPort(transport: Transport): number {
  return transport === 'TLS' ? 5061 : 5060
}

async function byNaptr(uri: SipUri, host: string, parts: HopParts): Promise<HostHop[] | undefined> {
  const { supported, names, random } = parts
  const records = (await names.naptr(host))
    .filter((r) => r.flags.toLowerCase() === 's')
    .map((r) => ({ ...r, transport: SERVICES[r.service.toUpperCase()] }))
    .filter((r) => r.transport !== undefined && supported.includes(r.transport))
    // RFC 3263 4.1: with a SIPS URI only SIPS+D2T; with a SIP URI all of them
    .filter((r) => uri.scheme !== 'sips' || r.transport === 'TLS')
    .sort((a, b) => a.order - b.order || a.preference - b.preference)
  for (const { transport, replacement } of records) {
    const hops = ofSrv(await names.srv(replacement), transport as Transport, random)
    if (hops.length > 0) return hops
  }
  return undefined
}

function ofSrv(records: readonly SrvRecord[], transport: Transport, random: () => number): HostHop[] {
  // RFC 2782: a target of "." means that the service is decidedly not available there
  const real = records.filter((r) => r.name !== '' && r.name !== '.')
  return inSrvOrder(real, random).map((r) => ({ transport, host: r.name, port: r.port }))
}

/** RFC 2782 "Usage rules": by priority; within one, drawn one after the other in proportion to their weights. */
export function inSrvOrder(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const ordered: SrvRecord[] = []
  const priorities = [...new Set(records.map((r) => r.priority))].sort((a, b) => a - b)
  for (const priority of priorities) {
    // those with weight 0 stand first, so that they have "a very small chance"
    const left = records.filter((r) => r.priority === priority).sort((a, b) => a.weight - b.weight)
    while (left.length > 0) {
      const sum = left.reduce((n, r) => n + r.weight, 0)
      const drawn = random() * sum
      let running = 0
      const at = left.findIndex((r) => {
        running += r.weight
        return running >= drawn
      })
      ordered.push(...left.splice(Math.max(at, 0), 1))
    }
  }
  return ordered
}
