/**
 * What a TLS or WSS listener shows and demands: certificates by host name, CAs of clients. Read again when a file has
 * changed: new connections get the new certificate, those that stand (and their calls) go on.
 */
import { constants, createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  createSecureContext,
  getCACertificates,
  type PeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls'
import type { Listener } from '@tandem/config/defaults.ts'
import { type Environment, findFile } from '@tandem/config/secrets.ts'
import { sipIdentities } from '../domain/sip-identity.ts'
import { SYSTEM, type TlsDemand } from '../domain/tls-demand.ts'
import type { Proof } from '../edge.ts'

const HANDSHAKE_MS = 10_000
/** Certificates in a chain at most. */
const MAX_CHAIN = 10

export interface ServerTls {
  /** For `tls.createServer` or `https.createServer`. */
  options(): TlsOptions
  /** The server whose new connections are to follow the files. */
  follow(server: Server): void
  /** Reads everything again; true when something is new. Throws when it cannot be used: then the old stays. */
  renew(listener: Listener, demand: TlsDemand): boolean
  /** What the peer's certificate proves; undefined when it showed none of a CA that we trust. */
  proofOf(socket: TLSSocket): Proof | undefined
}

interface Material {
  readonly context: SecureContextOptions
  /** By the name that the client asks for. */
  readonly hosts: ReadonlyMap<string, SecureContext>
  /** SHA-256 of a CA -> the file that holds it. */
  readonly holders: ReadonlyMap<string, string>
  readonly demand: TlsDemand
}

/** Throws when a file is missing or certificate and key are no pair. */
export function serverTls(listener: Listener, demand: TlsDemand, env: Environment): ServerTls {
  let files = readFiles(listener, demand, env)
  let material = build(listener, demand, files)
  let server: Server | undefined
  return {
    options: () => ({
      ...material.context,
      handshakeTimeout: HANDSHAKE_MS,
      requestCert: material.demand.request,
      rejectUnauthorized: material.demand.require,
      // RFC 6066 3; a name that we do not have gets the first certificate
      SNICallback: (name, done) => done(null, material.hosts.get(name.toLowerCase())),
    }),
    follow(followed) {
      server = followed
    },
    renew(listenerNow, demandNow) {
      const fresh = readFiles(listenerNow, demandNow, env)
      if (fresh.mark === files.mark) return false
      material = build(listenerNow, demandNow, fresh)
      files = fresh
      server?.setSecureContext(material.context)
      // what setSecureContext leaves out is read from the server at each connection
      if (server) Object.assign(server, { requestCert: demandNow.request, rejectUnauthorized: demandNow.require })
      return true
    },
    proofOf(socket) {
      if (!socket.authorized) return undefined
      const peer = socket.getPeerCertificate(true)
      if (!peer?.raw) return undefined
      const held = chainOf(peer).flatMap((c) => material.holders.get(c.fingerprint256) ?? [])
      return { identities: sipIdentities(peer), authorities: [...new Set(held)] }
    },
  }
}

interface Files {
  readonly bytes: ReadonlyMap<string, Buffer>
  /** Another one when anything is new. */
  readonly mark: string
}

function readFiles(listener: Listener, demand: TlsDemand, env: Environment): Files {
  const { certificate, privateKey, certificates } = listener
  const hash = createHash('sha256').update(JSON.stringify([demand, certificate, privateKey, certificates]))
  const bytes = new Map<string, Buffer>()
  const read = (named: string | null, what: string) => {
    const found = readNamed(named, what, whoIs(listener), env)
    bytes.set(named as string, found)
    hash.update(found)
  }
  for (const pair of [listener, ...certificates]) {
    read(pair.certificate, 'certificate')
    read(pair.privateKey, 'privateKey')
  }
  for (const authority of demand.authorities) if (authority !== SYSTEM) read(authority, 'the CA of clients')
  return { bytes, mark: hash.digest('hex') }
}

function build(listener: Listener, demand: TlsDemand, { bytes }: Files): Material {
  const holders = new Map<string, string>()
  const ca: string[] = []
  for (const authority of demand.authorities) {
    const texts = authority === SYSTEM ? getCACertificates('default') : certificatesIn(bytes.get(authority) as Buffer)
    if (texts.length === 0) throw new Error(`${whoIs(listener)}: ${authority} holds no certificate (PEM)`)
    for (const text of texts) {
      ca.push(text)
      holders.set(new X509Certificate(text).fingerprint256, authority)
    }
  }
  const trust: SecureContextOptions = {
    minVersion: 'TLSv1.2',
    // a resumed session would come without the chain of its certificate, and would outlive a CA that is gone
    ...(demand.request ? { ca, secureOptions: constants.SSL_OP_NO_TICKET } : {}),
  }
  const pair = ({ certificate, privateKey }: Pick<Listener, 'certificate' | 'privateKey'>) => {
    const options = { ...trust, cert: bytes.get(certificate ?? ''), key: bytes.get(privateKey ?? '') }
    try {
      return { options, context: createSecureContext(options) }
    } catch (error) {
      const why = (error as Error).message
      throw new Error(`${whoIs(listener)}: ${certificate} and ${privateKey} are no pair: ${why}`, { cause: error })
    }
  }
  const hosts = new Map(listener.certificates.map((c) => [c.host.toLowerCase(), pair(c).context]))
  return { context: pair(listener).options, hosts, holders, demand }
}

const whoIs = (listener: Listener): string => `listener ${listener.name} (${listener.url})`

/** The PEM certificates of a file, one by one. */
export function certificatesIn(bytes: Buffer): string[] {
  return bytes.toString('latin1').match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
}

/** Throws with who needs it, what it is called and what to do. */
export function readNamed(named: string | null, what: string, where: string, env: Environment): Buffer {
  if (named === null) throw new Error(`${where}: tls needs a ${what}`)
  const path = findFile(named, env)
  if (path === null) {
    throw new Error(
      `${where}: there is no file ${named} for ${what}: make one with openssl, or let "tandem up" make one`,
    )
  }
  return readFileSync(path)
}

function chainOf(peer: PeerCertificate): PeerCertificate[] {
  const chain: PeerCertificate[] = []
  let at: PeerCertificate | undefined = peer
  while (at?.fingerprint256 && chain.length < MAX_CHAIN) {
    if (chain.some((c) => c.fingerprint256 === at?.fingerprint256)) break
    chain.push(at)
    at = (at as { issuerCertificate?: PeerCertificate }).issuerCertificate
  }
  return chain
}
