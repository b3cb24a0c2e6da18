import { type CivicAddress, type CivicField, civicAddressFields, civicExtensionFields, isCivicField } from './civic.ts'
import {
  BASIC_POLICY,
  CIVIC,
  CIVIC_EXT,
  CONFIDENCE,
  DATA_MODEL,
  DATA_PROVIDER,
  GEOPRIV,
  PIDF,
  XML,
} from './namespaces.ts'
import type { CivicExtension, Confidence, DataProvider } from './pidf-lo.ts'
import type { Shape } from './shape.ts'
import { readShape } from './shape-xml.ts'
import {
  attributeOf,
  childOf,
  childrenOf,
  readXml,
  textOf,
  tokenOf,
  type XmlElement,
  type XmlRefusal,
} from './xml-read.ts'
import { isDateTime } from './xml-write.ts'

/** One `geopriv` element. */
export interface LocationObject {
  readonly inside: 'device' | 'tuple' | 'person'
  readonly id?: string
  readonly deviceId?: string
  readonly civic?: CivicAddress
  readonly language?: string
  /** Elements of other namespaces in the civic address (RFC 6848 2), kept. */
  readonly extensions?: readonly CivicExtension[]
  readonly shape?: Shape
  readonly confidence?: Confidence
  readonly method?: string
  readonly providedBy?: DataProvider
  readonly retransmissionAllowed?: boolean
  readonly retentionExpiry?: string
  readonly timestamp?: string
}

export interface PidfLo {
  /** Absent in documents that break RFC 3863: read all the same, for an emergency. */
  readonly entity?: string
  /** Usable locations, best first (RFC 5491 rule 8). */
  readonly locations: readonly [LocationObject, ...LocationObject[]]
  /** What was wrong and left out. */
  readonly warnings: readonly string[]
}

export type PidfLoRefusal = XmlRefusal | 'not-pidf' | 'no-location' | 'bad-location'

export type PidfLoOutcome =
  | { readonly kind: 'ok'; readonly pidfLo: PidfLo }
  | { readonly kind: 'refused'; readonly reason: PidfLoRefusal; readonly detail: string }

/** Reads a location object as leniently as is safe: order and prefixes do not matter, a bad place is never used. Never throws. */
export function parsePidfLo(xml: string): PidfLoOutcome {
  const outcome = readXml(xml)
  if (outcome.kind === 'refused') return outcome
  const { root } = outcome
  if (root.namespace !== PIDF || root.name !== 'presence')
    return { kind: 'refused', reason: 'not-pidf', detail: `the root is ${root.name}` }
  const warnings: string[] = []
  const entity = attributeOf(root, 'entity')
  if (!entity) warnings.push('presence has no entity')
  const [first, ...rest] = inPriority(root).flatMap((holder) => locationsIn(holder, warnings))
  if (first) return { kind: 'ok', pidfLo: { ...(entity ? { entity } : {}), locations: [first, ...rest], warnings } }
  const bad = warnings.filter((w) => w !== 'presence has no entity')
  return bad.length > 0
    ? { kind: 'refused', reason: 'bad-location', detail: bad.join('; ') }
    : { kind: 'refused', reason: 'no-location', detail: 'no civic address and no shape' }
}

// RFC 5491 rule 8: the first device with a location, then the first tuple; person as a last resort
function inPriority(root: XmlElement): XmlElement[] {
  return [
    ...childrenOf(root, DATA_MODEL, 'device'),
    ...childrenOf(root, PIDF, 'tuple'),
    ...childrenOf(root, DATA_MODEL, 'person'),
  ]
}

function locationsIn(holder: XmlElement, warnings: string[]): LocationObject[] {
  const status = holder.name === 'tuple' ? childOf(holder, PIDF, 'status') : holder
  if (!status) return []
  return childrenOf(status, GEOPRIV, 'geopriv').flatMap((geopriv) => {
    const place = readPlace(geopriv, warnings)
    return place ? [{ ...readHolder(holder), ...place, ...readRules(geopriv), ...readProvenance(geopriv) }] : []
  })
}

function readHolder(holder: XmlElement): Pick<LocationObject, 'inside' | 'id' | 'deviceId' | 'timestamp'> {
  const id = attributeOf(holder, 'id')
  const device = childOf(holder, DATA_MODEL, 'deviceID')
  const time = childOf(holder, holder.namespace, 'timestamp') ?? childOf(holder, PIDF, 'timestamp')
  return {
    inside: holder.name as LocationObject['inside'],
    ...(id ? { id } : {}),
    ...(device ? { deviceId: tokenOf(device) } : {}),
    ...(time && isDateTime(tokenOf(time)) ? { timestamp: tokenOf(time) } : {}),
  }
}

type Placed = Pick<LocationObject, 'civic' | 'language' | 'extensions' | 'shape' | 'confidence'>

/** Undefined when the element holds no place, or a bad shape: half of a place may be the wrong half. */
function readPlace(geopriv: XmlElement, warnings: string[]): Placed | undefined {
  const info = childOf(geopriv, GEOPRIV, 'location-info')
  let place: Placed = {}
  for (const chunk of info?.children ?? []) {
    const shape = readShape(chunk)
    if (shape?.kind === 'bad') {
      warnings.push(...shape.problems)
      return undefined
    }
    if (shape) place = place.shape ? place : { ...place, shape: shape.shape }
    else if (chunk.namespace === CIVIC && chunk.name === 'civicAddress' && !place.civic)
      place = { ...place, ...readCivic(chunk, warnings) }
    else if (chunk.namespace === CONFIDENCE && chunk.name === 'confidence')
      place = { ...place, ...readConfidence(chunk) }
  }
  return place.civic || place.shape ? place : undefined
}

function readCivic(found: XmlElement, warnings: string[]): Placed {
  const civic: { -readonly [F in CivicField]?: string } = {}
  const extensions: CivicExtension[] = []
  for (const child of found.children) {
    const value = tokenOf(child)
    const field = fieldOf(child)
    if (field) {
      if (civic[field] !== undefined) warnings.push(`civic ${field} twice: the first one counts`)
      else if (field === 'country' && !/^[A-Z]{2}$/.test(value)) {
        if (/^[A-Za-z]{2}$/.test(value)) civic.country = value.toUpperCase()
        else if (value !== '') warnings.push('civic country is not two letters')
      } else if (value !== '') civic[field] = value
    } else if (child.namespace === CIVIC || child.namespace === CIVIC_EXT)
      warnings.push(`civic ${child.name} is not in RFC 5139 or 6848`)
    else if (child.children.length === 0 && value !== '')
      extensions.push({ namespace: child.namespace, name: child.name, value })
  }
  const language = attributeOf(found, 'lang', XML)
  return {
    ...(Object.keys(civic).length > 0 ? { civic } : {}),
    ...(language ? { language } : {}),
    ...(extensions.length > 0 ? { extensions } : {}),
  }
}

function fieldOf(child: XmlElement): CivicField | undefined {
  if (!isCivicField(child.name)) return undefined
  const list: readonly string[] = child.namespace === CIVIC_EXT ? civicExtensionFields : civicAddressFields
  return (child.namespace === CIVIC || child.namespace === CIVIC_EXT) && list.includes(child.name)
    ? child.name
    : undefined
}

function readConfidence(found: XmlElement): Pick<LocationObject, 'confidence'> {
  const value = tokenOf(found)
  const pdf = attributeOf(found, 'pdf')
  const percent = value === 'unknown' ? value : /^\d{1,2}(\.\d+)?$/.test(value) ? Number(value) : undefined
  if (percent === undefined || percent === 0) return {}
  if (pdf !== 'normal' && pdf !== 'rectangular' && pdf !== 'unknown') return { confidence: { percent } }
  return { confidence: { percent, pdf } }
}

function readRules(geopriv: XmlElement): Pick<LocationObject, 'retransmissionAllowed' | 'retentionExpiry'> {
  const rules = childOf(geopriv, GEOPRIV, 'usage-rules')
  // the examples of RFC 4119 and 5491 put the rules into the namespace of geopriv and say yes and no: both are read
  const rule = (name: string) => rules && (childOf(rules, BASIC_POLICY, name) ?? childOf(rules, GEOPRIV, name))
  const allowed = rule('retransmission-allowed')
  const expiry = rule('retention-expiry')
  return {
    ...(allowed ? { retransmissionAllowed: ['true', '1', 'yes'].includes(tokenOf(allowed)) } : {}),
    ...(expiry && isDateTime(tokenOf(expiry)) ? { retentionExpiry: tokenOf(expiry) } : {}),
  }
}

function readProvenance(geopriv: XmlElement): Pick<LocationObject, 'method' | 'providedBy'> {
  const method = childOf(geopriv, GEOPRIV, 'method') ?? childOf(geopriv, PIDF, 'method')
  const by = childOf(geopriv, GEOPRIV, 'provided-by')
  const nena = by && childOf(by, DATA_PROVIDER, 'nena')
  const part = (name: string) => {
    const found = nena && childOf(nena, DATA_PROVIDER, name)
    return found && textOf(found)
  }
  const [companyId, telUri, url] = [part('DataProviderID'), part('TelURI'), part('URL')]
  return {
    ...(method ? { method: textOf(method) } : {}),
    ...(nena
      ? { providedBy: { ...(companyId ? { companyId } : {}), ...(telUri ? { telUri } : {}), ...(url ? { url } : {}) } }
      : {}),
  }
}
