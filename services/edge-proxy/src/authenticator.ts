/** Digest (RFC 7616, RFC 8760, RFC 3261 22): challenges, and what an Authorization of a user or a trunk proves. */
import { randomBytes } from 'node:crypto'
import type { Configuration, DigestAlgorithm } from '@tandem/config/defaults.ts'
import type { SecretReference } from '@tandem/config/schema.ts'
import { type Environment, resolveSecret } from '@tandem/config/secrets.ts'
import { type Algorithm, challenge, type HashName, ha1, readAuthorization, verify } from '@tandem/sip/auth/digest.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import type { Wire } from './edge.ts'
import type { Nonces } from './nonces.ts'

const NAMES: Readonly<Record<DigestAlgorithm, HashName>> = {
  md5: 'MD5',
  'sha-256': 'SHA-256',
  'sha-512-256': 'SHA-512-256',
}

export type Proof =
  | { readonly kind: 'proven'; readonly user: string }
  /** No credentials for us, or an old nonce: challenge. */
  | { readonly kind: 'unproven'; readonly stale: boolean }
  | { readonly kind: 'wrong'; readonly user: string; readonly why: string }
  | { readonly kind: 'malformed'; readonly why: string }

/** 401 with WWW-Authenticate where we are the server of the request, 407 where we stand between (RFC 3261 22.3). */
export type ChallengeStatus = 401 | 407

/** Who may prove itself by which password. */
export interface Account {
  readonly user: string
  readonly password: SecretReference
  /** null: what the listener offers. */
  readonly digest: readonly DigestAlgorithm[] | null
}

export interface Authenticator {
  /** `accounts`: these and no users. */
  prove(request: SipRequest, wire: Wire, accounts?: readonly Account[]): Proof
  /** `digest`: of the account that is meant, where it has algorithms of its own. */
  challenge(
    status: ChallengeStatus,
    wire: Wire,
    stale: boolean,
    digest?: readonly DigestAlgorithm[] | null,
  ): (readonly [string, string])[]
  /** New passwords, realm or algorithms. */
  configured(): void
}

interface Known {
  readonly secret: { readonly ha1: { readonly [K in HashName]?: string } }
  readonly digest: readonly DigestAlgorithm[] | null
}

export function createAuthenticator(parts: {
  config: () => Configuration
  env: Environment
  nonces: Nonces
}): Authenticator {
  // one entry per account that has come: the hash of its password is made once per configuration
  let known = new Map<string, Known | undefined>()
  // an unknown user takes as long as a wrong password does
  const nobody = { password: randomBytes(16).toString('hex') }

  const algorithms = (wire: Wire, own: readonly DigestAlgorithm[] | null | undefined): Algorithm[] =>
    (own ?? parts.config().edge.listen[wire.listener]?.digest ?? (['sha-256', 'md5'] as const)).map((a) => NAMES[a])

  const hashed = ({ user, password, digest }: Account): Known | undefined => {
    const key = `${user} ${JSON.stringify(password)}`
    if (known.has(key)) return known.get(key)
    const { domain } = parts.config()
    const found = resolveSecret(password, parts.env)
    const of = (name: HashName, text: string) => ha1(name, user, domain, text)
    const made =
      found.kind === 'ok'
        ? {
            secret: {
              ha1: {
                MD5: of('MD5', found.value),
                'SHA-256': of('SHA-256', found.value),
                'SHA-512-256': of('SHA-512-256', found.value),
              },
            },
            digest,
          }
        : undefined
    known.set(key, made)
    return made
  }

  const account = (name: string, accounts: readonly Account[] | undefined): Known | undefined => {
    if (accounts) {
      const found = accounts.find((a) => a.user === name)
      return found && hashed(found)
    }
    const { users } = parts.config()
    const user = Object.hasOwn(users, name) ? users[name] : undefined
    return user && hashed({ user: name, password: user.password, digest: user.digest })
  }

  const prove = (request: SipRequest, wire: Wire, accounts?: readonly Account[]): Proof => {
    const realm = parts.config().domain
    const claim = [...request.headers.getAll('authorization'), ...request.headers.getAll('proxy-authorization')]
      .map(readAuthorization)
      // RFC 3261 22.3: credentials for other realms are none of ours
      .find((c) => c?.realm === realm)
    if (!claim) return { kind: 'unproven', stale: false }
    const found = account(claim.username, accounts)
    const outcome = verify({
      authorization: claim,
      method: request.method,
      realm,
      secret: found?.secret ?? nobody,
      // RFC 3261 22.4: a digest for another uri than the request line's is not necessarily a failure (proxies rewrite
      // it, and so do sipp and phones behind an outbound proxy); the nonce count keeps it from being used twice
      algorithms: algorithms(wire, found?.digest),
      body: request.body,
      checkNonce: (nonce) => parts.nonces.check(nonce, wire.listener),
      useCount: (nonce, nc) => parts.nonces.use(nonce, nc),
    })
    switch (outcome.kind) {
      case 'ok':
        return { kind: 'proven', user: outcome.username }
      case 'stale':
        return { kind: 'unproven', stale: true }
      case 'unknown-algorithm':
        return { kind: 'unproven', stale: false }
      case 'wrong':
        return {
          kind: 'wrong',
          user: claim.username.slice(0, 128),
          why: found ? 'wrong password' : 'unknown user',
        }
      case 'malformed':
        return { kind: 'malformed', why: outcome.why }
    }
  }

  return {
    prove,
    challenge(status, wire, stale, digest) {
      const nonce = parts.nonces.make(wire.listener)
      const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
      const realm = parts.config().domain
      return challenge({ realm, nonce, algorithms: algorithms(wire, digest), stale }).map(
        (value) => [name, value] as const,
      )
    },
    configured() {
      known = new Map()
    },
  }
}
