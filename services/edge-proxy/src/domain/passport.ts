/**
 * PASSporT (RFC 8225) in the Identity header field (RFC 8224), with SHAKEN (RFC 8588) and `div` (RFC 8946): written, read
 * and checked. Pure; ES256 by node:crypto.
 */
import { type KeyObject, sign, verify } from 'node:crypto'

export type Attestation = 'A' | 'B' | 'C'

export interface PassportHeader {
  readonly alg: string
  readonly ppt?: string
  readonly typ: string
  readonly x5u: string
}

export interface PassportClaims {
  readonly attest?: Attestation
  readonly dest: { readonly tn?: readonly string[]; readonly uri?: readonly string[] }
  readonly div?: { readonly tn?: string; readonly uri?: string }
  /** s since 1970. */
  readonly iat: number
  readonly orig: { readonly tn?: string; readonly uri?: string }
  readonly origid?: string
}

export interface Passport {
  readonly header: PassportHeader
  readonly claims: PassportClaims
  /** Header and claims as they were signed. */
  readonly signed: string
  readonly signature: Buffer
}

/** RFC 8224 6.2.2 and 12.1: an iat further from now than this is stale: 403. */
const FRESH_S = 60
const LONGEST = 8192
const SHORTEST_TN = 3

/** RFC 8224 8.3: digits only, no plus and no separators; undefined for what is no telephone number. */
export function canonical(number: string): string | undefined {
  const text = number.replace(/[-.() ]/g, '').replace(/^\+/, '')
  return /^[0-9*#]+$/.test(text) && text.length >= SHORTEST_TN && text.length <= 15 ? text : undefined
}

/** RFC 8225 9: keys in lexicographic order, no white space: what is signed is the same for everybody. */
function deterministic(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(deterministic).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${deterministic(v)}`).join(',')}}`
}

const encode = (value: unknown): string => Buffer.from(deterministic(value)).toString('base64url')

/** A value of Identity. `key`: EC P-256. */
export function writeIdentity(x5u: string, ppt: 'shaken' | 'div', claims: PassportClaims, key: KeyObject): string {
  const signed = `${encode({ alg: 'ES256', ppt, typ: 'passport', x5u })}.${encode(claims)}`
  // RFC 7518 3.4: R and S side by side
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  return `${signed}.${signature};info=<${x5u}>;alg=ES256;ppt=${ppt}`
}

/** Of a value of Identity, undefined: a PASSporT without extensions. RFC 8224 4: a token, quoted or not. */
export function pptOf(value: string): string | undefined {
  return /;\s*ppt\s*=\s*"?([^\s;,"]+)/i.exec(value.slice(0, LONGEST))?.[1]
}

/**
 * One value of Identity. The compact form (RFC 8225 7: header and claims left out) is built anew from what the request
 * says, `expected`, as RFC 8224 4 wants; undefined: the request does not say enough.
 */
export function readIdentity(value: string, expected?: PassportClaims): Passport | undefined {
  if (value.length > LONGEST) return undefined
  const [token = '', ...params] = value.split(';').map((part) => part.trim())
  const info = params.flatMap((p) => /^info\s*=\s*<([^<>\s]+)>$/i.exec(p)?.[1] ?? [])[0]
  const ppt = pptOf(value)
  const alg = params.flatMap((p) => /^alg\s*=\s*"?([A-Za-z0-9]+)"?$/i.exec(p)?.[1] ?? [])[0]
  const pieces = token.split('.')
  const [first = '', second = '', last = ''] = pieces
  if (pieces.length !== 3 || !/^[A-Za-z0-9_+/=-]+$/.test(last) || info === undefined) return undefined
  const signature = Buffer.from(last, 'base64url')
  if (first === '' && second === '') {
    if (expected === undefined) return undefined
    const header = { alg: alg ?? 'ES256', ...(ppt === undefined ? {} : { ppt }), typ: 'passport', x5u: info }
    return { header, claims: expected, signed: `${encode(header)}.${encode(expected)}`, signature }
  }
  const header = json(first) as Partial<PassportHeader> | undefined
  const claims = json(second) as Partial<PassportClaims> | undefined
  // RFC 8224 4.1: alg and x5u mirror the parameters
  if (header?.typ !== 'passport' || typeof header.alg !== 'string' || header.x5u !== info) return undefined
  if ((alg ?? 'ES256') !== header.alg || (ppt !== undefined && ppt !== header.ppt)) return undefined
  if (!isClaims(claims)) return undefined
  return { header: header as PassportHeader, claims, signed: `${first}.${second}`, signature }
}

function json(text: string): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function isClaims(claims: Partial<PassportClaims> | undefined): claims is PassportClaims {
  const { iat, orig, dest } = claims ?? {}
  if (typeof iat !== 'number' || typeof orig !== 'object' || orig === null || typeof dest !== 'object') return false
  return dest !== null && (dest.tn === undefined || (Array.isArray(dest.tn) && dest.tn.length <= 64))
}

export type PassportFault =
  | { readonly status: 403; readonly reason: 'Stale Date' }
  | { readonly status: 438; readonly reason: 'Invalid Identity Header' }

/** RFC 8224 6.2: signature, numbers and freshness. Undefined: all is well. Numbers are canonical; `now` in s. */
export function faultOf(
  passport: Passport,
  key: KeyObject,
  said: { readonly orig: string | undefined; readonly dest: string | undefined; readonly now: number },
): PassportFault | undefined {
  const { claims, header, signed, signature } = passport
  const bad = { status: 438, reason: 'Invalid Identity Header' } as const
  if (header.alg !== 'ES256' || key.asymmetricKeyType !== 'ec' || signature.length !== 64) return bad
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return bad
  // step 4 comes before step 5; RFC 8224 6.2.2: 403 for an old Date, and for an old iat of a full form
  if (Math.abs(claims.iat - said.now) > FRESH_S) return { status: 403, reason: 'Stale Date' }
  if (!verify('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }, signature)) return bad
  if (said.orig === undefined || claims.orig.tn === undefined || canonical(claims.orig.tn) !== said.orig) return bad
  if (said.dest === undefined || !claims.dest.tn?.some((tn) => canonical(String(tn)) === said.dest)) return bad
  return undefined
}
