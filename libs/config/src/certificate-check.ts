/** The certificates and keys that the configuration names: are they there, a pair, valid now, for these names? */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isAbsolute } from 'node:path'
import type { Configuration } from './defaults.ts'
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import type { Path } from './source.ts'

export interface CertificateFiles {
  /** PEM text by the path as it is written; null: there is no such file */
  readonly texts: Readonly<Record<string, string | null>>
  /** ms since 1970 */
  readonly now: number
}

/** A certificate that ends sooner is worth a warning, ms. */
const SOON_MS = 30 * 86_400_000

/** Every file of a certificate, key or CA that is named, each once. */
export function certificateFiles({ edge, trunks }: Configuration): string[] {
  const listeners = Object.values(edge.listen)
  const pairs = [
    ...listeners,
    ...listeners.flatMap((l) => l.certificates),
    ...Object.values(trunks).flatMap((t) => t.tls ?? []),
  ]
  const named = [
    ...pairs.flatMap((p) => [p.certificate, p.privateKey]),
    ...listeners.map((l) => l.clients?.ca),
    ...Object.values(trunks).map((t) => t.tls?.ca),
    ...stirFiles(edge.stir, trunks),
  ]
  return [...new Set(named.filter((path) => typeof path === 'string'))]
}

/** STIR: anchors, chains at hand, keys of trunks that sign. */
function stirFiles({ anchors, certificates, fetch }: Configuration['edge']['stir'], trunks: Configuration['trunks']) {
  const keys = Object.values(trunks).map(({ stir }) => stir.sign && 'file' in stir.sign.key && stir.sign.key.file)
  return [...anchors, ...Object.values(certificates), fetch.ca, ...keys]
}

export function certificateProblems(d: ConfigurationDocument, files: CertificateFiles, found: Findings): void {
  const look = looker(files, found)
  for (const [name, listener] of Object.entries(d.edge.listen)) {
    const at = ['edge', 'listen', name]
    const made = [listener.certificate, listener.privateKey].every((p) => p && !isAbsolute(p) && !files.texts[p])
    if (made) {
      const instead = '"tandem up" makes a self-signed one; others will not trust it: put a real one there.'
      found.warn([...at, 'certificate'], `there is no file ${listener.certificate}`, instead)
    } else look.pair(at, listener)
    for (const [i, one] of (listener.certificates ?? []).entries()) {
      const leaf = look.pair([...at, 'certificates', i], one)
      if (!leaf || leaf.checkHost(one.host)) continue
      const shown = leaf.subjectAltName ?? leaf.subject
      const problem = `${one.certificate} is not for ${one.host} but for ${shown}`
      found.problem([...at, 'certificates', i, 'host'], problem, 'Name the right file or the right host.')
    }
    if (listener.clients) look.authority([...at, 'clients', 'ca'], listener.clients.ca)
  }
  for (const [name, { tls }] of Object.entries(d.trunks)) {
    if (tls?.ca) look.authority(['trunks', name, 'tls', 'ca'], tls.ca)
    if (tls?.certificate) look.pair(['trunks', name, 'tls'], tls)
  }
  stirProblems(d, look)
}

function stirProblems(d: ConfigurationDocument, look: ReturnType<typeof looker>): void {
  const { anchors = [], certificates = {}, fetch } = d.edge.stir ?? {}
  for (const [i, path] of anchors.entries()) look.authority(['edge', 'stir', 'anchors', i], path)
  for (const [url, path] of Object.entries(certificates)) look.authority(['edge', 'stir', 'certificates', url], path)
  if (fetch?.ca) look.authority(['edge', 'stir', 'fetch', 'ca'], fetch.ca)
  for (const [name, { stir }] of Object.entries(d.trunks)) {
    const { key, x5u } = stir?.sign ?? {}
    // what is in an environment is known where the edge runs
    if (key && x5u && 'file' in key) look.signer(['trunks', name, 'stir', 'sign', 'key'], key.file, certificates[x5u])
  }
}

type Pair = { readonly certificate?: string | undefined; readonly privateKey?: string | undefined }

function looker({ texts, now }: CertificateFiles, found: Findings) {
  const read = (at: Path, path: string): X509Certificate[] | undefined => {
    const text = texts[path]
    if (text === undefined || text === null) {
      found.problem(at, `there is no file ${path}`, 'Put it beside this file, or into secrets/ of the data folder.')
      return undefined
    }
    const certificates = certificatesIn(text)
    if (certificates.length > 0) return certificates
    found.problem(at, `${path} holds no certificate`, 'It must be PEM: -----BEGIN CERTIFICATE-----.')
    return undefined
  }

  const valid = (at: Path, path: string, certificate: X509Certificate) => {
    const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()]
    const day = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
    const whose = `${path} (${certificate.subject.replaceAll('\n', ', ')})`
    if (to < now) found.problem(at, `${whose} ended on ${day(to)} UTC`, 'Get a new one: nobody trusts this one now.')
    else if (from > now) found.problem(at, `${whose} begins on ${day(from)} UTC`, 'Check the clock of this machine.')
    else if (to - now < SOON_MS) found.warn(at, `${whose} ends on ${day(to)} UTC`, 'Get a new one in time.')
  }

  return {
    /** The leaf, when it can be read. */
    pair(at: Path, { certificate, privateKey }: Pair): X509Certificate | undefined {
      if (!certificate || !privateKey) return undefined
      const chain = read([...at, 'certificate'], certificate)
      for (const one of chain ?? []) valid([...at, 'certificate'], certificate, one)
      const key = texts[privateKey]
      const leaf = chain?.[0]
      if (key === undefined || key === null) {
        const instead = 'Put it beside this file, or into secrets/ of the data folder.'
        found.problem([...at, 'privateKey'], `there is no file ${privateKey}`, instead)
      } else if (leaf) pairs([...at, 'privateKey'], leaf, certificate, privateKey, key)
      return leaf
    },
    authority(at: Path, path: string) {
      for (const one of read(at, path) ?? []) valid(at, path, one)
    },
    /** RFC 8225 8: ES256, so on P-256. Calls go out unsigned without it: a warning. */
    signer(at: Path, path: string, certificate: string | undefined) {
      const text = texts[path]
      if (text === undefined || text === null) {
        const instead = 'Calls on this trunk go out unsigned until it is there.'
        return void found.warn(at, `there is no file ${path}`, instead)
      }
      if (curveOf(text) !== 'prime256v1') {
        const instead = 'It must be PEM of an EC key on P-256, without a passphrase.'
        return void found.problem(at, `${path} holds no key that signs`, instead)
      }
      const leaf = certificatesIn(texts[certificate ?? ''] ?? '')[0]
      if (leaf && certificate !== undefined) pairs(at, leaf, certificate, path, text)
    },
  }

  function pairs(at: Path, leaf: X509Certificate, certificate: string, privateKey: string, key: string): void {
    try {
      if (leaf.checkPrivateKey(createPrivateKey(key))) return
      const instead = 'Name the key that the certificate was made with; the certificate of the server goes first.'
      found.problem(at, `${privateKey} is not the key of ${certificate}`, instead)
    } catch {
      found.problem(at, `${privateKey} holds no private key`, 'It must be PEM without a passphrase.')
    }
  }
}

function curveOf(pem: string): string | undefined {
  try {
    return createPrivateKey(pem).asymmetricKeyDetails?.namedCurve
  } catch {
    return undefined
  }
}

function certificatesIn(text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)]
    } catch {
      return []
    }
  })
}
