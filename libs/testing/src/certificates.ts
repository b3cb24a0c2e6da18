/** Certificates for tests, made here: no program of the system is needed. */
import 'reflect-metadata' // @peculiar/x509 wants it first
import { KeyObject, webcrypto } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import {
  BasicConstraintsExtension,
  Extension,
  type JsonGeneralName,
  Name,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

const DAY_MS = 86_400_000
const EC = { name: 'ECDSA', namedCurve: 'P-256' }
const ES256 = { name: 'ECDSA', hash: 'SHA-256' }

export interface CertificateWish {
  /** Common name. */
  readonly name: string
  /** Subject alternative names, as in `DNS:a.example,URI:sip:a.example,IP:127.0.0.1`. */
  readonly names?: string
  /** Default: itself. */
  readonly issuer?: IssuedCertificate
  /** May sign others; default: when it signs itself. */
  readonly ca?: boolean
  /** Valid from yesterday until so many days from now; default 10. */
  readonly days?: number | undefined
  readonly extensions?: readonly { readonly oid: string; readonly value: ArrayBuffer }[]
}

export interface IssuedCertificate {
  readonly name: string
  /** PEM */
  readonly certificate: string
  /** PEM, PKCS #8 */
  readonly privateKey: string
  readonly key: KeyObject
}

/** ECDSA P-256. */
export async function issueCertificate(wish: CertificateWish): Promise<IssuedCertificate> {
  const { name, names, issuer, ca = issuer === undefined, days = 10, extensions = [] } = wish
  const pair = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
  const key = KeyObject.from(pair.privateKey)
  const until = Date.now() + days * DAY_MS
  const made = await X509CertificateGenerator.create({
    subject: commonName(name),
    issuer: commonName(issuer?.name ?? name),
    publicKey: pair.publicKey,
    signingKey: issuer ? issuer.key.toCryptoKey(EC, false, ['sign']) : pair.privateKey,
    signingAlgorithm: ES256,
    notBefore: new Date(Math.min(Date.now(), until) - DAY_MS),
    notAfter: new Date(until),
    extensions: [
      ...(ca ? [new BasicConstraintsExtension(true, undefined, true)] : []),
      ...(names === undefined ? [] : [new SubjectAlternativeNameExtension(names.split(',').map(alternative))]),
      ...extensions.map(({ oid, value }) => new Extension(oid, false, value)),
    ],
  })
  const privateKey = key.export({ type: 'pkcs8', format: 'pem' }) as string
  return { name, certificate: `${made.toString('pem')}\n`, privateKey, key }
}

const commonName = (name: string) => new Name([{ CN: [name] }])

function alternative(text: string): JsonGeneralName {
  const [, kind, value = ''] = /^\s*(DNS|URI|IP):(.*)$/.exec(text) ?? []
  if (kind === undefined || (kind === 'IP' && isIP(value) === 0)) throw new Error(`${text} is no alternative name`)
  return { type: kind === 'DNS' ? 'dns' : kind === 'URI' ? 'url' : 'ip', value }
}

export interface CertificateAuthority {
  /** File of its own certificate. */
  readonly file: string
  /** Writes `<name>.pem` and `<name>.key`; `names` as in `DNS:a.example,URI:sip:a.example`. */
  issue(name: string, names: string, days?: number): Promise<{ certificate: string; privateKey: string }>
}

/** One that works with files in a folder. */
export async function makeAuthority(folder: string, name: string): Promise<CertificateAuthority> {
  mkdirSync(folder, { recursive: true })
  const issuer = await issueCertificate({ name, days: 30 })
  const write = (file: string, { certificate, privateKey }: IssuedCertificate) => {
    const at = { certificate: join(folder, `${file}.pem`), privateKey: join(folder, `${file}.key`) }
    writeFileSync(at.certificate, certificate)
    writeFileSync(at.privateKey, privateKey, { mode: 0o600 })
    return at
  }
  return {
    file: write(name, issuer).certificate,
    issue: async (leaf, names, days) => write(leaf, await issueCertificate({ name: leaf, names, issuer, days })),
  }
}
