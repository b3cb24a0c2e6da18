/**
 * Who is this? (edge.md E2) A trunk is known by the listener and the source address, never by a header. Headers only
 * tell apart trunks that share one source: the DID, then the host of the Request-URI, then the account.
 */
import type { Trunk } from '@tandem/config/defaults.ts'
import { parsePeer } from '@tandem/config/units.ts'
import { toE164 } from '@tandem/numbers/e164.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { nameAddrs, to } from '@tandem/sip/message/read.ts'
import { parseUri, unescapeUser } from '@tandem/sip/message/uri.ts'
import type { Proof } from '../edge.ts'
import { inNetwork, readNetwork } from './networks.ts'
import { namesOne } from './sip-identity.ts'
import { SYSTEM } from './tls-demand.ts'

/** One trunk as a possible sender. */
export interface TrunkSource {
  readonly trunk: string
  readonly listener: string
  readonly from: readonly { readonly network: string; readonly port: number | null; readonly bits: number }[]
  /** Its carrier proves itself by a certificate (RFC 5922 7.4); then `from` only narrows it down. */
  readonly certificate:
    | { readonly names: readonly string[]; readonly ca: string; readonly required: boolean }
    | undefined
  /** E.164, or the beginning of it, of the DIDs that this trunk brings in. */
  readonly numbers: readonly string[]
  /** Where its carrier writes the DID, and how a national one is read. */
  readonly did: Trunk['did']
  readonly country: string
  /** Host names under which the carrier calls us on this trunk. */
  readonly hosts: ReadonlySet<string>
  /** User parts: the account that we registered. */
  readonly accounts: ReadonlySet<string>
}

export interface SourceFacts {
  readonly listener: string
  readonly address: string
  readonly port: number
  readonly proof?: Proof | undefined
  /** Called numbers as they are written. */
  readonly called: Readonly<Partial<Record<Trunk['did'], string>>>
  readonly host: string | undefined
  /** User parts of Request-URI and To. */
  readonly accounts: readonly string[]
}

export type TrunkIdentity =
  | { readonly kind: 'trunk'; readonly trunk: string }
  | { readonly kind: 'stranger' }
  | { readonly kind: 'ambiguous'; readonly trunks: readonly string[] }

export function identifyTrunk(sources: readonly TrunkSource[], facts: SourceFacts): TrunkIdentity {
  let best = -1
  let candidates: TrunkSource[] = []
  for (const source of sources) {
    // the twin of a listener on another transport has another name but belongs to the same trunk: see `trunkSources`
    if (source.listener !== facts.listener) continue
    const match = closeness(source, facts)
    if (match < 0 || match < best) continue
    if (match > best) candidates = []
    best = match
    candidates.push(source)
  }
  if (candidates.length > 1) candidates = tellApart(candidates, facts)
  const [first, ...others] = candidates
  if (!first) return { kind: 'stranger' }
  if (others.length > 0) return { kind: 'ambiguous', trunks: candidates.map((c) => c.trunk) }
  return { kind: 'trunk', trunk: first.trunk }
}

/** True when what comes from there is of this trunk, or of one that shares its address. */
export function isSource(source: TrunkSource, facts: Pick<SourceFacts, 'address' | 'port' | 'proof'>): boolean {
  return closeness(source, facts) >= 0
}

/** -1 no match; a certificate is closest, then a longer prefix is closer, a port closer still. */
function closeness(source: TrunkSource, facts: Pick<SourceFacts, 'address' | 'port' | 'proof'>): number {
  const proven = source.certificate === undefined ? undefined : proves(source.certificate, facts.proof)
  // somebody else's certificate, or none where one is required: not this trunk, wherever it comes from
  if (proven === false && (source.certificate?.required || facts.proof !== undefined)) return -1
  if (!proven) return nearness(source, facts)
  const near = source.from.length === 0 ? 0 : nearness(source, facts)
  return near < 0 ? -1 : PROVEN + near
}

/** More than any network. */
const PROVEN = 1000

function proves(wanted: NonNullable<TrunkSource['certificate']>, proof: Proof | undefined): boolean {
  if (!proof) return false
  return proof.authorities.includes(wanted.ca) && namesOne(proof.identities, wanted.names)
}

function nearness(source: TrunkSource, facts: Pick<SourceFacts, 'address' | 'port'>): number {
  let best = -1
  for (const { network, port, bits } of source.from) {
    if (port !== null && port !== facts.port) continue
    if (!inNetwork(facts.address, network)) continue
    best = Math.max(best, bits * 2 + (port === null ? 0 : 1))
  }
  return best
}

/** The first question that leaves exactly one decides; one that leaves none or all decides nothing. */
function tellApart(candidates: TrunkSource[], facts: SourceFacts): TrunkSource[] {
  const { host, accounts } = facts
  const questions: ((all: TrunkSource[]) => TrunkSource[])[] = [
    (all) => byNumber(all, facts),
    (all) => all.filter((c) => host !== undefined && c.hosts.has(host)),
    (all) => all.filter((c) => accounts.some((a) => c.accounts.has(a))),
  ]
  let left = candidates
  for (const question of questions) {
    const fitting = question(left)
    if (fitting.length === 1) return fitting
    if (fitting.length > 1) left = fitting
  }
  return left
}

/** Those with the longest beginning of the DID, each reading it as its carrier writes it. */
function byNumber(candidates: TrunkSource[], facts: SourceFacts): TrunkSource[] {
  let longest = 0
  let found: TrunkSource[] = []
  for (const candidate of candidates) {
    if (candidate.numbers.length === 0) continue
    const written = facts.called[candidate.did]
    const did = written === undefined ? undefined : toE164(written, candidate)
    if (did === undefined) continue
    let length = 0
    for (const number of candidate.numbers) if (number.length > length && did.startsWith(number)) length = number.length
    if (length === 0 || length < longest) continue
    if (length > longest) found = []
    longest = length
    found.push(candidate)
  }
  return found
}

/**
 * `twins`: listeners of other transports on the same address, by the listener that the trunk names. `registeredAt`: where
 * a carrier without `from` calls us from is where it took our registration (RFC 5626 7: over that very flow).
 */
export function trunkSources(
  trunks: Iterable<Trunk>,
  twins: (listener: string) => readonly string[],
  registeredAt: (trunk: string) => { readonly address: string; readonly port: number } | undefined = () => undefined,
): TrunkSource[] {
  const sources: TrunkSource[] = []
  for (const trunk of trunks) {
    const from = trunk.from.map((written) => {
      const peer = parsePeer(written)
      const network = peer.prefix === null ? peer.address : `${peer.address}/${peer.prefix}`
      return { network, port: peer.port, bits: readNetwork(network)?.bits ?? 0 }
    })
    // where a certificate proves the carrier, an address would only narrow it down
    const registered = trunk.tls?.clientCertificate ? undefined : registeredAt(trunk.name)
    if (registered) {
      const { address, port } = registered
      from.push({ network: address, port, bits: readNetwork(address)?.bits ?? 0 })
    }
    const uris = [...trunk.to, ...(trunk.register ? [trunk.register.registrar] : [])].map(parseUri)
    const hosts = new Set([...trunk.hosts, ...uris.flatMap((u) => (u ? [u.host] : []))])
    const accounts = new Set([trunk.register?.user, trunk.credentials?.user].filter((a) => a !== undefined))
    const { numbers, did, country } = trunk
    const certificate = certificateOf(
      trunk,
      uris.flatMap((u) => (u ? [u.host] : [])),
    )
    for (const listener of [trunk.listener, ...twins(trunk.listener)]) {
      sources.push({ trunk: trunk.name, listener, from, certificate, numbers, did, country, hosts, accounts })
    }
  }
  return sources
}

/** The names in its certificate; those under which we call it when none are given. */
function certificateOf({ tls }: Trunk, called: readonly string[]): TrunkSource['certificate'] {
  if (!tls?.clientCertificate) return undefined
  const names = tls.names.length > 0 ? tls.names : called
  return { names, ca: tls.ca ?? SYSTEM, required: tls.clientCertificate === 'required' }
}

/** What a request says of itself, for telling trunks apart only. */
export function sourceFacts(
  request: SipRequest,
  source: Pick<SourceFacts, 'listener' | 'address' | 'port' | 'proof'>,
): SourceFacts {
  const target = userOf(request.uri)
  const inTo = userOf(to(request)?.uriText)
  const party = userOf(nameAddrs(request, 'p-called-party-id')[0]?.uriText)
  return {
    ...source,
    called: {
      ...(target === undefined ? {} : { 'request-uri': target }),
      ...(inTo === undefined ? {} : { to: inTo }),
      ...(party === undefined ? {} : { 'p-called-party-id': party }),
    },
    host: parseUri(request.uri)?.host || undefined,
    accounts: [target, inTo].filter((a) => a !== undefined),
  }
}

/** User part of a sip or sips URI, the number of a tel URI. */
function userOf(text: string | undefined): string | undefined {
  const uri = text === undefined ? undefined : parseUri(text)
  if (uri?.user !== undefined) return unescapeUser(uri.user)
  return /^tel:([^;]{1,64})/i.exec(text ?? '')?.[1]
}
