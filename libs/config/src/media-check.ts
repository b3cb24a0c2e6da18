/** Settings of media that protect nothing, or leave no codec to talk in. */
import type { Findings } from './findings.ts'
import { nearest } from './nearest.ts'
import type { ConfigurationDocument } from './schema.ts'
import type { Path } from './source.ts'
import { parseListenUrl } from './units.ts'

/** Encoding names of RFC 3551 and of the registry, as phones and carriers write them. */
const CODECS = [
  ...['PCMU', 'PCMA', 'G722', 'G729', 'G723', 'G728', 'GSM', 'G726-16', 'G726-24', 'G726-32', 'G726-40'],
  ...['iLBC', 'opus', 'AMR', 'AMR-WB', 'EVS', 'speex', 'SILK', 'L16', 'CN', 'telephone-event'],
]
const KNOWN = new Map(CODECS.map((name) => [name.toLowerCase(), name]))
const BESIDE = new Set(['cn', 'telephone-event'])

export function mediaProblems(d: ConfigurationDocument, found: Findings): void {
  for (const [name, { url, srtp }] of Object.entries(d.edge.listen)) {
    if (srtp !== undefined && srtp !== 'off' && readable(url))
      warnReadable(['edge', 'listen', name, 'srtp'], name, found)
    // RFC 8827 6.5, RFC 8835 3.4: browsers speak nothing else
    if (/^wss?:/.test(url) && d.edge.media.relay === 'embedded') {
      found.problem(
        ['edge', 'listen', name, 'url'],
        `browsers on ${name} need DTLS-SRTP and ICE, which the embedded relay has not`,
        'Write edge.media: { relay: rtpengine, control: ["udp://127.0.0.1:22222"] }.',
      )
    }
  }
  for (const [name, { srtp, listener, codecs }] of Object.entries(d.trunks)) {
    const url = d.edge.listen[listener]?.url
    if (srtp !== undefined && srtp !== 'off' && url !== undefined && readable(url))
      warnReadable(['trunks', name, 'srtp'], listener, found)
    if (codecs !== undefined) codecProblems(codecs, ['trunks', name, 'codecs'], found)
  }
}

const readable = (url: string): boolean => ['udp', 'tcp'].includes(parseListenUrl(url).transport)

/** RFC 4568 8: the description that carries the keys must be protected itself. */
function warnReadable(at: Path, listener: string, found: Findings): void {
  found.warn(
    at,
    `the keys of SRTP cross ${listener} in the clear`,
    'Use a listener with tls://, or a protected network.',
  )
}

type Codecs = NonNullable<ConfigurationDocument['trunks'][string]['codecs']>

function codecProblems({ allow, strip, order }: Codecs, at: Path, found: Findings): void {
  for (const [key, names] of Object.entries({ allow, strip, order })) {
    for (const [i, name] of (names ?? []).entries()) {
      if (KNOWN.has(name.toLowerCase())) continue
      const meant = nearest(name, CODECS)
      const instead = meant ? `Did you mean ${meant}?` : 'Write the encoding name as it stands in a=rtpmap.'
      found.warn([...at, key, i], `${name} is no codec that is known here`, instead)
    }
  }
  const gone = new Set((strip ?? []).map((name) => name.toLowerCase()))
  const left = allow?.some((name) => !gone.has(name.toLowerCase()) && !BESIDE.has(name.toLowerCase()))
  if (left === false)
    found.problem([...at, 'allow'], 'no voice codec is left', 'Allow one that is not stripped, as PCMA.')
}
