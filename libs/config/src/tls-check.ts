/** What is said about TLS must fit together; the files themselves are looked at in certificate-check.ts. */
import ipaddr from 'ipaddr.js'
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import { parseListenUrl } from './units.ts'

export function tlsProblems(d: ConfigurationDocument, found: Findings): void {
  for (const [name, listener] of Object.entries(d.edge.listen)) {
    const at = ['edge', 'listen', name]
    const { transport, address } = parseListenUrl(listener.url)
    const secure = speaksTls(listener.url)
    if (!secure && (listener.certificates || listener.clients)) {
      const key = listener.certificates ? 'certificates' : 'clients'
      found.problem(
        [...at, key],
        `${name} speaks ${transport}: it shows no certificate`,
        'Write tls:// or wss:// in url.',
        'key',
      )
    }
    // without TLS only behind a proxy that has it
    if (transport === 'ws' && !isLoopback(address)) {
      const instead = 'Write wss://, or listen on 127.0.0.1 behind a reverse proxy.'
      found.problem([...at, 'url'], `${name} would take calls of browsers in the clear`, instead)
    }
    const seen = new Set<string>()
    for (const [i, { host }] of (listener.certificates ?? []).entries()) {
      const wanted = host.toLowerCase()
      if (seen.has(wanted))
        found.problem([...at, 'certificates', i, 'host'], `two certificates for ${host}`, 'Keep one.')
      seen.add(wanted)
    }
  }
  for (const [name, trunk] of Object.entries(d.trunks)) trunkTls(d, name, trunk, found)
}

function trunkTls(
  d: ConfigurationDocument,
  name: string,
  { tls, listener, to }: ConfigurationDocument['trunks'][string],
  found: Findings,
): void {
  if (!tls) return
  const at = ['trunks', name, 'tls']
  if ((tls.certificate === undefined) !== (tls.privateKey === undefined)) {
    const lacking = tls.certificate === undefined ? 'certificate' : 'privateKey'
    found.problem(at, `a certificate goes with its key: there is no ${lacking}`, `Add ${lacking}.`, 'key')
  }
  if (tls.verify === false) {
    found.warn(
      [...at, 'verify'],
      `whoever answers for ${name} is believed to be the carrier`,
      'Give ca and names in place of it.',
    )
  }
  if (!tls.clientCertificate) return
  const url = d.edge.listen[listener]?.url
  if (url !== undefined && !speaksTls(url)) {
    found.problem(
      [...at, 'clientCertificate'],
      `${listener} speaks no TLS: nobody shows a certificate there`,
      'Name a tls:// listener for this trunk.',
    )
  }
  if (!tls.names && to.every((uri) => isAddress(uri))) {
    found.problem(
      [...at, 'clientCertificate'],
      `nothing says which name the certificate of ${name} holds`,
      'Add names: ["sbc.carrier.example"].',
    )
  }
}

const speaksTls = (url: string): boolean => ['tls', 'wss'].includes(parseListenUrl(url).transport)

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')

function isAddress(uri: string): boolean {
  const host = /^sips?:(?:[^@]*@)?(?:\[([^\]]+)\]|([^:;]+))/i.exec(uri)
  return ipaddr.isValid(host?.[1] ?? host?.[2] ?? '')
}
