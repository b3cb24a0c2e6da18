/** TLS towards a carrier: its certificate is checked as RFC 5922 says, ours is shown where one is named. */
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import type { Trunk } from '@tandem/config/defaults.ts'
import type { Environment } from '@tandem/config/secrets.ts'
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

/** Resolves when the connection can carry SIP. Files are read for each connection: a new certificate needs no restart. */
export function dialTls(socket: Socket, peer: TlsPeer | undefined, env: Environment): Promise<Socket> {
  return new Promise((done, fail) => {
    const secure = connect({ socket, minVersion: 'TLSv1.2', ...(peer ? demands(peer, env) : UNCHECKED) })
    secure.once('error', fail)
    secure.once('secureConnect', () => {
      secure.off('error', fail)
      done(secure)
    })
  })
}

/** No trunk: a watcher or a desk that is reached by its URI alone. */
const UNCHECKED: ConnectionOptions = { rejectUnauthorized: false }

function demands({ trunk, host, unproven }: TlsPeer, env: Environment): ConnectionOptions {
  const { tls } = trunk
  const file = (named: string, what: string) => readNamed(named, what, `trunk ${trunk.name}`, env)
  const names = tls && tls.names.length > 0 ? tls.names : [host]
  return {
    ...(isIP(host) ? {} : { servername: host }),
    ...(tls?.certificate && tls.privateKey
      ? { cert: file(tls.certificate, 'certificate'), key: file(tls.privateKey, 'privateKey') }
      : {}),
    ...(tls?.ca ? { ca: certificatesIn(file(tls.ca, 'ca')) } : {}),
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
