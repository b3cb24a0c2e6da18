/** STIR/SHAKEN on trunks (edge.md E13, docs/adr/0063): what goes out is signed, what comes in is looked at. */
import { type KeyObject, randomUUID, type X509Certificate } from 'node:crypto'
import type { Configuration } from '@tandem/config/defaults.ts'
import { toE164 } from '@tandem/numbers/e164.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { elements, from, nameAddrs } from '@tandem/sip/message/read.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'
import { type Attestation, canonical, readIdentity, writeIdentity } from './passport.ts'
import { type Lookup, type Verdict, verdictOf } from './stir-verdict.ts'

type Fields = readonly (readonly [string, string])[]

export interface StirStore {
  /** Of that trunk's `stir.sign`; undefined: none, or it cannot be read. */
  key(trunk: string): KeyObject | undefined
  anchors(): readonly X509Certificate[]
  readonly lookup: Lookup
}

export interface SignQuestion {
  readonly trunk: string
  /** As the call began and goes out, in any spelling. */
  readonly orig: string
  readonly dest: string
  /** A user of ours calls; undefined: the call came from a carrier. */
  readonly user: string | undefined
  /** Identity of the call as it came from a carrier, and its number here: then it is sent on (RFC 8946). */
  readonly came: { readonly identity: readonly string[]; readonly dest: string } | undefined
  readonly nowMs: number
}

export interface Stir {
  sign(question: SignQuestion): { readonly headers: Fields; readonly attestation: Attestation | undefined }
  /** Undefined: calls of this trunk are not looked at. */
  verify(request: SipRequest, trunk: string, called: string, nowMs: number): Verdict | undefined
}

const UNSIGNED = { headers: [], attestation: undefined } as const

export function createStir(config: () => Configuration, store: StirStore): Stir {
  /** ATIS-1000074 5.2.3: one for the node that signs. */
  const origid = randomUUID()
  return {
    sign(q) {
      const trunk = config().trunks[q.trunk]
      const key = store.key(q.trunk)
      const tn = tnOf(q.orig, trunk?.country)
      const dest = tnOf(q.dest, trunk?.country)
      if (trunk?.stir.sign == null || key === undefined || tn === undefined || dest === undefined) return UNSIGNED
      const { x5u, attestation } = trunk.stir.sign
      const iat = Math.floor(q.nowMs / 1000)
      const first = q.came?.identity.find((value) => readIdentity(value)?.header.ppt === 'shaken')
      const div = q.came && tnOf(q.came.dest, trunk.country)
      if (q.came && first !== undefined && div !== undefined && div !== dest) {
        const claims = { dest: { tn: [dest] }, div: { tn: div }, iat, orig: readIdentity(first)?.claims.orig ?? { tn } }
        const all = [...q.came.identity, writeIdentity(x5u, 'div', claims, key)]
        return { headers: [dated(iat), ...all.map((value) => ['Identity', value] as const)], attestation: undefined }
      }
      const attest = attestation === 'auto' ? attestationOf(config(), q.user, tn) : LEVELS[attestation]
      const value = writeIdentity(x5u, 'shaken', { attest, dest: { tn: [dest] }, iat, orig: { tn }, origid }, key)
      return { headers: [dated(iat), ['Identity', value]], attestation: attest }
    },
    verify(request, trunk, called, nowMs) {
      const { country, trusted, stir } = config().trunks[trunk] ?? {}
      if (stir?.verify == null) return undefined
      const asserted = trusted === true ? nameAddrs(request, 'p-asserted-identity')[0] : undefined
      const sender = asserted ?? from(request)
      const orig = tnOf(unescapeUser(sender?.uri.user ?? ''), country)
      const said = { orig, dest: tnOf(called, country), nowMs, dateMs: dateOf(request) }
      return verdictOf(elements(request, 'identity'), said, store.anchors(), store.lookup)
    },
  }
}

/** RFC 8224 6.1, step 3: "MUST add a Date header field to SIP requests that do not have one". */
const dated = (s: number) => ['Date', new Date(s * 1000).toUTCString()] as const

/** RFC 3261 20.17; undefined: there is none, or it is none. */
function dateOf(request: SipRequest): number | undefined {
  const ms = Date.parse(request.headers.get('date') ?? '')
  return Number.isNaN(ms) ? undefined : ms
}

const LEVELS = { full: 'A', partial: 'B', gateway: 'C' } as const

/** ATIS-1000074 5.2.3: full for a user of ours with a number of his, partial for another number, gateway for a transit. */
function attestationOf(config: Configuration, user: string | undefined, tn: string): Attestation {
  if (user === undefined) return 'C'
  const { did, callerId } = config.users[user] ?? {}
  const own = [did, callerId].some((number) => number != null && canonical(number) === tn)
  const ours = own || config.numbers.some(({ first, last }) => within(tn, canonical(first), canonical(last)))
  return ours ? 'A' : 'B'
}

const within = (tn: string, first: string | undefined, last: string | undefined): boolean =>
  first !== undefined && last !== undefined && tn.length === first.length && tn >= first && tn <= last

/** RFC 8224 8.3: with the country code, as it is written in this carrier's country. */
function tnOf(number: string, country: string | undefined): string | undefined {
  const bare = number.split(';', 1)[0] as string
  return canonical(toE164(bare, { country: country ?? 'US' }) ?? bare)
}

/** RFC 8224 6.2.2, by policy: whether this verdict refuses the call. */
export function refusalOf(
  verdict: Verdict | undefined,
  policy: { readonly missing: 'allow' | 'reject'; readonly invalid: 'allow' | 'reject' } | null,
): { readonly status: number; readonly reason: string } | undefined {
  const { status, reason } = verdict ?? {}
  if (status === undefined || policy === null) return undefined
  const way = status === 428 ? policy.missing : policy.invalid
  return way === 'reject' ? { status, reason: reason ?? '' } : undefined
}

/** User part with `verstat` (3GPP TS 24.229 7.2A.20), for P-Asserted-Identity to a phone. */
export const withVerstat = (user: string, verstat: string): string => `${user};verstat=${verstat}`
