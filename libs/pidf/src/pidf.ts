import { DATA_MODEL, PIDF, RPID } from './namespaces.ts'
import { attributeOf, childOf, childrenOf, readXml, textOf, tokenOf, type XmlElement } from './xml-read.ts'
import { type Attributes, element, isDateTime, isNcName, text, XML_DECLARATION } from './xml-write.ts'

/** Content-Type of the documents of this file; baresip compares it whole, so it goes without parameters. */
export const PIDF_TYPE = 'application/pidf+xml'

/** RFC 4480 3.2: the activities with an element of their own. */
export const rpidActivities = [
  'appointment',
  'away',
  'breakfast',
  'busy',
  'dinner',
  'holiday',
  'in-transit',
  'looking-for-work',
  'meal',
  'meeting',
  'on-the-phone',
  'performance',
  'permanent-absence',
  'playing',
  'presentation',
  'shopping',
  'sleeping',
  'spectator',
  'steering',
  'travel',
  'tv',
  'vacation',
  'working',
  'worship',
] as const
export type RpidActivity = (typeof rpidActivities)[number]

export interface PidfTuple {
  /** xs:ID, unique in the document. */
  readonly id: string
  readonly basic?: 'open' | 'closed'
  readonly contact?: string
  /** 0 to 1, three decimals at most. */
  readonly priority?: number
  /** A URN (RFC 4479 3.3). */
  readonly deviceId?: string
  readonly userInput?: 'active' | 'idle'
  readonly note?: string
  /** RFC 3339 with zone. */
  readonly timestamp?: string
}

export interface PidfPerson {
  readonly id: string
  readonly activities: readonly RpidActivity[]
  /** Activities in words (RFC 4480 `other`). */
  readonly other?: readonly string[]
  /** RFC 3339: since when the activities hold. */
  readonly since?: string
  readonly note?: string
  readonly timestamp?: string
}

export interface PidfDocument {
  /** URI of the presentity. */
  readonly entity: string
  readonly tuples: readonly PidfTuple[]
  readonly persons: readonly PidfPerson[]
  readonly note?: string
}

/**
 * A presence document (RFC 3863 with RFC 4479 and 4480). PIDF is the default namespace, RPID has the prefix `rpid` and an
 * activity closes itself: baresip 1.0 looks for `<basic>open</basic>` and `<rpid:on-the-phone/>` by expression.
 * @throws when an id is no xs:ID, an id is used twice or a time is no RFC 3339 time: these are our own, so it is a bug.
 */
export function writePidf(document: PidfDocument): string {
  checkOwn(document)
  const namespaces = { xmlns: PIDF, 'xmlns:dm': DATA_MODEL, 'xmlns:rpid': RPID }
  return (
    XML_DECLARATION +
    element(
      'presence',
      { ...namespaces, entity: document.entity },
      ...document.tuples.map(writeTuple),
      written('note', document.note),
      ...document.persons.map(writePerson),
    )
  )
}

function checkOwn(document: PidfDocument): void {
  const parts = [...document.tuples, ...document.persons]
  const ids = parts.map((p) => p.id)
  const times = [...parts.map((p) => p.timestamp), ...document.persons.map((p) => p.since)]
  if (!ids.every(isNcName) || new Set(ids).size !== ids.length) throw new Error(`PIDF ids: ${ids.join(' ')}`)
  if (!times.every((t) => t === undefined || isDateTime(t))) throw new Error(`PIDF times: ${times.join(' ')}`)
}

function written(name: string, value: string | undefined, attributes: Attributes = {}): string | undefined {
  return value === undefined ? undefined : element(name, attributes, text(value))
}

function writeTuple(tuple: PidfTuple): string {
  // RFC 3863 4.4: status, then elements of other namespaces, then contact, note, timestamp
  return element(
    'tuple',
    { id: tuple.id },
    element('status', {}, written('basic', tuple.basic)),
    written('dm:deviceID', tuple.deviceId),
    written('rpid:user-input', tuple.userInput),
    written('contact', tuple.contact, { priority: qValue(tuple.priority) }),
    written('note', tuple.note),
    written('timestamp', tuple.timestamp),
  )
}

function qValue(priority: number | undefined): string | undefined {
  if (priority === undefined || !Number.isFinite(priority)) return undefined
  return String(Math.round(Math.min(1, Math.max(0, priority)) * 1000) / 1000)
}

function writePerson(person: PidfPerson): string {
  const activities = [...person.activities.map((a) => element(`rpid:${a}`)), ...(person.other ?? []).map(otherActivity)]
  return element(
    'dm:person',
    { id: person.id },
    activities.length === 0 ? undefined : element('rpid:activities', { from: person.since }, ...activities),
    written('dm:note', person.note),
    written('dm:timestamp', person.timestamp),
  )
}

function otherActivity(words: string): string {
  return element('rpid:other', {}, text(words))
}

export type PidfRefusal =
  | 'too-large'
  | 'too-deep'
  | 'doctype'
  | 'not-well-formed'
  | 'not-pidf'
  | 'no-entity'
  | 'wrong-entity'
  | 'invalid'

export type PidfOutcome =
  | { readonly kind: 'ok'; readonly document: PidfDocument }
  | { readonly kind: 'refused'; readonly reason: PidfRefusal; readonly detail: string }

/**
 * Reads what a device published. Never throws. With `entity`, the document must be about this presentity
 * (`sip:`, `sips:` and `pres:` of the same address count as equal).
 */
export function parsePidf(xml: string, expected: { readonly entity?: string } = {}): PidfOutcome {
  const outcome = readXml(xml)
  if (outcome.kind === 'refused') return outcome
  const { root } = outcome
  if (root.namespace !== PIDF || root.name !== 'presence') return refused('not-pidf', `the root is ${root.name}`)
  const entity = attributeOf(root, 'entity')
  if (!entity) return refused('no-entity', 'presence has no entity')
  if (expected.entity !== undefined && !sameEntity(entity, expected.entity))
    return refused('wrong-entity', 'the document is about somebody else')
  const problem = outline(root)
  if (problem) return refused('invalid', problem)
  const note = childOf(root, PIDF, 'note')
  const document: PidfDocument = {
    entity,
    tuples: childrenOf(root, PIDF, 'tuple').map(readTuple),
    persons: childrenOf(root, DATA_MODEL, 'person').map(readPerson),
    ...(note ? { note: textOf(note) } : {}),
  }
  return { kind: 'ok', document }
}

function refused(reason: PidfRefusal, detail: string): PidfOutcome {
  return { kind: 'refused', reason, detail }
}

/** What the schema demands of the parts that we use; undefined when nothing is wrong. */
function outline(root: XmlElement): string | undefined {
  const parts = root.children.filter((c) => ['tuple', 'person', 'device'].includes(c.name))
  const ids = parts.map((p) => attributeOf(p, 'id') ?? '')
  if (!ids.every((id) => id !== '')) return 'a tuple, person or device without id'
  if (new Set(ids).size !== ids.length) return 'an id is used twice'
  for (const tuple of childrenOf(root, PIDF, 'tuple')) {
    const status = childOf(tuple, PIDF, 'status')
    if (!status) return 'a tuple without status'
    const basic = childOf(status, PIDF, 'basic')
    if (basic && !['open', 'closed'].includes(textOf(basic))) return 'basic is neither open nor closed'
  }
  return undefined
}

function readTuple(found: XmlElement): PidfTuple {
  const status = childOf(found, PIDF, 'status')
  const basic = status && childOf(status, PIDF, 'basic')
  const contact = childOf(found, PIDF, 'contact')
  const input = childOf(found, RPID, 'user-input')
  const timestamp = token(found, PIDF, 'timestamp')
  const priority = contact && attributeOf(contact, 'priority')
  const note = childOf(found, PIDF, 'note')
  const device = token(found, DATA_MODEL, 'deviceID')
  return {
    id: attributeOf(found, 'id') ?? '',
    ...(basic ? { basic: textOf(basic) as 'open' | 'closed' } : {}),
    ...(contact ? { contact: tokenOf(contact) } : {}),
    ...(priority !== undefined && /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(priority)
      ? { priority: Number(priority) }
      : {}),
    ...(device === undefined ? {} : { deviceId: device }),
    ...(input ? { userInput: tokenOf(input) === 'idle' ? 'idle' : 'active' } : {}),
    ...(note ? { note: textOf(note) } : {}),
    ...(timestamp !== undefined && isDateTime(timestamp) ? { timestamp } : {}),
  }
}

function readPerson(found: XmlElement): PidfPerson {
  const activities = childOf(found, RPID, 'activities')
  const named = activities?.children.filter((c) => c.namespace === RPID).map((c) => c.name) ?? []
  const other = activities ? childrenOf(activities, RPID, 'other').map(textOf) : []
  const since = activities && attributeOf(activities, 'from')
  const note = childOf(found, DATA_MODEL, 'note')
  const timestamp = token(found, DATA_MODEL, 'timestamp')
  return {
    id: attributeOf(found, 'id') ?? '',
    activities: named.filter((n): n is RpidActivity => (rpidActivities as readonly string[]).includes(n)),
    ...(other.length > 0 ? { other } : {}),
    ...(since !== undefined && isDateTime(since) ? { since } : {}),
    ...(note ? { note: textOf(note) } : {}),
    ...(timestamp !== undefined && isDateTime(timestamp) ? { timestamp } : {}),
  }
}

function token(found: XmlElement, namespace: string, name: string): string | undefined {
  const child = childOf(found, namespace, name)
  return child && tokenOf(child)
}

/** Whether two presentity URIs name the same address: scheme of the family, parameters and case of the host do not matter. */
export function sameEntity(a: string, b: string): boolean {
  return address(a) === address(b)
}

function address(uri: string): string {
  const bare = uri.trim().replace(/^(?:sips?|pres):/i, '')
  const at = bare.lastIndexOf('@')
  const host = bare
    .slice(at + 1)
    .replace(/[;?].*$/s, '')
    .toLowerCase()
  return at < 0 ? host : `${bare.slice(0, at)}@${host}`
}
