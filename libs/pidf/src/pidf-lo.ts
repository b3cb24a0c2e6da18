import { type CivicAddress, checkCivic, civicAddressFields, civicExtensionFields } from './civic.ts'
import {
  BASIC_POLICY,
  CIVIC,
  CIVIC_EXT,
  CONFIDENCE,
  DATA_MODEL,
  DATA_PROVIDER,
  GEOPRIV,
  GML,
  PIDF,
  SHAPES,
} from './namespaces.ts'
import { type Shape, shapeProblems } from './shape.ts'
import { writeShape } from './shape-xml.ts'
import { element, isDateTime, isNcName, isXmlText, text, token, XML_DECLARATION } from './xml-write.ts'

export {
  type LocationObject,
  type PidfLo,
  type PidfLoOutcome,
  type PidfLoRefusal,
  parsePidfLo,
} from './pidf-lo-read.ts'

/** Content-Type of a PIDF-LO body (RFC 4119 3, RFC 6442 4.3). */
export const PIDF_LO_TYPE = 'application/pidf+xml'

/** RFC 4119 A.1: who supplied the location, as NENA writes it. */
export interface DataProvider {
  /** NENA company id, five characters at most. */
  readonly companyId?: string
  /** tel: URI answered day and night. */
  readonly telUri?: string
  readonly url?: string
}

/** RFC 7459 2: 0.01 <= percent < 100, or unknown. */
export interface Confidence {
  readonly percent: number | 'unknown'
  readonly pdf?: 'unknown' | 'normal' | 'rectangular'
}

/** An element of a namespace of somebody else at the end of a civic address (RFC 6848 2). */
export interface CivicExtension {
  readonly namespace: string
  readonly name: string
  readonly value: string
}

export interface PidfLoInput {
  /** `pres:`, `sip:` or `tel:` URI of the target. */
  readonly entity: string
  /** xs:ID of the tuple or device; default `location`. */
  readonly id?: string
  /** With it the location is that of a device (RFC 4479), else it stands in a tuple. A URN. */
  readonly deviceId?: string
  /** By the names of RFC 5139 and 6848, in any order. */
  readonly civic?: CivicAddress
  /** BCP 47 language of the address. */
  readonly language?: string
  readonly shape?: Shape
  readonly confidence?: Confidence
  /** How the location was found: a value of the IANA registry "Method Tokens", e.g. `Wiremap`, `Manual`, `DHCP`. */
  readonly method?: string
  readonly providedBy?: DataProvider
  /** RFC 4119 2.2.2; absent means no. */
  readonly retransmissionAllowed?: boolean
  /** RFC 3339: until when it may be kept. */
  readonly retentionExpiry?: string
  /** RFC 3339: when the place was determined. */
  readonly timestamp?: string
}

export type WrittenPidfLo =
  | { readonly kind: 'written'; readonly xml: string }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] }

/** A location object (RFC 4119) with one location (RFC 5491 rules 1 to 6), schema-valid. Never throws. */
export function writePidfLo(input: PidfLoInput): WrittenPidfLo {
  const problems = inputProblems(input)
  if (problems.length > 0) return { kind: 'invalid', problems }
  const id = input.id ?? 'location'
  const location = geopriv(input)
  const inside =
    input.deviceId === undefined
      ? element('tuple', { id }, element('status', {}, location), optional('timestamp', input.timestamp))
      : element(
          'dm:device',
          { id },
          location,
          element('dm:deviceID', {}, text(input.deviceId)),
          optional('dm:timestamp', input.timestamp),
        )
  return {
    kind: 'written',
    xml: XML_DECLARATION + element('presence', { ...prefixes(input), entity: input.entity }, inside),
  }
}

function inputProblems(input: PidfLoInput): string[] {
  const problems: string[] = []
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]+$/.test(input.entity)) problems.push('entity is no URI')
  if (input.id !== undefined && !isNcName(input.id)) problems.push('id is no xs:ID')
  if (input.civic === undefined && input.shape === undefined) problems.push('neither civic nor shape')
  if (input.civic) {
    const checked = checkCivic(input.civic)
    if (checked.kind === 'invalid') problems.push(...checked.problems.map((p) => `civic ${p.field}: ${p.problem}`))
  }
  if (input.shape) problems.push(...shapeProblems(input.shape).map((p) => `shape: ${p}`))
  for (const time of [input.timestamp, input.retentionExpiry])
    if (time !== undefined && !isDateTime(time)) problems.push(`${time} is no RFC 3339 time`)
  if (input.language !== undefined && !/^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(input.language))
    problems.push('language is no language tag')
  const percent = input.confidence?.percent
  if (typeof percent === 'number' && !(percent >= 0.01 && percent < 100))
    problems.push('confidence is not between 0.01 and 100 percent')
  if ((input.providedBy?.companyId?.length ?? 0) > 5) problems.push('companyId is longer than five characters')
  for (const value of [input.method, input.deviceId, input.providedBy?.telUri, input.providedBy?.url])
    if (value !== undefined && (value === '' || !isXmlText(value))) problems.push('a value is empty or no XML text')
  return problems
}

function prefixes(input: PidfLoInput): Record<string, string | undefined> {
  const used = (when: unknown, namespace: string) => (when === undefined ? undefined : namespace)
  return {
    xmlns: PIDF,
    'xmlns:dm': used(input.deviceId, DATA_MODEL),
    'xmlns:gp': GEOPRIV,
    'xmlns:gbp': used(input.retransmissionAllowed ?? input.retentionExpiry, BASIC_POLICY),
    'xmlns:ca': used(input.civic, CIVIC),
    'xmlns:cae': civicExtensionFields.some((f) => input.civic?.[f] !== undefined) ? CIVIC_EXT : undefined,
    'xmlns:gml': used(input.shape, GML),
    'xmlns:gs': input.shape && !['point', 'polygon'].includes(input.shape.kind) ? SHAPES : undefined,
    'xmlns:con': used(input.confidence, CONFIDENCE),
    'xmlns:dp': used(input.providedBy, DATA_PROVIDER),
  }
}

function geopriv(input: PidfLoInput): string {
  // RFC 4119 2.2.5: location-info, usage-rules, method, provided-by, in this order; usage-rules must be there
  return element(
    'gp:geopriv',
    {},
    element(
      'gp:location-info',
      {},
      // RFC 5491 rule 7: the coarse location first
      input.shape && writeShape(input.shape),
      input.civic && civicAddress(input.civic, input.language),
      input.confidence && element('con:confidence', { pdf: input.confidence.pdf }, String(input.confidence.percent)),
    ),
    element(
      'gp:usage-rules',
      {},
      optional('gbp:retransmission-allowed', input.retransmissionAllowed?.toString()),
      optional('gbp:retention-expiry', input.retentionExpiry),
    ),
    optional('gp:method', input.method),
    input.providedBy && element('gp:provided-by', {}, provider(input.providedBy)),
  )
}

function civicAddress(address: CivicAddress, language: string | undefined): string {
  const written = (prefix: string, names: readonly (keyof CivicAddress)[]) =>
    names.map((name) => {
      const value = address[name]
      return value === undefined ? undefined : element(`${prefix}:${name}`, {}, token(value))
    })
  return element(
    'ca:civicAddress',
    { 'xml:lang': language },
    ...written('ca', civicAddressFields),
    ...written('cae', civicExtensionFields),
  )
}

function provider(by: DataProvider): string {
  return element(
    'dp:nena',
    {},
    optional('dp:DataProviderID', by.companyId),
    optional('dp:TelURI', by.telUri),
    optional('dp:URL', by.url),
  )
}

function optional(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : element(name, {}, text(value))
}
