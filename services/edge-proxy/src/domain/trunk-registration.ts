/**
 * A registration with a carrier (RFC 3261 10.2, RFC 5626 4.2, RFC 6140 5.1): what the REGISTER says, what the answer
 * grants, and when it is made again.
 */
import { createHash } from 'node:crypto'
import type { NameAddr, SipResponse } from '@tandem/sip/message/message.ts'
import { contacts, elements, expires } from '@tandem/sip/message/read.ts'
import type { Wire } from '../edge.ts'

const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 300_000
/** A carrier that says no is not asked again and again. */
const REFUSED_RETRY_MS = 60_000
const MAX_SERVICE_ROUTE = 8

/** `expiresS` granted: again after 80 % of it, at least 5 s before its end. */
export function refreshAfterMs(expiresS: number): number {
  const ms = expiresS * 1000
  return Math.max(Math.min(ms * 0.8, ms - 5_000), ms * 0.5, 1_000)
}

export interface Failure {
  /** In a row, this one counted. */
  readonly failures: number
  /** undefined: no answer. */
  readonly status: number | undefined
  /** Retry-After, s. */
  readonly retryAfterS: number | undefined
  /** 0 to 1. */
  readonly random: number
}

/** RFC 5626 4.5: doubling, and a random 50 to 100 % of it, so that not all come back at once. */
export function retryAfterMs({ failures, status, retryAfterS, random }: Failure): number {
  if (retryAfterS !== undefined) return Math.min(Math.max(retryAfterS, 1), 3600) * 1000
  const refused = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 423
  const base = refused ? REFUSED_RETRY_MS : FIRST_RETRY_MS
  const full = Math.min(base * 2 ** Math.min(failures - 1, 16), LAST_RETRY_MS)
  return Math.round(full * (0.5 + random / 2))
}

/** The edges of one enterprise are flows of one instance: the carrier calls one of them at a time (RFC 5626 4.2, 7). */
export interface Instance {
  readonly urn: string
  readonly regId: number
}

/** The same at every start: RFC 5626 4.1 wants an instance that outlives a restart. */
export function instanceOf(domain: string, trunk: string, node: string): Instance {
  const hex = createHash('sha256').update(`${domain} ${trunk}`).digest('hex')
  // RFC 4122 4.3: a name-based UUID, marked as version 5
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)]
  // RFC 5626 11.1: 1 to 2^31 - 1
  const regId = (createHash('sha256').update(node).digest().readUInt32BE(0) % 0x7fff_fffe) + 1
  return { urn: `urn:uuid:${uuid.join('-')}`, regId }
}

export interface OwnContact {
  readonly user: string
  /** host:port as it stands in Via. */
  readonly sentBy: string
  readonly transport: Wire['transport']
  readonly bulk: boolean
}

export function contactUri({ user, sentBy, transport, bulk }: OwnContact): string {
  const via = transport === 'UDP' ? '' : `;transport=${transport.toLowerCase()}`
  // RFC 6140 5.1: a bulk number contact has the parameter bnc and no user part
  return bulk ? `sip:${sentBy}${via};bnc` : `sip:${user}@${sentBy}${via}`
}

/** Contact, and the fields that go with it. `instance`: undefined where the carrier's first hop lacks RFC 5626 (439). */
export function registerFields(
  own: OwnContact,
  instance: Instance | undefined,
  expiresS: number,
): { readonly contact: string; readonly headers: [string, string][] } {
  const flow = instance === undefined ? '' : `;reg-id=${instance.regId};+sip.instance="<${instance.urn}>"`
  const headers: [string, string][] = [['Expires', String(expiresS)]]
  if (own.bulk) {
    // RFC 6140 5.1: in Require and Proxy-Require alike; path in Supported is a MUST
    headers.push(['Require', 'gin'], ['Proxy-Require', 'gin'])
  }
  headers.push(['Supported', instance === undefined ? 'path' : 'path, outbound'])
  return { contact: `<${contactUri(own)}>${flow}`, headers }
}

export interface Granted {
  readonly expiresS: number
  /** RFC 3608: the Route of requests through this registration. */
  readonly serviceRoute: readonly string[]
  /** RFC 5626 6: the carrier keeps flows; it answers keep-alives. */
  readonly outbound: boolean
  /** RFC 5626 4.4: how often the flow must be kept alive, s. */
  readonly flowTimerS: number | undefined
}

/** RFC 3261 10.2.4: what the registrar says of our own contact, else Expires, else what we asked for. */
export function readGranted(answer: SipResponse, own: OwnContact, instance: Instance, askedS: number): Granted {
  const found = contacts(answer)
  const said = (found === '*' ? undefined : ownAmong(found, own, instance))?.params.get('expires')
  const seconds = said !== undefined && /^\d{1,9}$/.test(said) ? Number(said) : (expires(answer) ?? askedS)
  const flowTimer = Number(/^\d{1,6}$/.exec(answer.headers.get('flow-timer') ?? '')?.[0] ?? 'NaN')
  return {
    expiresS: Math.max(seconds, 1),
    serviceRoute: elements(answer, 'service-route').slice(0, MAX_SERVICE_ROUTE),
    outbound: elements(answer, 'require').some((tag) => tag.toLowerCase() === 'outbound'),
    flowTimerS: Number.isNaN(flowTimer) ? undefined : flowTimer,
  }
}

/** Other nodes and forgotten ports may stand beside it; a border element may have written another address. */
function ownAmong(found: readonly NameAddr[], own: OwnContact, instance: Instance): NameAddr | undefined {
  const wanted = contactUri(own)
  return (
    found.find(
      (c) => c.params.get('+sip.instance') === `<${instance.urn}>` && c.params.get('reg-id') === String(instance.regId),
    ) ??
    found.find((c) => c.uriText === wanted) ??
    found.find((c) => (own.bulk ? c.uri.params.has('bnc') : c.uri.user === own.user && sameHost(c, own))) ??
    found.find((c) => !own.bulk && c.uri.user === own.user) ??
    (found.length === 1 ? found[0] : undefined)
  )
}

const sameHost = (c: NameAddr, own: OwnContact): boolean => own.sentBy === `${c.uri.host}:${c.uri.port ?? 5060}`
