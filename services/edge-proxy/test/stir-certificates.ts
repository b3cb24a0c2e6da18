/** Certificates of callers' carriers with a TNAuthList (RFC 8226), for tests of STIR. */
import { type IssuedCertificate, issueCertificate } from '@tandem/testing/certificates.ts'
import { type BaseBlock, Constructed, IA5String, Integer, Sequence } from 'asn1js'

export type NumberEntry = { spc: string } | { start: string; count: number } | { one: string }

export interface CertificateWish {
  readonly name: string
  readonly issuer?: IssuedCertificate
  /** Without: a CA. */
  readonly numbers?: readonly NumberEntry[]
}

/** id-pe-TNAuthList, RFC 8226 9 */
const TN_AUTH_LIST = '1.3.6.1.5.5.7.1.26'

export function makeCertificate({ name, issuer, numbers }: CertificateWish): Promise<IssuedCertificate> {
  const extensions = numbers
    ? [{ oid: TN_AUTH_LIST, value: new Sequence({ value: numbers.map(entryOf) }).toBER() }]
    : []
  return issueCertificate({ name, ca: numbers === undefined, extensions, ...(issuer ? { issuer } : {}) })
}

/** The module of RFC 8226 says EXPLICIT TAGS. */
function entryOf(entry: NumberEntry): Constructed {
  const tagged = (tagNumber: number, value: BaseBlock) =>
    new Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value] })
  if ('spc' in entry) return tagged(0, new IA5String({ value: entry.spc }))
  if ('one' in entry) return tagged(2, new IA5String({ value: entry.one }))
  const range = [new IA5String({ value: entry.start }), new Integer({ value: entry.count })]
  return tagged(1, new Sequence({ value: range }))
}
