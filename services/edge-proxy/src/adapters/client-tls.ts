/** TLS towards a carrier: its certificate is checked as RFC 5922 says, ours is shown where one is named. */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { type ConnectionOptions, connect, createSecureContext, type SecureContext } from 'node:tls'
import type { Trunk } from '@tandem/config/defaults.ts'
import type { Environment } from '@tandem/config/secrets.ts'
import type { CredentialFaults } from '../credential-faults.ts'
import { namesOne, sipIdentities } from '../domain/sip-identity.ts'
import { SYSTEM } from '../domain/tls-demand.ts'
import type { Proof } from '../edge.ts'
import { certificatesIn, readNamed } from './server-tls.ts'

/** Who must be at the other end. */
export interface TlsPeer {
  readonly trunk: Trunk
  /** Host part of the URI before DNS was asked, without brackets. */
  readonly host: string
  /** An emergency call goes out to whoever takes it, when nobody proves to be the carrier. */
  readonly unproven?: boolean
}

/** Connections are used again only for the same demands. */
export function peerKey({ trunk, host, unproven }: TlsPeer): string {
  return `${trunk.name} ${host} ${JSON.stringify(trunk.tls)}${unproven ? ' unproven' : ''}`
}

/** RFC 5923 8.2: who called us over this connection is who we would have to prove there, by his certificate. */
export function provenAs(proof: Proof | undefined, { trunk, host }: TlsPeer): boolean {
  const { tls } = trunk
  const names = tls && tls.names.length > 0 ? tls.names : [host]
  return proof?.authorities.includes(tls?.ca ?? SYSTEM) === true && namesOne(proof.identities, names)
}

/** RFC 5923 9.2: an alias is believed only with a certificate: without one of ours `alias` would be for nothing. */
export function offersAlias(peer: TlsPeer | undefined): boolean {
  return peer?.trunk.tls?.certificate != null && peer.unproven !== true
}

export interface ClientTls {
  /** Resolves when the connection can carry SIP. */
  dial(socket: Socket, peer: TlsPeer | undefined): Promise<Socket>
  /** Looks at the files of these trunks: what cannot be used is said before a call needs it. */
  renew(trunks: readonly Trunk[]): void
}

interface Material {
  /** Another one when a file or what the configuration says of it has changed. */
  readonly mark: string
  readonly tls: string
  readonly context: SecureContext
}

/** Files are read for each connection: a new certificate needs no restart, and one that cannot be used leaves the old. */
export function clientTls(env: Environment, faults: Pick<CredentialFaults, 'say'>): ClientTls {
  const last = new Map<string, Material>()

  const materialOf = (trunk: Trunk): Material => {
    const old = last.get(trunk.name)
    try {
      const fresh = build(trunk, env, old)
      last.set(trunk.name, fresh)
      faults.say(`trunk ${trunk.name} tls`, undefined)
      return fresh
    } catch (error) {
      faults.say(`trunk ${trunk.name} tls`, (error as Error).message)
      // what the configuration does not want any more is not used on
      if (old === undefined || old.tls !== JSON.stringify(trunk.tls)) throw error
      return old
    }
  }

  const contextFor = ({ trunk, unproven }: TlsPeer): SecureContext => {
    try {
      return materialOf(trunk).context
    } catch (error) {
      // an emergency call goes out without a certificate of ours rather than not at all
      if (unproven) return createSecureContext(VERSION)
      throw error
    }
  }

  return {
    dial: (socket, peer) =>
      new Promise((done, fail) => {
        const demanded = peer ? { ...demands(peer), secureContext: contextFor(peer) } : UNCHECKED
        const secure = connect({ socket, ...VERSION, ...demanded })
        secure.once('error', fail)
        secure.once('secureConnect', () => {
          secure.off('error', fail)
          done(secure)
        })
      }),
    renew(trunks) {
      const named = trunks.filter(({ tls }) => tls?.certificate || tls?.ca)
      for (const name of last.keys()) if (!named.some((trunk) => trunk.name === name)) last.delete(name)
      for (const trunk of named) {
        try {
          materialOf(trunk)
        } catch {
          // said by materialOf
        }
      }
    },
  }
}

const VERSION = { minVersion: 'TLSv1.2' } as const

/** No trunk: a watcher or a desk that is reached by its URI alone. */
const UNCHECKED: ConnectionOptions = { rejectUnauthorized: false }

/** Throws when a file is missing or holds what it should not; `old` is given back when nothing has changed. */
function build({ name, tls }: Trunk, env: Environment, old: Material | undefined): Material {
  const hash = createHash('sha256')
  const file = (named: string, what: string) => {
    const bytes = readNamed(named, what, `trunk ${name}`, env)
    hash.update(bytes)
    return bytes
  }
  const pair =
    tls?.certificate && tls.privateKey
      ? { cert: file(tls.certificate, 'certificate'), key: file(tls.privateKey, 'privateKey') }
      : {}
  const ca = tls?.ca ? certificatesIn(file(tls.ca, 'ca')) : undefined
  const settings = JSON.stringify(tls)
  const mark = hash.update(settings).digest('hex')
  if (old?.mark === mark) return old
  if (ca?.length === 0) throw new Error(`trunk ${name}: ${tls?.ca} holds no certificate (PEM)`)
  try {
    return { mark, tls: settings, context: createSecureContext({ ...VERSION, ...pair, ...(ca ? { ca } : {}) }) }
  } catch (error) {
    const why = (error as Error).message
    throw new Error(`trunk ${name}: ${tls?.certificate} and ${tls?.privateKey} are no pair: ${why}`, { cause: error })
  }
}

function demands({ trunk, host, unproven }: TlsPeer): ConnectionOptions {
  const { tls } = trunk
  const names = tls && tls.names.length > 0 ? tls.names : [host]
  return {
    ...(isIP(host) ? {} : { servername: host }),
    rejectUnauthorized: !unproven && (tls?.verify ?? true),
    // RFC 5922 7.3: the domain of the URI that was looked up MUST be one of the identities in the certificate
    checkServerIdentity(_host, certificate) {
      const identities = sipIdentities(certificate)
      if (namesOne(identities, names)) return undefined
      const shown = identities.slice(0, 8).join(', ') || 'nobody'
      return new Error(`the certificate is of ${shown}, not of ${names.join(', ')}`)
    },
  }
}
