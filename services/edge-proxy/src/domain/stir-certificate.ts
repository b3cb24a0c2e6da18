/** Certificates of callers' carriers (RFC 8226): the path to a trust anchor, and for which numbers they may speak. Pure. */
import { X509Certificate } from 'node:crypto'

const MOST_LINKS = 6
/** id-pe-TNAuthList, 1.3.6.1.5.5.7.1.26, as an OBJECT IDENTIFIER in DER. */
const TN_AUTH_LIST = Buffer.from([0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1a])

/** The certificates of a PEM text, as they stand; undefined when one cannot be read. */
export function readCertificates(pem: string): X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0 || blocks.length > MOST_LINKS) return undefined
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return undefined
  }
}

/** RFC 5280 6.1 in short: every link in its time, signed by the next one, which is a CA; the last by an anchor. */
export function leadsToAnchor(
  chain: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  nowMs: number,
): boolean {
  let [at] = chain
  for (let link = 0; at !== undefined && link < MOST_LINKS; link++) {
    const here: X509Certificate = at
    if (nowMs < Date.parse(here.validFrom) || nowMs > Date.parse(here.validTo)) return false
    const issuedBy = (other: X509Certificate) => other.ca && here.checkIssued(other) && here.verify(other.publicKey)
    const anchor = anchors.find(issuedBy)
    if (anchor) return nowMs >= Date.parse(anchor.validFrom) && nowMs <= Date.parse(anchor.validTo)
    at = chain.find((other) => other !== here && issuedBy(other))
  }
  return false
}

export interface NumberAuthority {
  /** Service provider codes: whoever has one may speak for all numbers of its provider, which nobody else can list. */
  readonly providers: readonly string[]
  readonly ranges: readonly { readonly start: string; readonly count: number }[]
}

/** RFC 8226 9. Undefined: there is no list, or it cannot be read. */
export function numberAuthority({ raw }: X509Certificate): NumberAuthority | undefined {
  const at = raw.indexOf(TN_AUTH_LIST)
  if (at < 0) return undefined
  let value = element(raw, at + TN_AUTH_LIST.length)
  // critical FALSE is left out, TRUE is not expected and is passed over
  if (value?.tag === 0x01) value = element(raw, value.end)
  const list = value?.tag === 0x04 ? element(raw, value.start) : undefined
  if (list?.tag !== 0x30) return undefined
  const providers: string[] = []
  const ranges: { start: string; count: number }[] = []
  for (let i = list.start; i < list.end; ) {
    const entry = element(raw, i)
    if (entry === undefined) return undefined
    i = entry.end
    // tags are explicit or implicit, depending on who wrote the certificate
    const inner = element(raw, entry.start)
    const nested = inner !== undefined && inner.end === entry.end && (inner.tag === 0x16 || inner.tag === 0x30)
    const body = nested ? inner : entry
    if (entry.tag === 0xa0 || entry.tag === 0x80) providers.push(text(raw, body))
    else if (entry.tag === 0xa2 || entry.tag === 0x82) ranges.push({ start: text(raw, body), count: 1 })
    else if (entry.tag === 0xa1) {
      const start = element(raw, body.start)
      const count = start && element(raw, start.end)
      if (start?.tag !== 0x16 || count?.tag !== 0x02 || count.end - count.start > 6) return undefined
      ranges.push({ start: text(raw, start), count: raw.readUIntBE(count.start, count.end - count.start) })
    }
  }
  return { providers, ranges }
}

/** `number`: canonical (RFC 8224 8.3). */
export function mayAssert({ providers, ranges }: NumberAuthority, number: string): boolean {
  if (providers.length > 0) return true
  return ranges.some(({ start, count }) => {
    if (start.length !== number.length) return false
    const distance = Number(number) - Number(start)
    return distance >= 0 && distance < count
  })
}

interface Element {
  readonly tag: number
  readonly start: number
  readonly end: number
}

function element(raw: Buffer, at: number): Element | undefined {
  const tag = raw[at]
  const first = raw[at + 1]
  if (tag === undefined || first === undefined) return undefined
  const octets = first < 0x80 ? 0 : first & 0x7f
  if (octets > 3 || at + 2 + octets > raw.length) return undefined
  const length = octets === 0 ? first : raw.readUIntBE(at + 2, octets)
  const start = at + 2 + octets
  return start + length > raw.length ? undefined : { tag, start, end: start + length }
}

const text = (raw: Buffer, { start, end }: Element): string => raw.toString('latin1', start, end)
