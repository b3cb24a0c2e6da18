/** A self-signed X.509 certificate (RFC 5280), for a first start and for trying things out. */
import 'reflect-metadata' // @peculiar/x509 wants it first
import { KeyObject, webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

const DAY_MS = 86_400_000

export interface CertificatePair {
  /** PEM */
  certificate: string
  /** PEM, PKCS #8 */
  privateKey: string
}

/** ECDSA P-256, valid from yesterday for `days` (default 825), for these DNS names and IP addresses. */
export async function selfSigned(subject: {
  names: string[]
  addresses: string[]
  days?: number
}): Promise<CertificatePair> {
  const { names, addresses, days = 825 } = subject
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: new Name([{ CN: [names[0] ?? 'localhost'] }]),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
    extensions: [
      new SubjectAlternativeNameExtension([
        ...[...new Set(names)].map((value) => ({ type: 'dns' as const, value })),
        ...[...new Set(addresses)].map((value) => ({ type: 'ip' as const, value })),
      ]),
      new BasicConstraintsExtension(true, undefined, true), // it is its own CA: a client may pin it
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const privateKey = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }) as string
  return { certificate: `${certificate.toString('pem')}\n`, privateKey }
}
