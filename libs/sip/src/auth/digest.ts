/**
 * Digest access authentication (RFC 7616 as RFC 8760 and RFC 3261 22.4 use it in SIP), as server and as client.
 *
 * Server: `challenge` -> 401/407; `readAuthorization` tells who it claims to be; `verify` tells whether it is so.
 * Client: `authorize` answers the first challenge it can. Nonces and replay: `nonce.ts`. Nothing here keeps state.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { parseUri } from '../message/uri.ts'
import { quote, readAuthParams, unquotePairs } from './auth-params.ts'
import type { NonceVerdict } from './nonce.ts'

export type HashName = 'MD5' | 'SHA-256' | 'SHA-512-256'
export type Algorithm = HashName | `${HashName}-sess`

const HASHES: Readonly<Record<HashName, string>> = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' }

interface Method {
  readonly name: Algorithm
  readonly hash: HashName
  readonly sess: boolean
}

const METHODS: ReadonlyMap<string, Method> = new Map(
  (['MD5', 'SHA-256', 'SHA-512-256'] as const).flatMap((hashName): [string, Method][] => [
    [hashName.toLowerCase(), { name: hashName, hash: hashName, sess: false }],
    [`${hashName}-sess`.toLowerCase(), { name: `${hashName}-sess`, hash: hashName, sess: true }],
  ]),
)

/** RFC 7616 3.3: without the parameter it is MD5. */
function method(algorithm: string | undefined): Method | undefined {
  return METHODS.get((algorithm ?? 'MD5').toLowerCase())
}

/** A password, or H(user:realm:password) in hex for the hashes it was made for. */
export type Secret = { readonly password: string } | { readonly ha1: { readonly [K in HashName]?: string } }

export interface ChallengeParts {
  readonly realm: string
  readonly nonce: string
  /** In order of preference. RFC 8760 2.3: the most preferred at the top, each in a field of its own. */
  readonly algorithms: readonly Algorithm[]
  /** The response was right but its nonce is not: the client may try again without asking its user. */
  readonly stale?: boolean
  readonly opaque?: string
  /** Default `['auth']`. */
  readonly qop?: readonly ('auth' | 'auth-int')[]
}

/** One WWW-Authenticate or Proxy-Authenticate value per algorithm, in the given order. */
export function challenge(parts: ChallengeParts): string[] {
  return parts.algorithms.map((algorithm) => {
    // RFC 3261 22.4 item 8: servers MUST always send qop.
    const fields = [`realm=${quote(parts.realm)}`, `nonce=${quote(parts.nonce)}`, `algorithm=${algorithm}`]
    fields.push(`qop=${quote((parts.qop ?? ['auth']).join(','))}`)
    if (parts.opaque !== undefined) fields.push(`opaque=${quote(parts.opaque)}`)
    if (parts.stale) fields.push('stale=true')
    return `Digest ${fields.join(', ')}`
  })
}

/** What an Authorization or Proxy-Authorization value claims. Raw values are as between the quotes. */
export interface Authorization {
  /** For looking up the account. */
  readonly username: string
  readonly realm: string
  readonly nonce: string
  readonly uri: string
  /** Lower-case hex. */
  readonly response: string
  /** As written, undefined when absent (MD5). */
  readonly algorithm: string | undefined
  readonly qop: string | undefined
  readonly cnonce: string | undefined
  /** As written, eight hex digits. */
  readonly nc: string | undefined
  readonly opaque: string | undefined
  readonly rawUsername: string
  readonly rawRealm: string
}

/** Undefined when it is no Digest or malformed: look at the next value then (RFC 4475 3.3.7). */
export function readAuthorization(value: string): Authorization | undefined {
  const fields = readAuthParams(value)
  if (fields?.scheme !== 'digest') return undefined
  const { raw } = fields
  const rawRealm = raw.get('realm')
  const nonce = raw.get('nonce')
  const uri = raw.get('uri')
  const response = raw.get('response')
  const name = readUsername(raw)
  if (name === undefined || rawRealm === undefined || nonce === undefined || uri === undefined) return undefined
  if (response === undefined) return undefined
  return {
    ...name,
    realm: unquotePairs(rawRealm),
    rawRealm,
    nonce,
    uri,
    response: response.toLowerCase(),
    algorithm: raw.get('algorithm'),
    qop: raw.get('qop')?.toLowerCase(),
    cnonce: raw.get('cnonce'),
    nc: raw.get('nc'),
    opaque: raw.get('opaque'),
  }
}

// RFC 7616 3.4: username or username* (RFC 5987 notation); both MUST be treated as an error.
function readUsername(raw: ReadonlyMap<string, string>): { username: string; rawUsername: string } | undefined {
  const plain = raw.get('username')
  const extended = raw.get('username*')
  if (plain !== undefined) {
    return extended === undefined ? { username: unquotePairs(plain), rawUsername: plain } : undefined
  }
  const text = extended === undefined ? null : /^utf-8'[^']*'(.*)$/is.exec(extended)
  if (!text) return undefined
  try {
    const username = decodeURIComponent(text[1] as string)
    return { username, rawUsername: username }
  } catch {
    return undefined
  }
}

export interface VerifyQuestion {
  readonly authorization: string | Authorization
  readonly method: string
  /** Our realm: a response for another one is `wrong`. */
  readonly realm: string
  readonly secret: Secret
  /** The Request-URI. When given, the digest's own uri must name the same user and host. */
  readonly uri?: string
  /** What we offered (any other is `unknown-algorithm`: no down-grade). Default: all. */
  readonly algorithms?: readonly Algorithm[]
  /** For qop=auth-int. */
  readonly body?: Uint8Array
  /** Usually `(nonce) => checkNonce(secret, nonce, now, lifetime, realm)`. */
  readonly checkNonce: (nonce: string) => NonceVerdict
  /** Usually `(nonce, nc) => useCount(counts, nonce, nc)`; false is a replay. Asked only when all else is right. */
  readonly useCount?: (nonce: string, nc: number) => boolean
}

/**
 * - `stale`: the response is right, but the nonce is old, not ours, or used before: challenge anew with `stale`.
 * - `wrong`: bad password, user or realm: challenge anew, and count it.
 * - `malformed`: answer 400.
 */
export type VerifyOutcome =
  | { readonly kind: 'ok'; readonly username: string; readonly algorithm: Algorithm; readonly nonce: string }
  | { readonly kind: 'stale' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'malformed'; readonly why: string }
  | { readonly kind: 'unknown-algorithm'; readonly algorithm: string }

export function verify(question: VerifyQuestion): VerifyOutcome {
  const given = question.authorization
  const claim = typeof given === 'string' ? readAuthorization(given) : given
  if (!claim) return { kind: 'malformed', why: 'no Digest credentials' }
  const how = method(claim.algorithm)
  if (!how || (question.algorithms && !question.algorithms.includes(how.name))) {
    return { kind: 'unknown-algorithm', algorithm: claim.algorithm ?? 'MD5' }
  }
  const why = malformed(claim, how)
  if (why !== undefined) return { kind: 'malformed', why }
  // RFC 7616 3.4.6: the resource of the uri parameter is that of the request line, else 400.
  if (question.uri !== undefined && !sameResource(claim.uri, question.uri)) {
    return { kind: 'malformed', why: 'the digest is for another uri' }
  }
  if (claim.realm !== question.realm) return { kind: 'wrong' }
  const expected = responseOf(how, { ...claim, ...question, secret: question.secret, uri: claim.uri })
  if (expected === undefined || !sameText(expected, claim.response)) return { kind: 'wrong' }
  if (question.checkNonce(claim.nonce) !== 'fresh') return { kind: 'stale' }
  // RFC 2069 clients send no count: their nonce is good for one request.
  const nc = claim.nc === undefined ? 1 : Number.parseInt(claim.nc, 16)
  if (question.useCount && !question.useCount(claim.nonce, nc)) return { kind: 'stale' }
  return { kind: 'ok', username: claim.username, algorithm: how.name, nonce: claim.nonce }
}

function malformed(claim: Authorization, how: Method): string | undefined {
  if (claim.qop === undefined) {
    // RFC 8760 2: qop is required; it may be missing only in the MD5 of RFC 2069 (RFC 3261 22.4 item 8).
    return how.name === 'MD5' ? undefined : `${how.name} without qop`
  }
  if (claim.qop !== 'auth' && claim.qop !== 'auth-int') return 'unknown qop'
  if (claim.cnonce === undefined) return 'qop without cnonce'
  return claim.nc !== undefined && /^[0-9a-f]{8}$/i.test(claim.nc) ? undefined : 'qop without a proper nc'
}

/** Same text, or same user and host: proxies and phones write ports and parameters differently. */
function sameResource(a: string, b: string): boolean {
  if (a === b) return true
  const x = parseUri(a)
  const y = parseUri(b)
  return x !== undefined && y !== undefined && x.opaque === y.opaque && x.user === y.user && x.host === y.host
}

interface Claimed {
  readonly rawUsername: string
  readonly rawRealm: string
  readonly nonce: string
  readonly cnonce: string | undefined
  readonly nc: string | undefined
  readonly qop: string | undefined
  readonly method: string
  readonly uri: string
  readonly secret: Secret
  readonly body?: Uint8Array | undefined
}

// RFC 7616 3.4.1 to 3.4.3. Undefined when the account has no hash of this kind.
function responseOf(how: Method, c: Claimed): string | undefined {
  const h = (text: string | Uint8Array): string => hash(HASHES[how.hash], text, 'hex')
  let ha1 = 'password' in c.secret ? h(`${c.rawUsername}:${c.rawRealm}:${c.secret.password}`) : c.secret.ha1[how.hash]
  if (ha1 === undefined) return undefined
  if (how.sess) ha1 = h(`${ha1}:${c.nonce}:${c.cnonce ?? ''}`)
  const a2 = `${c.method}:${c.uri}`
  const ha2 = h(c.qop === 'auth-int' ? `${a2}:${h(c.body ?? '')}` : a2)
  return h(c.qop === undefined ? `${ha1}:${c.nonce}:${ha2}` : `${ha1}:${c.nonce}:${c.nc}:${c.cnonce}:${c.qop}:${ha2}`)
}

/** The stored form of a password (hex). */
export function ha1(hashName: HashName, username: string, realm: string, password: string): string {
  return hash(HASHES[hashName], `${username}:${realm}:${password}`, 'hex')
}

function sameText(a: string, b: string): boolean {
  const x = Buffer.from(a)
  const y = Buffer.from(b)
  return x.length === y.length && timingSafeEqual(x, y)
}

/** A challenge we can answer. */
export interface Challenge {
  readonly realm: string
  readonly nonce: string
  readonly algorithm: Algorithm
  readonly qop: 'auth' | 'auth-int' | undefined
  readonly opaque: string | undefined
  readonly stale: boolean
  readonly rawRealm: string
  readonly rawOpaque: string | undefined
  /** As the server wrote it; undefined when it did not. */
  readonly rawAlgorithm: string | undefined
}

/** RFC 8760 2.4: the topmost one we support; what is not understood MUST be ignored. */
export function pickChallenge(values: readonly string[], realm?: string): Challenge | undefined {
  for (const value of values) {
    const found = readChallenge(value)
    if (found && (realm === undefined || found.realm === realm)) return found
  }
  return undefined
}

/** Undefined for another scheme, an unknown algorithm or qop, or a malformed value. */
export function readChallenge(value: string): Challenge | undefined {
  const fields = readAuthParams(value)
  if (fields?.scheme !== 'digest') return undefined
  const { raw } = fields
  const rawRealm = raw.get('realm')
  const nonce = raw.get('nonce')
  const how = method(raw.get('algorithm'))
  if (rawRealm === undefined || nonce === undefined || !how) return undefined
  const offered = raw
    .get('qop')
    ?.toLowerCase()
    .split(/[\s,]+/)
  const qop = offered?.includes('auth') ? 'auth' : offered?.includes('auth-int') ? 'auth-int' : undefined
  if (qop === undefined && (offered || how.sess)) return undefined
  const rawOpaque = raw.get('opaque')
  return {
    realm: unquotePairs(rawRealm),
    rawRealm,
    nonce,
    algorithm: how.name,
    rawAlgorithm: raw.get('algorithm'),
    qop,
    opaque: rawOpaque === undefined ? undefined : unquotePairs(rawOpaque),
    rawOpaque,
    stale: raw.get('stale')?.toLowerCase() === 'true',
  }
}

export interface AuthorizeQuestion {
  /** The values of WWW-Authenticate (or Proxy-Authenticate) in order, or the challenge picked before. */
  readonly challenges: readonly string[] | Challenge
  readonly username: string
  readonly secret: Secret
  readonly method: string
  /** The Request-URI as it is sent. */
  readonly uri: string
  /** Fresh random text. */
  readonly cnonce: string
  /** 1 for the first request with this nonce, then counting. Default 1. */
  readonly nc?: number
  readonly body?: Uint8Array
}

/** The Authorization (or Proxy-Authorization) value; undefined when there is no challenge we can answer. */
export function authorize(question: AuthorizeQuestion): string | undefined {
  const { challenges } = question
  const asked = 'nonce' in challenges ? challenges : pickChallenge(challenges)
  if (!asked) return undefined
  const how = METHODS.get(asked.algorithm.toLowerCase()) as Method
  const username = quote(question.username)
  const nc = (question.nc ?? 1).toString(16).padStart(8, '0')
  const { method: verb, uri, cnonce, secret, body } = question
  const { rawRealm, nonce, qop } = asked
  const rawUsername = username.slice(1, -1)
  const response = responseOf(how, { rawUsername, rawRealm, nonce, cnonce, nc, qop, method: verb, uri, secret, body })
  if (response === undefined) return undefined
  // RFC 7616 3.4: these are quoted; algorithm, qop and nc MUST NOT be.
  let value = `Digest username=${username}, realm="${rawRealm}", nonce="${nonce}", uri="${uri}", response="${response}"`
  if (asked.rawAlgorithm !== undefined) value += `, algorithm=${asked.rawAlgorithm}`
  if (qop !== undefined) value += `, qop=${qop}, nc=${nc}, cnonce="${cnonce}"`
  if (asked.rawOpaque !== undefined) value += `, opaque="${asked.rawOpaque}"`
  return value
}
