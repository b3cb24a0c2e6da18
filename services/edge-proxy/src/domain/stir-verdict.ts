/** What the Identity headers of an INVITE prove (RFC 8224 6.2, 8588, 8946). Pure: certificates are looked up by the caller. */
import type { X509Certificate } from 'node:crypto'
import { type Attestation, faultOf, type Passport, pptOf, readIdentity } from './passport.ts'
import { leadsToAnchor, mayAssert, numberAuthority } from './stir-certificate.ts'

/** 3GPP TS 24.229 7.2A.20: as phones are told. */
export type Verstat = 'TN-Validation-Passed' | 'TN-Validation-Failed' | 'No-TN-Validation'

export interface Verdict {
  readonly verstat: Verstat
  readonly attestation?: Attestation | undefined
  /** RFC 8224 6.2.2: how it would be refused. */
  readonly status?: 403 | 428 | 436 | 437 | 438
  readonly reason?: string
}

/** By x5u: the chain; `unknown`: not here (yet); `failed`: it could not be had. */
export type Lookup = (x5u: string) => readonly X509Certificate[] | 'unknown' | 'failed'

export interface Said {
  /** Canonical numbers (RFC 8224 8.3). */
  readonly orig: string | undefined
  readonly dest: string | undefined
  readonly nowMs: number
  /** Date of the request, ms since 1970; undefined: it has none that can be read. */
  readonly dateMs: number | undefined
}

const MOST = 8
const SUPPORTED: ReadonlySet<string> = new Set(['shaken', 'div'])
const NOTHING: Verdict = { verstat: 'No-TN-Validation' }
const failed = (status: NonNullable<Verdict['status']>, reason: string): Verdict => ({
  verstat: 'TN-Validation-Failed',
  status,
  reason,
})

export function verdictOf(
  values: readonly string[],
  said: Said,
  anchors: readonly X509Certificate[],
  lookup: Lookup,
): Verdict {
  if (values.length === 0) return { ...NOTHING, status: 428, reason: 'Use Identity Header' }
  const { orig, dest, dateMs } = said
  // RFC 8224 4.1: what a compact form leaves out is in From, To and Date of the request
  const date = dateMs === undefined ? undefined : Math.floor(dateMs / 1000)
  const expected = date === undefined ? undefined : { iat: date, orig: { tn: orig ?? '' }, dest: { tn: [dest ?? ''] } }
  // RFC 8224 6.2, step 1: "If a "ppt" parameter value is present and the verifier does not support it, it MUST ignore the
  // Identity header field"
  const usable = values.filter((value) => SUPPORTED.has(pptOf(value) ?? 'shaken')).slice(0, MOST)
  const passports = usable.flatMap((value) => readIdentity(value, expected) ?? [])
  const own = passports.filter(({ header }) => header.ppt === undefined || header.ppt === 'shaken')
  if (own.length === 0)
    return passports.length === usable.length
      ? { ...NOTHING, status: 428, reason: 'Use Supported PASSporT Format' }
      : failed(438, 'Invalid Identity Header')
  const divs = passports.filter(({ header, claims }) => header.ppt === 'div' && claims.div?.tn !== undefined)
  const check = (passport: Passport, at: string | undefined) =>
    checked(passport, { ...said, dest: at }, anchors, lookup)
  return bestOf(own.map((passport) => proven(passport, divs, dest, check)))
}

/** RFC 8946 5: from where the call is now back to where it was sent first, each step proven. */
function proven(
  own: Passport,
  divs: readonly Passport[],
  dest: string | undefined,
  check: (passport: Passport, at: string | undefined) => Verdict,
): Verdict {
  let at = dest
  for (let i = 0; i < MOST && at !== undefined && !goesTo(own, at); i++) {
    const here: string = at
    const div = divs.find((p) => goesTo(p, here))
    if (div === undefined) break
    const step = check(div, here)
    if (step.verstat !== 'TN-Validation-Passed') return step
    at = div.claims.div?.tn
  }
  return check(own, at)
}

/**
 * RFC 8224 6.2.1: one that is valid is enough; one whose certificate is on its way may be. 6.2.2: 436 "should only be sent
 * when the verification service is unable to ... acquire the credentials associated with all Identity header fields".
 */
function bestOf(verdicts: readonly Verdict[]): Verdict {
  const passed = verdicts.find(({ verstat }) => verstat === 'TN-Validation-Passed')
  const open = verdicts.find(({ status }) => status === undefined)
  return passed ?? open ?? verdicts.find(({ status }) => status !== 436) ?? (verdicts[0] as Verdict)
}

const goesTo = ({ claims }: Passport, number: string): boolean => claims.dest.tn?.includes(number) === true

function checked(passport: Passport, said: Said, anchors: readonly X509Certificate[], lookup: Lookup): Verdict {
  const chain = lookup(passport.header.x5u)
  if (chain === 'unknown') return NOTHING
  if (chain === 'failed') return { ...NOTHING, status: 436, reason: 'Bad Identity Info' }
  const [leaf] = chain
  const authority = leaf && numberAuthority(leaf)
  if (leaf === undefined || authority === undefined || !leadsToAnchor(chain, anchors, said.nowMs))
    return failed(437, 'Unsupported Credential')
  const now = Math.floor(said.nowMs / 1000)
  const fault = faultOf(passport, leaf.publicKey, { orig: said.orig, dest: said.dest, now })
  if (fault) return failed(fault.status, fault.reason)
  // a `div` is signed by whoever sent the call on, for the number that it was sent from
  const spokenFor = passport.header.ppt === 'div' ? passport.claims.div?.tn : said.orig
  if (spokenFor === undefined || !mayAssert(authority, spokenFor)) return failed(437, 'Unsupported Credential')
  const { attest } = passport.claims
  const attestation = attest === 'A' || attest === 'B' || attest === 'C' ? attest : undefined
  return { verstat: 'TN-Validation-Passed', attestation }
}
